// The control protocol: how `hikyaku VERB` asks the running server to do something, and how both
// do it.
//
// Lines of JSON over the control socket, one request at a time:
//   client  {"verb":"queue.list","args":{…},"lang":"en"}
//   client  {"data":"<base64>"} …  {"end":true}     only for commands that take data
//   server  {"progress":{"done":3,"total":10,"text":"…"}}     any number
//   server  {"item":{…}}                                      any number: the rows of a list
//   server  {"working":true}    every few seconds while it says nothing else: it is alive;
//           "starting":true beside it: the request waits until the server has started
//   server  {"result":{…}}  or  {"error":{"code":"not-found","text":"…"}}     the end
// After some results the connection speaks another protocol (imap.session: IMAP, logged in).
//
// A command does not know whether it runs in the server or, when none runs, in the CLI's own
// process on the store: it has a ControlCall to answer to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/json.h"
#include "base/log.h"
#include "base/phrase.h"
#include "base/result.h"
#include "base/task.h"
#include "net/stream.h"

namespace hikyaku::app {

/// Longer lines end the connection. Data comes in pieces of at most kMaxData bytes.
inline constexpr std::size_t kMaxControlLine = 1 << 20;
inline constexpr std::size_t kMaxControlData = 64 * 1024;

/// What is asked for.
struct ControlRequest {
  std::string verb;  ///< "queue.list"
  boost::json::object args;
  Language language = Language::English;  ///< of texts in the answer that people read
};

struct ControlProgress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< 0: not known
  std::string text;
};
struct ControlWorking {
  bool starting = false;
};
struct ControlItem {
  boost::json::object value;
};
struct ControlResult {
  boost::json::object value;
};
struct ControlData {
  std::string bytes;
};
struct ControlEnd {};

/// One line, in either direction. A Result<> error travels as an Error.
using ControlLine = std::variant<ControlRequest, ControlData, ControlEnd, ControlProgress,
                                 ControlWorking, ControlItem, ControlResult, Error>;

/// The line without its newline. Ill-formed UTF-8 in texts is replaced.
std::string encode_control_line(const ControlLine& line);
/// Invalid: it is not one of the lines above. Unknown members are ignored, so that a newer client
/// may say more.
Result<ControlLine> decode_control_line(std::string_view line);

/// Texts from strangers for use in JSON: valid UTF-8.
boost::json::string json_text(std::string_view text);

/// Who asks.
struct ControlCaller {
  std::uint32_t uid = 0;
  bool is_owner = false;     ///< root, or the user whom the instance belongs to
  std::optional<Log> log{};  ///< the connection's
};

/// One call of a command, as the command sees it. Used on the loop it runs on.
class ControlCall {
 public:
  ControlCall(ControlRequest request, ControlCaller caller)
      : request_(std::move(request)), caller_(caller) {}
  virtual ~ControlCall() = default;

  const ControlRequest& request() const { return request_; }
  const boost::json::object& args() const { return request_.args; }
  const ControlCaller& caller() const { return caller_; }

  /// A text argument; "" if it is not there. Invalid if it is something else.
  Result<std::string> text(std::string_view name) const;
  /// The same, but it must be there.
  Result<std::string> needed_text(std::string_view name) const;
  /// A number from 0 on; `fallback` if it is not there.
  Result<std::uint64_t> number(std::string_view name, std::uint64_t fallback) const;
  /// False if it is not there.
  Result<bool> flag(std::string_view name) const;

  /// One row of a list. Waits while the asker is slow.
  virtual Task<void> item(boost::json::object value) = 0;
  /// Tells how far it is; drop calls at will (at most a few a second are passed on).
  virtual Task<void> progress(ControlProgress progress) = 0;
  /// The next piece of the data, nullopt at its end. Invalid if it is malformed.
  virtual Task<Result<std::optional<std::string>>> data() = 0;

  /// Another protocol, spoken over the same connection until its end.
  using Conversation = std::function<Task<void>(std::unique_ptr<net::Stream>)>;
  /// Called by a command: after its result the connection belongs to `conversation`.
  void hand_over_to(Conversation conversation) { conversation_ = std::move(conversation); }
  Conversation take_conversation() { return std::move(conversation_); }

 private:
  Conversation conversation_;
  ControlRequest request_;
  ControlCaller caller_;
};

/// One thing that can be asked for.
struct ControlCommand {
  enum class For {
    Owner,    ///< root and the instance's user
    Anybody,  ///< every user of the machine (handing in mail)
  };
  std::string verb;
  For who = For::Owner;
  /// The call outlives the task.
  std::function<Task<Result<boost::json::object>>(ControlCall&)> run;
};

/// All commands; filled once, by the wiring.
class ControlTable {
 public:
  void add(ControlCommand command) { commands_.push_back(std::move(command)); }

  /// Runs what the call asks for. NotFound: there is no such command (the server may be older than
  /// the client); Denied: not for this caller; or what the command says.
  Task<Result<boost::json::object>> run(ControlCall& call) const;
  bool knows(std::string_view verb) const { return find(verb) != nullptr; }

 private:
  const ControlCommand* find(std::string_view verb) const;

  std::vector<ControlCommand> commands_;
};

}  // namespace hikyaku::app
