#include "auth/signing_keys.h"

#include <array>

#include "auth/directory.h"
#include "auth/tables.h"
#include "base/codec.h"
#include "base/text.h"
#include "dkim/signature.h"
#include "dns/name.h"

namespace hikyaku::auth {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

/// Signatures of more keys would only make mail longer.
constexpr std::size_t kMaxKeys = 100;

Key key_of(std::string_view domain, std::string_view selector) {
  return Key(kInstance, kTableSigningKey).text(domain).raw(selector);
}

void put_time(Encoder& out, Time time) {
  out.svarint(time.time_since_epoch().count());
}
Time get_time(Decoder& in) {
  return Time(milliseconds(in.svarint()));
}

void write(Transaction& tx, const SigningKey& key) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(key.algorithm));
  out.u8(static_cast<std::uint8_t>(key.state));
  out.text(key.record);
  for (auto time : {key.created, key.seen, key.signs_from, key.activated, key.retired,
                    key.record_until, key.gone})
    put_time(out, time);
  tx.put(key_of(key.domain, key.selector), out.bytes());
  note_directory_change(tx);
}

SigningKey decode(std::string_view domain, std::string_view selector, std::string_view value) {
  Decoder in(value);
  SigningKey key;
  key.domain = domain;
  key.selector = selector;
  key.algorithm = in.u8() == 1 ? SigningAlgorithm::Ed25519 : SigningAlgorithm::Rsa;
  key.state = static_cast<SigningState>(std::min<std::uint8_t>(in.u8(), 3));
  key.record = in.text();
  for (auto time : {&key.created, &key.seen, &key.signs_from, &key.activated, &key.retired,
                    &key.record_until, &key.gone})
    *time = get_time(in);
  return key;
}

/// The key, or why there is none.
Result<SigningKey> need(Reader& reader, std::string_view domain, std::string_view selector) {
  auto key = find_signing_key(reader, domain, selector);
  if (!key)
    return fail(ErrorCode::NotFound, "{} has no key {}: hikyaku domain dkim {}", domain,
                printable(selector, 80), domain);
  return std::move(*key);
}

std::unexpected<Error> wrong_state(const SigningKey& key, std::string_view remedy) {
  return fail(ErrorCode::Conflict, "the key {} of {} is {}: {}", key.selector, key.domain,
              to_string(key.state), remedy);
}

void retire(Transaction& tx, SigningKey key, Time now, milliseconds keep) {
  key.state = SigningState::Retired;
  key.retired = now;
  key.record_until = now + keep;
  write(tx, key);
}

void begin_signing(Transaction& tx, SigningKey key, Time now, milliseconds keep) {
  for (auto& other : list_signing_keys(tx, key.domain)) {
    if (other.state == SigningState::Active && other.algorithm == key.algorithm &&
        other.selector != key.selector)
      retire(tx, std::move(other), now, keep);
  }
  key.state = SigningState::Active;
  key.activated = now;
  key.retired = key.record_until = Time{};
  write(tx, key);
}

}  // namespace

std::string_view to_string(SigningAlgorithm algorithm) {
  return algorithm == SigningAlgorithm::Rsa ? "rsa" : "ed25519";
}

std::string_view to_string(SigningState state) {
  constexpr std::array<std::string_view, 4> kNames{"published", "active", "retired", "gone"};
  return kNames[static_cast<std::size_t>(state)];
}

