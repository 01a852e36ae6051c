#include "receive/signing.h"

#include "auth/directory.h"
#include "base/async.h"
#include "dkim/key_record.h"

namespace hikyaku::receive {
namespace {

/// A key file that cannot be read is not tried again with every message.
constexpr std::chrono::seconds kProblemKept{60};

/// The private key, if it is the one whose record the directory has.
Result<crypto::PrivateKey> read_key(const ReadSigningKey& read, const auth::SigningKey& wanted) {
  TRY(auto pem, read(wanted.domain, wanted.selector));
  TRY(auto key, crypto::PrivateKey::from_pem(pem.reveal()));
  TRY_DO(dkim::check_signing_key({wanted.domain, wanted.selector, key}));
  auto record = dkim::parse_key_record(wanted.record);
  if (!record || !record->key || !(*record->key == key.public_key()))
    return fail(ErrorCode::Invalid, "the key file of {} is not of the key that {} publishes",
                wanted.record_name(), wanted.domain);
  return key;
}

}  // namespace

KeyRing::KeyRing(store::Store& store, WorkerPool& workers, const Clock& clock, ReadSigningKey read,
                 Log log)
    : store_(store),
      workers_(workers),
      clock_(clock),
      read_(std::move(read)),
      log_(std::move(log)) {}

Task<KeyRing::Keys> KeyRing::keys_for(std::string author_domain) {
  struct Found {
    auth::SigningDomain domain;
    std::uint64_t version = 0;
  };
  auto found = co_await store_.read([&](store::Reader& reader) {
    return Found{auth::signing_domain(reader, author_domain), auth::directory_version(reader)};
  });
  co_await forget_others(found.version);
  Keys keys;
  keys.domain = found.domain.domain;
  for (auto& wanted : found.domain.keys) {
    auto selector = wanted.selector;
    auto cached = co_await get(std::move(wanted));
    if (cached.key)
      keys.keys.push_back({keys.domain, std::move(selector), std::move(*cached.key)});
    else
      keys.problem = cached.problem;
  }
  if (found.domain.keys.empty() && !keys.domain.empty())
    keys.problem = "no key of " + keys.domain + " is active";
  co_return keys;
}

/// After a change of the directory: keys that do not sign any more are let go.
Task<void> KeyRing::forget_others(std::uint64_t version) {
  std::vector<Name> names;
  {
    std::lock_guard lock(mutex_);
    if (version_ == version) co_return;
    version_ = version;
    for (auto& [name, cached] : cache_) names.push_back(name);
  }
  if (names.empty()) co_return;
  auto gone = co_await store_.read([&](store::Reader& reader) {
    std::vector<Name> others;
    for (auto& name : names) {
      auto key = auth::find_signing_key(reader, name.first, name.second);
      if (!key || key->state != auth::SigningState::Active) others.push_back(name);
    }
    return others;
  });
  std::lock_guard lock(mutex_);
  for (auto& name : gone) cache_.erase(name);
}

/// A clock that was set back keeps no problem for longer.
bool KeyRing::is_kept(Time until) const {
  auto now = clock_.now();
  return now < until && until <= now + kProblemKept;
}

Task<KeyRing::Cached> KeyRing::get(auth::SigningKey wanted) {
  Name name{wanted.domain, wanted.selector};
  {
    std::lock_guard lock(mutex_);
    auto at = cache_.find(name);
    if (at != cache_.end() && at->second.record == wanted.record &&
        (at->second.key || is_kept(at->second.until)))
      co_return at->second;
  }
  auto record = wanted.record;
  auto key = co_await run_on(
      workers_, [read = read_, wanted = std::move(wanted)] { return read_key(read, wanted); });
  Cached cached{.record = std::move(record)};
  if (key) {
    cached.key = std::move(*key);
  } else {
    cached.problem = key.error().describe();
    cached.until = clock_.now() + kProblemKept;
    log_.error("dkim.key",
               {{"what", name.second + "._domainkey." + name.first}, {"err", cached.problem}});
  }
  std::lock_guard lock(mutex_);
  co_return cache_.insert_or_assign(std::move(name), std::move(cached)).first->second;
}

}  // namespace hikyaku::receive
