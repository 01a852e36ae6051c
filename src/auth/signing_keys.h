// The DKIM keys of our domains: which there are, which of them sign, what must stay in the DNS. The
// private keys are files beside the configuration; nothing secret is here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "store/store.h"

namespace hikyaku::auth {

enum class SigningAlgorithm : std::uint8_t { Rsa, Ed25519 };
/// "rsa", "ed25519".
std::string_view to_string(SigningAlgorithm algorithm);

/// The life of a key.
enum class SigningState : std::uint8_t {
  Published,  ///< its record is to be published; it signs once the DNS has shown it everywhere
  Active,     ///< signs
  Retired,    ///< signs no more; its record stays until mail signed by it has arrived everywhere
  Gone,       ///< the private key is erased; its record is to be taken out of the DNS
};
/// "published", "active", "retired", "gone".
std::string_view to_string(SigningState state);

struct SigningKey {
  std::string domain;    ///< one of ours
  std::string selector;  ///< lower case
  SigningAlgorithm algorithm = SigningAlgorithm::Rsa;
  SigningState state = SigningState::Published;
  std::string record;  ///< what the TXT record at SELECTOR._domainkey.DOMAIN must say
  Time created{};
  Time seen{};        ///< when the DNS has shown the record for the first time; Time{}: not yet
  Time signs_from{};  ///< seen + TTL: from then on nobody remembers that it was not there
  Time activated{};
  Time retired{};
  Time record_until{};  ///< Retired: until then its record must stay
  Time gone{};

  /// The name of its record: "s1._domainkey.example.org".
  std::string record_name() const { return selector + "._domainkey." + domain; }
};

/// Adds keys, published or active as their state says. An active one retires those of the same
/// domain and algorithm, whose records then must stay for `keep`. NotFound (the domain), Exists
/// (the selector; a gone one may be used again), Invalid.
Result<void> add_signing_keys(store::Transaction& tx, std::vector<SigningKey> keys,
                              milliseconds keep);

/// All of a domain, or of all domains, the gone ones too; by domain and selector.
std::vector<SigningKey> list_signing_keys(store::Reader& reader, std::string_view domain = {});
std::optional<SigningKey> find_signing_key(store::Reader& reader, std::string_view domain,
                                           std::string_view selector);

/// What mail whose author is of `author_domain` (A-labels, lower case) is signed with.
struct SigningDomain {
  std::string domain;            ///< the nearest of ours that it is or lies below; empty: none
  std::vector<SigningKey> keys;  ///< its active ones
};
SigningDomain signing_domain(store::Reader& reader, std::string_view author_domain);

/// Steps in a key's life. NotFound; Conflict when the state does not allow it, in words.
/// The DNS shows the record: kept is the first time.
Result<void> note_signing_key_seen(store::Transaction& tx, std::string_view domain,
                                   std::string_view selector, Time now, seconds ttl);
/// From Published (or Retired, to go back): signs from now on, and retires the others of its
/// algorithm.
Result<void> activate_signing_key(store::Transaction& tx, std::string_view domain,
                                  std::string_view selector, Time now, milliseconds keep);
/// From Active.
Result<void> retire_signing_key(store::Transaction& tx, std::string_view domain,
                                std::string_view selector, Time now, milliseconds keep);
enum class Remove { WhenDue, Now };
/// From Published, and from Retired when its record need not stay any more (or Remove::Now).
Result<void> remove_signing_key(store::Transaction& tx, std::string_view domain,
                                std::string_view selector, Time now, Remove when);

}  // namespace hikyaku::auth
