// Verdict: what DKIM found out about one signature, with its reasons.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dns/resolver.h"

namespace hikyaku::dkim {

/// How the verification of a signature ended: the result names of RFC 8601 §2.7.1.
enum class Result {
  None,       ///< there is no signature
  Pass,       ///< the signature is right, and what it covers is what a reader is shown
  Fail,       ///< the body or the signed header was changed, or the key is another one
  Policy,     ///< right in itself, but not acceptable: SHA-1, a short RSA key (RFC 8301), a key
              ///< in testing (RFC 6376 §3.6.1), or something else is shown than was signed
  Neutral,    ///< signed, but the signature cannot be used: unknown algorithm or version
  TempError,  ///< the key could not be asked for; later it may pass
  PermError,  ///< the signature or its key record is malformed, missing, revoked or expired
};
/// "none", "pass", "fail", "policy", "neutral", "temperror", "permerror".
std::string_view to_string(Result result);

/// One question that was asked for a signature.
struct Lookup {
  std::string name;  ///< "selector._domainkey.example.org"
  dns::Status status = dns::Status::Failed;
  std::chrono::seconds ttl{0};
  bool secure = false;  ///< DNSSEC-validated
};

/// About one DKIM-Signature field. Texts hold what the signature claims, also where it does not
/// pass; they come from strangers: show them with printable().
struct Verdict {
  Result result = Result::None;
  std::string problem;  ///< why it is not Pass, in English for people; empty for Pass

  std::string domain;     ///< d=, lower case; empty when it could not be read
  std::string selector;   ///< s=, lower case
  std::string algorithm;  ///< a=: "rsa-sha256", "ed25519-sha256"
  std::string identity;   ///< i=, or "@" d= where it is not given
  std::string
      b_prefix;  ///< the first 8 characters of b= (header.b, RFC 6008); fewer if it is short

  int key_bits = 0;                        ///< 0: no key was read
  bool testing = false;                    ///< the key record says t=y: the domain tries DKIM out
  bool type_unsigned = false;              ///< there is a Content-Type that is not signed
  bool body_limited = false;               ///< l= left bytes at the body's end unsigned
  std::uint64_t unsigned_bytes = 0;        ///< how many bytes of the canonical body those are
  std::optional<Time> signed_at;           ///< t=
  std::optional<Time> expires_at;          ///< x=
  std::vector<std::string> signed_fields;  ///< h=, lower case, repeats and absent fields included

  std::vector<Lookup> lookups;

  bool passed() const { return result == Result::Pass; }
};

/// The one result for a message: pass if any signature passes, else the one that says most. A
/// temporary error goes before the others, because that signature may still pass. None for no
/// verdicts.
Result best(const std::vector<Verdict>& verdicts);

}  // namespace hikyaku::dkim
