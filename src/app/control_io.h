// The control protocol over a stream: the server's end, the client's end, and a call without
// either.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "app/control.h"
#include "app/control_pace.h"
#include "net/input.h"
#include "net/stream.h"

namespace hikyaku::app {

/// Reads control lines from a stream (which must outlive it).
class ControlReader {
 public:
  explicit ControlReader(net::Stream& stream) : input_(stream) {}

  /// The next line, nullopt at the end of the stream. TooLarge: the rest cannot be read.
  Task<Result<std::optional<std::string>>> line();

 private:
  net::Input input_;
  std::string partial_;
};

/// Waits until a connection may be served: asked once, when its first request is there; it may say
/// meanwhile what it waits for. An error is its answer. Empty: it may at once.
using Turn = std::function<Task<Result<void>>(Speaker&)>;

/// Serves one connection of the control socket until the client leaves; several requests may follow
/// each other. `instance_user` owns the instance. While a request is worked on, or waits for its
/// turn, the client hears so as often as `working` says. Throws what the stream throws.
/// What it gives, if not empty, the connection is to be handed to.
Task<ControlCall::Conversation> serve_control(net::Stream& stream, const ControlTable& table,
                                              std::uint32_t instance_user, Turn turn = {},
                                              std::chrono::milliseconds working = kSayWorking);

/// How serve_requests ended.
enum class Served {
  Left,      ///< the client has gone, or was told that it must
  Handover,  ///< it asked for `handover`, was told yes, and waits for what comes now
};
/// The same for a caller who is known already. A request with the verb `handover` (empty: none)
/// ends it, after an empty result: what follows on the stream is something else.
Task<Served> serve_requests(net::Stream& stream, const ControlTable& table, ControlCaller caller,
                            std::string_view handover = {}, Turn turn = {});

/// See ControlHandlers::starting.
using OnStarting = std::function<bool()>;

/// What the asking side does with what comes before the result. Called on the loop that asks.
struct ControlHandlers {
  std::function<void(const boost::json::object&)> item = [](auto&) {};
  std::function<void(const ControlProgress&)> progress = [](auto&) {};
  /// The server is still starting, and has been for a while. False: it is not waited for, and the
  /// call ends with Unavailable.
  OnStarting starting = [] { return true; };
  /// The next piece of data to send (at most kMaxControlData bytes), nullopt at the end; empty
  /// function: the command takes none. An error ends the call with it: the server is not told that
  /// the data has come to its end, and does nothing with what it has. May block: a command line has
  /// nothing else to do.
  std::function<Result<std::optional<std::string>>()> data = {};
};

/// Sends the request over a connected stream and waits for its end, however long the server works
/// on it. Unavailable: the server went away, or has given no sign of life for `silence`. The stream
/// may be closed then, and after any other error.
Task<Result<boost::json::object>> ask_control(net::Stream& stream, const ControlRequest& request,
                                              const ControlHandlers& handlers,
                                              std::chrono::milliseconds silence = kSilence);

/// The same in this process, without any stream: what a command line does when no server runs.
/// Unsupported: the command hands over a connection.
Task<Result<boost::json::object>> run_control_here(const ControlTable& table,
                                                   ControlRequest request,
                                                   const ControlHandlers& handlers);

/// Sends a request whose result hands the connection over (imap.session), and reads exactly up to
/// that result: what follows is the other protocol's. Errors as of ask_control.
Task<Result<boost::json::object>> ask_for_session(
    net::Stream& stream, const ControlRequest& request, OnStarting starting = [] { return true; });

/// Asks the server at `socket`, on an event loop made for it; not on a loop's thread. NotFound and
/// Unavailable with nobody listening: no server runs, the caller may open the store itself.
struct ServerAnswer {
  bool running = false;  ///< false: nobody listens there, nothing was asked
  Result<boost::json::object> result;
};
ServerAnswer ask_server(const std::filesystem::path& socket, const ControlRequest& request,
                        const ControlHandlers& handlers);

}  // namespace hikyaku::app
