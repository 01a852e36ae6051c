#include "app/key_watch.h"

#include <algorithm>

#include "app/dkim_keys.h"
#include "dkim/key_record.h"

namespace hikyaku::app {
namespace {

/// A question whose answer is kept by the resolver for as long as the DNS allows.
constexpr std::chrono::seconds kEvery{60};

bool is_published(const auth::SigningKey& key, const dns::Answer<std::string>& answer) {
  auto ours = dkim::parse_key_record(key.record);
  if (!ours || !ours->key || answer.records.size() != 1) return false;
  auto theirs = dkim::parse_key_record(answer.records.front());
  return theirs && theirs->key && *theirs->key == *ours->key;
}

}  // namespace

void KeyWatch::start() {
  gate_.spawn(run());
}

void KeyWatch::stop(Callback stopped) {
  stopping_ = true;
  wakeup_.wake();
  gate_.close(std::move(stopped));
}

Task<void> KeyWatch::run() {
  while (!stopping_) {
    auto keys = co_await core_.store().read(
        [](store::Reader& reader) { return auth::list_signing_keys(reader); });
    milliseconds wait = kEvery;
    for (auto& key : keys) {
      if (stopping_) co_return;
      if (key.state != auth::SigningState::Published) continue;
      auto next = co_await look_at(std::move(key));
      if (next) wait = std::clamp(*next - core_.clock().now(), milliseconds(100), wait);
    }
    co_await wakeup_.wait(wait);
  }
}

Task<std::optional<Time>> KeyWatch::look_at(auth::SigningKey key) {
  auto answer = co_await resolver_.txt(key.record_name());
  auto now = core_.clock().now();
  // What is not (any more) as it should be, signs nothing; it may only be slow to answer.
  if (!is_published(key, answer)) co_return std::nullopt;
  auto due = key.seen != Time{} && key.signs_from <= now;
  auto keep = record_kept(core_.config());
  auto done = co_await core_.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        if (due) return auth::activate_signing_key(tx, key.domain, key.selector, now, keep);
        return auth::note_signing_key_seen(tx, key.domain, key.selector, now, answer.ttl);
      });
  if (!done)
    core_.log().warn("dkim.watch", {{"what", key.record_name()}, {"err", done.error().describe()}});
  else if (due || key.seen == Time{})
    core_.log().info("dkim.watch",
                     {{"what", key.record_name()}, {"why", due ? "signs now" : "seen in the DNS"}});
  if (due || !done) co_return std::nullopt;
  co_return key.seen != Time{} ? key.signs_from : now + answer.ttl;
}

}  // namespace hikyaku::app
