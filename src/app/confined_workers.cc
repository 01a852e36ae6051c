#include "app/confined_workers.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/socket.h>

#include "base/codec.h"
#include "net/connect.h"

namespace hikyaku::app {
namespace {

/// The kernel ends a worker by its deadline; this is for one that cannot be ended.
constexpr std::chrono::seconds kBeyondDeadline{5};
/// Its end is told at once; this is for a spawner that hangs.
constexpr std::chrono::seconds kUntilToldEnded{5};
constexpr std::size_t kPiece = 64 * 1024;

/// Takes itself out of the table.
template <class Map>
class Entry {
 public:
  Entry(Map& map, typename Map::key_type key, typename Map::mapped_type value)
      : map_(map), key_(key) {
    map_.emplace(key, value);
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() { map_.erase(key_); }

 private:
  Map& map_;
  typename Map::key_type key_;
};

}  // namespace

ConfinedMetrics::ConfinedMetrics(metrics::Registry& registry) {
  auto by_outcome = [&](const char* outcome) {
    return registry.counter("hikyaku_confined_jobs_total",
                            "What was read in confined processes (reports of others), by outcome.",
                            {{"outcome", outcome}});
  };
  answered = by_outcome("answered");
  refused = by_outcome("refused");
  crashed = by_outcome("crashed");
  out_of_time = by_outcome("timeout");
  lost = by_outcome("lost");
  running = registry.gauge("hikyaku_confined_running", "Confined processes that work now.");
  available = registry.gauge("hikyaku_confined_available",
                             "0 when the process that starts them is gone: nothing is read until "
                             "the server is started again.");
  times =
      registry.histogram("hikyaku_confined_seconds", "Time from a job's beginning to its answer.",
                         metrics::Unit::Seconds, metrics::kTimes);
}

ConfinedWorkers::ConfinedWorkers(ConfinedProcess process, net::Cores& cores,
                                 ConfinedMetrics metrics, Log log, ConfinedLimits limits)
    : process_(std::move(process)),
      metrics_(std::move(metrics)),
      log_(std::move(log)),
      limits_(limits),
      permits_(limits.jobs) {
  metrics_.available.set(1);
  watch_.emplace(cores, process_.control(), [this] { read_notes(); });
}

void ConfinedWorkers::stop() {
  stopping_ = true;
  for (auto& [number, running] : running_)
    if (running->stream) running->stream->shut_down(std::chrono::milliseconds(0));
}

Task<Result<std::string>> ConfinedWorkers::run(ConfinedJob job, std::string request) {
  if (request.size() > limits_.request_bytes)
    co_return fail(ErrorCode::Invalid, "it has more than {} bytes", limits_.request_bytes);
  auto permit = co_await permits_.acquire();
  if (stopping_) co_return fail(ErrorCode::Shutdown, "the server ends");
  if (!available())
    co_return fail(ErrorCode::Unavailable, "the process that starts confined workers is gone");
  metrics_.running.add();
  auto began = std::chrono::steady_clock::now();
  auto answer = co_await run_now(job, request);
  metrics_.times.observe(std::chrono::steady_clock::now() - began);
  metrics_.running.add(-1);
  if (!answer) co_return std::unexpected(count(job, std::move(answer).error()));
  metrics_.answered.add();
  co_return answer;
}

Task<Result<std::string>> ConfinedWorkers::run_now(ConfinedJob job, const std::string& request) {
  CO_TRY(auto ends, net::stream_to_process());
  auto& [stream, theirs] = ends;
  auto number = next_++;
  Running running;
  running.stream = stream.get();
  Entry entry(running_, number, &running);
  CO_TRY_DO(order(number, theirs.get()));
  theirs.reset();
  stream->set_total_timeout(limits_.deadline + kBeyondDeadline);
  ConfinedReply reply(limits_.reply_bytes);
  auto talked = co_await talk(*stream, job, request, reply);
  running.stream = nullptr;
  stream.reset();
  if (talked && reply.complete()) co_return reply.take();
  if (!talked && talked.error().code != ErrorCode::Unavailable)
    co_return std::unexpected(std::move(talked).error());
  // It has gone without an answer.
  co_return std::unexpected(co_await why_ended(running));
}

/// Unavailable: the worker is gone.
Task<Result<void>> ConfinedWorkers::talk(net::Stream& stream, ConfinedJob job,
                                         const std::string& request, ConfinedReply& reply) {
  try {
    auto header = encode_job_header(job, request.size());
    co_await stream.write(header);
    co_await stream.write(request);
    std::string piece(kPiece, '\0');
    while (!reply.complete()) {
      auto got = stream.try_read(piece);
      if (!got) {
        co_await stream.wait_readable();
        continue;
      }
      if (*got == 0) break;
      auto fed = reply.feed(std::string_view(piece).substr(0, *got));
      if (!fed) co_return fail(ErrorCode::Internal, "{}", fed.error().text);
    }
    co_return Result<void>();
  } catch (const net::Disconnected& gone) {
    switch (gone.why()) {
      case net::Disconnected::Why::Shutdown:
        co_return fail(ErrorCode::Shutdown, "the server ends");
      case net::Disconnected::Why::Timeout:
        co_return fail(ErrorCode::TooLarge, "reading it took longer than {} seconds",
                       limits_.deadline.count());
      default:
        co_return fail(ErrorCode::Unavailable, "{}", gone.what());
    }
  }
}

Result<void> ConfinedWorkers::order(std::uint64_t number, int socket) {
  Encoder out;
  out.u64_be(number);
  auto bytes = out.take();
  iovec from{bytes.data(), bytes.size()};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &from;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  auto header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &socket, sizeof(int));
  if (::sendmsg(process_.control(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    auto error =
        errno_error("the process that starts confined workers does not take orders", errno);
    error.code = ErrorCode::Unavailable;
    return std::unexpected(std::move(error));
  }
  return {};
}

Task<Error> ConfinedWorkers::why_ended(Running& running) {
  if (!running.how && available()) co_await running.ended.wait(kUntilToldEnded);
  auto error = [](ErrorCode code, std::string text) {
    return Error{code, std::move(text), nullptr};
  };
  if (!running.how)
    co_return error(ErrorCode::Unavailable, "the process that starts confined workers is gone");
  auto value = running.how->value;
  switch (running.how->kind) {
    case SpawnerNote::Kind::NotStarted:
      co_return error(ErrorCode::Unavailable, fmt::format("no confined worker could be started: {}",
                                                          std::strerror(static_cast<int>(value))));
    case SpawnerNote::Kind::Exited:
      co_return error(
          ErrorCode::Internal,
          fmt::format("the confined worker ended without an answer (exit code {})", value));
    default:
      break;
  }
  if (value == SIGALRM)
    co_return error(ErrorCode::TooLarge, fmt::format("reading it took longer than {} seconds",
                                                     limits_.deadline.count()));
  if (value == SIGXCPU)
    co_return error(ErrorCode::TooLarge,
                    fmt::format("reading it took more than {} seconds of processor time",
                                limits_.processor.count()));
  co_return error(ErrorCode::Internal,
                  fmt::format("the confined worker was ended by signal {} ({})", value,
                              ::strsignal(static_cast<int>(value))));
}

Error ConfinedWorkers::count(ConfinedJob job, Error error) {
  switch (error.code) {
    case ErrorCode::Invalid:
      metrics_.refused.add();
      break;
    case ErrorCode::TooLarge:
      metrics_.out_of_time.add();
      break;
    case ErrorCode::Internal:
      metrics_.crashed.add();
      log_.error("confined.crash", {{"what", to_string(job)}, {"err", error.describe()}});
      break;
    default:
      metrics_.lost.add();
  }
  return error;
}

void ConfinedWorkers::read_notes() {
  std::array<char, kMostNoteBytes> bytes;
  for (;;) {
    auto got = ::recv(process_.control(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) return lose();
    auto note = decode_note({bytes.data(), static_cast<std::size_t>(got)});
    if (!note) continue;
    auto found = running_.find(note->job);
    if (found == running_.end()) continue;
    found->second->how = std::move(*note);
    found->second->ended.wake();
  }
}

/// It cannot be started again: this process may not start others.
void ConfinedWorkers::lose() {
  available_ = false;
  metrics_.available.set(0);
  watch_.reset();
  if (!stopping_)
    log_.error("confined.lost",
               {{"what", "reports of others wait until the server is started again"}});
  for (auto& [number, running] : running_) running->ended.wake();
}

}  // namespace hikyaku::app
