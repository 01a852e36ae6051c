// What the server, the spawner and its workers say to each other (confined_process.h). Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::app {

/// What a worker can be asked to do (confined_jobs.h).
enum class ConfinedJob : std::uint8_t {
  /// A mail in, a reports::Digest out.
  ReadReport = 1,
};
std::string_view to_string(ConfinedJob job);

/// The work itself: the answer, or in words why there is none.
using ConfinedHandler = Result<std::string> (*)(std::string_view request);
struct ConfinedJobEntry {
  ConfinedJob job;
  ConfinedHandler handler;
};
using ConfinedJobs = std::span<const ConfinedJobEntry>;

struct ConfinedLimits {
  std::size_t request_bytes = 33 * 1024 * 1024;
  std::size_t reply_bytes = 32 * 1024 * 1024;
  /// Address space of a worker, beyond what the program maps before it has done anything.
  std::size_t memory = 192 * 1024 * 1024;
  std::chrono::seconds processor{20};  ///< of a job; the kernel ends it then
  std::chrono::seconds deadline{60};   ///< of a job, by the clock on the wall; likewise
  std::size_t jobs = 4;                ///< at once; further ones wait
};

// --- server and worker: one request and one reply on a socket of their own ---

inline constexpr std::size_t kJobHeaderBytes = 9;
/// What stands before a request.
std::string encode_job_header(ConfinedJob job, std::size_t request_bytes);
struct JobHeader {
  ConfinedJob job{};
  std::uint64_t bytes = 0;
};
/// nullopt: not kJobHeaderBytes.
std::optional<JobHeader> decode_job_header(std::string_view bytes);

/// What stands before the answer, or before the words why there is none.
std::string encode_reply_header(bool answered, std::size_t bytes);

/// A reply, as it comes. Whoever wrote it may be in a stranger's hands.
class ConfinedReply {
 public:
  explicit ConfinedReply(std::size_t most_bytes) : most_(most_bytes) {}

  /// Invalid: this is no reply, or too large a one; there is nothing to hope for any more.
  Result<void> feed(std::string_view bytes);
  /// All of it is there.
  bool complete() const { return size_ && body_.size() == *size_; }
  /// Of a complete reply. Invalid with the worker's words: it could not do it.
  Result<std::string> take();

 private:
  std::size_t most_;
  std::string header_;
  bool answered_ = false;
  std::optional<std::size_t> size_;
  std::string body_;
};

// --- server and spawner: packets ---

/// From the spawner.
struct SpawnerNote {
  enum class Kind : std::uint8_t {
    Ready = 1,   ///< at the beginning; `words`: what it has given up
    Unconfined,  ///< the same, but the kernel did not let it; `words`: why
    Failed,      ///< it ends; `words`: why
    Exited,      ///< the worker of a job has ended; `value`: exit code
    Killed,      ///< `value`: the signal
    NotStarted,  ///< there is no worker for a job; `value`: errno
  };
  Kind kind = Kind::Ready;
  std::uint64_t job = 0;  ///< the server's number
  std::uint32_t value = 0;
  std::string words;
};
inline constexpr std::size_t kMostNoteBytes = 512;
std::string encode_note(const SpawnerNote& note);
std::optional<SpawnerNote> decode_note(std::string_view bytes);

}  // namespace hikyaku::app
