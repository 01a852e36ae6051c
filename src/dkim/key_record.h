// Key records: what a domain publishes at SELECTOR._domainkey.DOMAIN (RFC 6376 §3.6.1, RFC 8463
// §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/key.h"

namespace hikyaku::dkim {

/// A record that was read. Whether it may be used for a signature is for verify to say.
struct KeyRecord {
  /// nullopt: revoked (an empty p=), or of an unknown type (see `type`).
  std::optional<crypto::PublicKey> key;
  std::string type = "rsa";  ///< k=
  bool revoked = false;      ///< p= is empty
  bool sha1 = true;          ///< h= allows it (the default allows all)
  bool sha256 = true;        ///< the same
  bool for_mail = true;      ///< s= holds "*" or "email"
  bool testing = false;      ///< t=y
  bool strict = false;       ///< t=s: the domain of i= must be d= itself
  std::string notes;         ///< n=
};

/// Reads a TXT record. Invalid, with the reason in words, for a record that must not be used:
/// not a tag list, v= that is not DKIM1 or not first, no p=, or a p= that is no key of its type.
/// Unknown tags, flags, service types and hashes are passed over, as the standard wants it.
hikyaku::Result<KeyRecord> parse_key_record(std::string_view text);

/// The record for a public key: "v=DKIM1; k=rsa; p=…".
std::string write_key_record(const crypto::PublicKey& key);

}  // namespace hikyaku::dkim
