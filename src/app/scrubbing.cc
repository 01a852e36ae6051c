#include "app/scrubbing.h"

#include <algorithm>

#include "auth/directory.h"
#include "mailbox/body_messages.h"

namespace hikyaku::app {
namespace {

using std::chrono::nanoseconds;

/// Not at once: whoever starts the server has other things to look at.
constexpr std::chrono::minutes kFirst{1};
/// How often is looked whether a round is due, and whether what is damaged has been mended.
constexpr std::chrono::minutes kIdle{10};
/// A small store is not worth a month of reading now and then.
constexpr double kLeastRate = 4e6;  // bytes a second
/// A step is followed by a rest that is so many times as long: who is slow because others need the
/// disk asks less of it.
constexpr int kRest = 4;
/// A body may be many messages': so many are named.
constexpr std::size_t kMostNames = 10;

}  // namespace

nanoseconds Scrubbing::pause_after(const store::Scrubbed& step, nanoseconds took,
                                   std::chrono::milliseconds every) {
  if (!step.more) return std::clamp<nanoseconds>(every, seconds(1), kIdle);
  auto in_time =
      static_cast<double>(step.round_bytes) / std::chrono::duration<double>(every).count();
  auto wanted = static_cast<double>(step.bytes) / std::max(kLeastRate, in_time);
  auto due = std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(wanted)) - took;
  return std::max<nanoseconds>(due, kRest * took);
}

void Scrubbing::stop() {
  stopping_ = true;
  wakeup_.wake();
}

Task<void> Scrubbing::run() {
  auto every = core_.config().store.scrub_every;
  co_await wakeup_.wait(every.count() == 0 ? kFirst : std::min<nanoseconds>(kFirst, every));
  while (!stopping_) {
    every = core_.config().store.scrub_every;
    nanoseconds pause = kIdle;
    if (every.count() != 0) {
      auto began = std::chrono::steady_clock::now();
      auto step = co_await core_.store().scrub({.every = every});
      // What of the index could not be read is told by whoever met it.
      if (step) {
        pause = pause_after(*step, std::chrono::steady_clock::now() - began, every);
        for (auto body : step->found) co_await tell(body);
      }
    }
    if (stopping_) co_return;
    co_await wakeup_.wait(pause);
  }
}

/// The messages that nobody has asked for, by names that people know.
Task<void> Scrubbing::tell(store::BlobId body) {
  struct Named {
    std::string user;
    mailbox::BodyMessage message;
  };
  auto read = [body](store::Reader& reader) {
    std::vector<Named> named;
    for (auto& message : mailbox::messages_of_body(reader, body, kMostNames))
      if (auto account = auth::get_account(reader, message.account))
        named.push_back({account->address, std::move(message)});
    return named;
  };
  for (auto& [user, message] : co_await core_.store().read(read))
    core_.log().error(
        "store.message_unreadable",
        {{"user", user}, {"mailbox", message.path}, {"uid", message.uid}, {"body", body}});
}

}  // namespace hikyaku::app
