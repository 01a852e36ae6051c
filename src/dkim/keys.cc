#include "dkim/keys.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/async.h"
#include "base/text.h"

namespace hikyaku::dkim {
namespace {

constexpr std::chrono::hours kLongestKept{24};
/// Work in one go, on a loop where others wait.
constexpr std::chrono::microseconds kAtOnce{500};

crypto::Signature kind_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::RsaSha256:
      return crypto::Signature::RsaSha256;
    case Algorithm::RsaSha1:
      return crypto::Signature::RsaSha1;
    case Algorithm::Ed25519Sha256:
      return crypto::Signature::Ed25519;
  }
  return crypto::Signature::RsaSha256;
}

/// Why the record may not be used for this signature (RFC 6376 §6.1.2); empty when it may.
std::string unfit(const KeyRecord& record, const SignedBytes& bytes) {
  if (record.revoked) return "the key was revoked (its p= is empty)";
  auto wanted = bytes.algorithm == Algorithm::Ed25519Sha256 ? "ed25519" : "rsa";
  if (record.type != wanted || !record.key)
    return fmt::format("the key is of type k={}, the signature of type {}",
                       printable(record.type, 40), to_string(bytes.algorithm));
  if (!(bytes.algorithm == Algorithm::RsaSha1 ? record.sha1 : record.sha256))
    return fmt::format("the key record does not allow {} (h=)", to_string(bytes.algorithm));
  if (!record.for_mail) return "the key is not for mail (s=)";
  if (record.strict && bytes.identity_domain != bytes.domain)
    return "the key record forbids subdomains in i= (t=s)";
  return {};
}

KeyCheck check(const KeyRecord& record, const SignedBytes& bytes) {
  KeyCheck result;
  result.testing = record.testing;
  if (record.key) result.key_bits = record.key->bits();
  result.problem = unfit(record, bytes);
  if (!result.problem.empty()) return result;

  // Ed25519 signs the digest (RFC 8463 §3).
  bool right =
      bytes.algorithm == Algorithm::Ed25519Sha256
          ? record.key->verify(crypto::Signature::Ed25519,
                               crypto::digest(crypto::Hash::Sha256, bytes.data), bytes.signature)
          : record.key->verify(kind_of(bytes.algorithm), bytes.data, bytes.signature);
  if (!right) {
    result.result = Result::Fail;
    result.problem =
        "the signature does not fit the header: it was changed, or signed by another key";
  } else if (bytes.algorithm == Algorithm::RsaSha1) {
    result.result = Result::Policy;
    result.problem = "rsa-sha1 must not be used any more (RFC 8301 §3.1)";
  } else if (record.key->type() == crypto::KeyType::Rsa && result.key_bits < kLeastRsaBits) {
    result.result = Result::Policy;
    result.problem = fmt::format("the RSA key has {} bits, fewer than {} (RFC 8301 §3.2)",
                                 result.key_bits, kLeastRsaBits);
  } else {
    result.result = Result::Pass;
  }
  return result;
}

/// Which of two outcomes says more, when a selector has several records.
int weight(const KeyCheck& outcome) {
  switch (outcome.result) {
    case Result::Pass:
      return 3;
    case Result::Policy:
      return 2;
    case Result::Fail:
      return 1;
    default:
      return 0;
  }
}

Keys read_answer(std::string name, const dns::Answer<std::string>& answer) {
  Keys keys;
  keys.lookup = {std::move(name), answer.status, answer.ttl, answer.secure};
  if (answer.failed()) {
    keys.problem = answer.problem.empty() ? std::string("no answer") : answer.problem;
  } else if (answer.absent()) {
    keys.problem =
        answer.status == dns::Status::NoName ? "the name does not exist" : "there is no TXT record";
  }
  for (auto& text : answer.records) {
    if (keys.records.size() == kMaxKeyRecords) break;
    keys.records.push_back(parse_key_record(text));
  }
  return keys;
}

}  // namespace

std::shared_ptr<const Keys> KeyCache::find(const std::string& name, Time now) const {
  std::scoped_lock lock(mutex_);
  auto entry = entries_.find(name);
  return entry != entries_.end() && entry->second.until > now ? entry->second.keys : nullptr;
}

void KeyCache::put(const std::string& name, std::shared_ptr<const Keys> keys, Time now) {
  auto ttl = std::min<std::chrono::seconds>(keys->lookup.ttl, kLongestKept);
  std::scoped_lock lock(mutex_);
  if (entries_.size() >= names_) entries_.clear();
  entries_[name] = {std::move(keys), now + ttl};
}

Task<std::shared_ptr<const Keys>> ask_keys(dns::Resolver& resolver, KeyCache* cache,
                                           std::string selector, std::string domain, Time now) {
  auto name = selector + "._domainkey." + domain;
  if (cache) {
    if (auto known = cache->find(name, now)) co_return known;
  }
  auto answer = co_await resolver.txt(name);
  auto keys = std::make_shared<const Keys>(read_answer(name, answer));
  if (cache && answer.ok()) cache->put(name, keys, now);
  co_return keys;
}

KeyCheck check_with_keys(const Keys& keys, const SignedBytes& bytes) {
  KeyCheck best;
  if (keys.records.empty()) {
    best.result = keys.failed() ? Result::TempError : Result::PermError;
    best.problem =
        keys.failed()
            ? fmt::format("the key {} could not be asked for: {}", keys.lookup.name, keys.problem)
            : fmt::format("there is no key {}: {}", keys.lookup.name, keys.problem);
    return best;
  }
  for (auto& record : keys.records) {
    KeyCheck outcome;
    if (record)
      outcome = check(*record, bytes);
    else
      outcome.problem = record.error().text;
    if (best.problem.empty() || weight(outcome) > weight(best)) best = std::move(outcome);
    if (best.result == Result::Pass) break;
  }
  return best;
}

Task<void> Breather::worked(const Keys& keys) {
  for (auto& record : keys.records) {
    auto kilobits = record && record->key ? record->key->bits() / 1024 : 0;
    spent_ += std::chrono::microseconds(10 + 5 * kilobits * kilobits);
  }
  if (spent_ < kAtOnce || !Executor::current()) co_return;
  spent_ = {};
  co_await yield_now();
}

}  // namespace hikyaku::dkim
