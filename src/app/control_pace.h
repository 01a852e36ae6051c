// How each side of the control protocol knows that the other is alive: who works on a request says
// so every few seconds, and who asked gives up after a silence that no work explains.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "net/stream.h"

namespace hikyaku::app {

/// The server speaks so often at least.
inline constexpr std::chrono::milliseconds kSayWorking = std::chrono::seconds(5);
/// A client waits no longer for the next sign of life. Four chances, for a busy machine.
inline constexpr std::chrono::milliseconds kSilence = std::chrono::seconds(20);

/// What a client says that gives up. `process`: who listens there; 0: not known. Unavailable.
Error no_answer_of(std::int32_t process, std::chrono::milliseconds silence);

/// The lines that a server writes for one request, and between them, while the request is worked
/// on, ControlWorking. It comes from the event loop of the connection: one that hangs says nothing.
class Speaker {
 public:
  /// The stream outlives it.
  Speaker(net::Stream& stream, std::chrono::milliseconds every) : stream_(stream), every_(every) {}

  /// From now on until end(), which must be awaited.
  void begin() { gate_.spawn(say_working()); }
  Task<void> end();

  /// The whole line. Throws what the stream throws.
  Task<void> write(std::string line);

  /// Throws Disconnected if the client has gone: one that was told that nobody answers may ask
  /// again, and what it asked for first is not to be done as well.
  void check_client() const;

  /// While it lives nothing is said: the client's own data is waited for, and a client that sends
  /// data slowly must not find so many lines that it reads too late.
  class Listening {
   public:
    explicit Listening(Speaker& speaker) : speaker_(speaker) { speaker_.listening_ = true; }
    ~Listening() { speaker_.listening_ = false; }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

   private:
    Speaker& speaker_;
  };

 private:
  Task<void> say_working();

  net::Stream& stream_;
  std::chrono::milliseconds every_;
  bool ended_ = false;
  bool listening_ = false;
  bool writing_ = false;  ///< a line is on its way: one at a time
  Wakeup due_;
  Wakeup written_;  ///< that line was ControlWorking, and has gone
  Gate gate_{end_process};
};

/// Ends a connection on which nothing has moved for so long, in either direction. It counts the
/// looks at it that found nothing rather than the time: a client that was itself stopped, or that
/// waited for its own input, has not listened.
class SilenceWatch {
 public:
  /// The stream outlives it.
  SilenceWatch(net::Stream& stream, std::chrono::milliseconds limit);

  /// From now on until end(), which must be awaited.
  void begin() { gate_.spawn(watch()); }
  Task<void> end();

  /// It has closed the stream.
  bool gave_up() const { return gave_up_; }
  Error error() const { return no_answer_of(process_, limit_); }

 private:
  Task<void> watch();

  net::Stream& stream_;
  std::chrono::milliseconds limit_;
  std::int32_t process_ = 0;
  bool ended_ = false;
  bool gave_up_ = false;
  Wakeup due_;
  Gate gate_{end_process};
};

}  // namespace hikyaku::app