Result<void> add_signing_keys(Transaction& tx, std::vector<SigningKey> keys, milliseconds keep) {
  for (auto& key : keys) {
    auto domain = find_domain(tx, key.domain);
    if (!domain)
      return fail(ErrorCode::NotFound, "there is no domain {0} here: hikyaku domain add {0}",
                  key.domain);
    key.domain = domain->name;
    auto selector = dkim::parse_signature_domain(key.selector, 1);
    if (!selector)
      return fail(ErrorCode::Invalid, "\"{}\" is no selector: letters, digits, hyphens and dots",
                  printable(key.selector, 80));
    key.selector = *selector;
    auto there = find_signing_key(tx, key.domain, key.selector);
    if (there && there->state != SigningState::Gone)
      return fail(ErrorCode::Exists, "{} has a key {} already", key.domain, key.selector);
    if (list_signing_keys(tx, key.domain).size() >= kMaxKeys)
      return fail(ErrorCode::TooLarge, "{} has {} keys already", key.domain, kMaxKeys);
    if (key.state == SigningState::Active)
      begin_signing(tx, key, key.created, keep);
    else
      write(tx, key);
  }
  return {};
}

std::vector<SigningKey> list_signing_keys(Reader& reader, std::string_view domain) {
  std::vector<SigningKey> keys;
  Key table(kInstance, kTableSigningKey);
  auto range = domain.empty() ? table.children() : table.text(domain).children();
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    auto fields = key.substr(5);
    auto nul = fields.find('\0');
    keys.push_back(decode(fields.substr(0, nul), fields.substr(nul + 1), value));
    return true;
  });
  return keys;
}

std::optional<SigningKey> find_signing_key(Reader& reader, std::string_view domain,
                                           std::string_view selector) {
  auto value = reader.get(key_of(domain, selector));
  if (!value) return std::nullopt;
  return decode(domain, selector, *value);
}

SigningDomain signing_domain(Reader& reader, std::string_view author_domain) {
  constexpr int kMaxLabels = 128;
  SigningDomain found;
  for (int i = 0; i < kMaxLabels && !author_domain.empty(); ++i) {
    if (auto domain = find_domain(reader, author_domain)) {
      found.domain = domain->name;
      for (auto& key : list_signing_keys(reader, domain->name))
        if (key.state == SigningState::Active) found.keys.push_back(std::move(key));
      break;
    }
    author_domain = dns::parent(author_domain);
  }
  return found;
}

Result<void> note_signing_key_seen(Transaction& tx, std::string_view domain,
                                   std::string_view selector, Time now, seconds ttl) {
  TRY(auto key, need(tx, domain, selector));
  if (key.seen != Time{}) return {};
  key.seen = now;
  key.signs_from = now + ttl;
  write(tx, key);
  return {};
}

Result<void> activate_signing_key(Transaction& tx, std::string_view domain,
                                  std::string_view selector, Time now, milliseconds keep) {
  TRY(auto key, need(tx, domain, selector));
  if (key.state == SigningState::Active) return {};
  if (key.state == SigningState::Gone) return wrong_state(key, "make another one");
  begin_signing(tx, std::move(key), now, keep);
  return {};
}

Result<void> retire_signing_key(Transaction& tx, std::string_view domain, std::string_view selector,
                                Time now, milliseconds keep) {
  TRY(auto key, need(tx, domain, selector));
  if (key.state == SigningState::Published)
    return wrong_state(key, "it has signed nothing yet and can be removed");
  if (key.state != SigningState::Active) return wrong_state(key, "it does not sign any more");
  retire(tx, std::move(key), now, keep);
  return {};
}

Result<void> remove_signing_key(Transaction& tx, std::string_view domain, std::string_view selector,
                                Time now, Remove when) {
  TRY(auto key, need(tx, domain, selector));
  if (key.state == SigningState::Active) return wrong_state(key, "retire it first");
  if (key.state == SigningState::Gone) return {};
  if (key.state == SigningState::Retired && now < key.record_until && when == Remove::WhenDue)
    return wrong_state(key, fmt::format("mail signed by it may be on its way until {}, and can be "
                                        "checked as long as the key's record is there (--now "
                                        "removes it all the same)",
                                        format_rfc3339(key.record_until)));
  key.state = SigningState::Gone;
  key.gone = now;
  write(tx, key);
  return {};
}

}  // namespace hikyaku::auth
