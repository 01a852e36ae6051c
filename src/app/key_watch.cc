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

bool is_looked_for(const auth::SigningKey& key) {
  return key.state == auth::SigningState::Published ||
         (key.state == auth::SigningState::Active && key.seen == Time{});
}

}  // namespace

void KeyLooks::note(const std::string& record_name, Look look) {
  std::lock_guard lock(mutex_);
  looks_[record_name] = std::move(look);
}

void KeyLooks::forget(const std::string& record_name) {
  std::lock_guard lock(mutex_);
  looks_.erase(record_name);
}

void KeyLooks::keep_only(const std::set<std::string>& record_names) {
  std::lock_guard lock(mutex_);
  std::erase_if(looks_, [&](auto& look) { return !record_names.contains(look.first); });
}

std::optional<KeyLooks::Look> KeyLooks::find(const auth::SigningKey& key) const {
  std::lock_guard lock(mutex_);
  auto found = looks_.find(key.record_name());
  if (found == looks_.end() || found->second.when < key.created) return std::nullopt;
  return found->second;
}

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
    auto wait = co_await rounds_.run(look(), milliseconds(kEvery));
    if (stopping_) co_return;
    co_await wakeup_.wait(wait);
  }
}

Task<milliseconds> KeyWatch::look() {
  auto keys = co_await core_.store().read(
      [](store::Reader& reader) { return auth::list_signing_keys(reader); });
  std::set<std::string> looked_for;
  for (auto& key : keys)
    if (is_looked_for(key)) looked_for.insert(key.record_name());
  looks_.keep_only(looked_for);
  milliseconds wait = kEvery;
  for (auto& key : keys) {
    if (stopping_) break;
    if (!is_looked_for(key)) continue;
    auto next = co_await look_at(std::move(key));
    if (next) wait = std::clamp(*next - core_.clock().now(), milliseconds(100), wait);
  }
  co_return wait;
}

Task<std::optional<Time>> KeyWatch::look_at(auth::SigningKey key) {
  auto answer = co_await resolver_.txt(key.record_name());
  auto now = core_.clock().now();
  // What is not (any more) as it should be, signs nothing; it may only be slow to answer.
  if (!is_published(key, answer)) {
    looks_.note(key.record_name(),
                {now, now + kEvery, answer.failed() ? answer.problem : std::string()});
    co_return std::nullopt;
  }
  looks_.forget(key.record_name());
  auto waits = key.state == auth::SigningState::Published;
  auto due = waits && key.seen != Time{} && key.signs_from <= now;
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
  if (due || !done || !waits) co_return std::nullopt;
  co_return key.seen != Time{} ? key.signs_from : now + answer.ttl;
}

}  // namespace hikyaku::app
