// Signature: what a DKIM-Signature or ARC-Message-Signature field says (RFC 6376 §3.5, RFC 8617
// §4.1.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "dkim/canonical.h"
#include "dkim/tag_list.h"

namespace hikyaku::dkim {

/// a=: how the signature was made.
enum class Algorithm : std::uint8_t { RsaSha256, RsaSha1, Ed25519Sha256 };
/// "rsa-sha256", "rsa-sha1", "ed25519-sha256".
std::string_view to_string(Algorithm algorithm);
std::optional<Algorithm> parse_algorithm(std::string_view text);
crypto::Hash hash_of(Algorithm algorithm);
/// The algorithm that a key signs with; nullopt for keys that DKIM does not know.
std::optional<Algorithm> algorithm_for(crypto::KeyType type);

/// Which field it stands in: ARC's has i= as the instance, no v=, no l=, and need not sign From.
enum class SignatureField : std::uint8_t { Dkim, ArcMessage };

struct SignatureLimits {
  TagLimits tags;
  std::size_t fields = 500;  ///< names in h=
};

struct Signature {
  Algorithm algorithm = Algorithm::RsaSha256;
  std::string value;      ///< b=, decoded
  std::string body_hash;  ///< bh=, decoded
  Canonicalization header = Canonicalization::Simple;
  Canonicalization body = Canonicalization::Simple;
  bool canonicalization_given = false;  ///< c= is there
  std::string domain;                   ///< d=, as A-labels in lower case
  std::string selector;                 ///< s=, the same
  /// i= with its quoted-printable decoded; "@" d= where it is not given. Empty in ARC.
  std::string identity;
  std::uint32_t instance = 0;                ///< i= in ARC
  std::vector<std::string> fields;           ///< h=, lower case
  std::optional<std::uint64_t> body_length;  ///< l=
  std::optional<Time> signed_at;             ///< t=
  std::optional<Time> expires_at;            ///< x=
  /// z=: fields as the signer saw them (names as written, values decoded). For finding out what was
  /// changed, never to be trusted.
  std::vector<std::pair<std::string, std::string>> copied;

  /// The domain of i=.
  std::string_view identity_domain() const;
};

/// A field that cannot be used, with what can be said of it all the same.
struct UnusableSignature {
  std::string problem;
  std::string domain, selector, algorithm, b_prefix;  ///< as claimed, if they could be read
  /// The field is well-formed, but contradicts itself (§6.1.1), which no later look can mend; else
  /// its syntax is wrong or unknown.
  bool contradiction = false;
};

/// Reads the value of the field.
std::expected<Signature, UnusableSignature> parse_signature(std::string_view value,
                                                            SignatureField field,
                                                            SignatureLimits limits = {});

/// The field with the value of b= taken out, as it stands otherwise (§3.5, b=). Its views point
/// into `storage`.
mime::Field without_signature_value(const mime::Field& field, std::string& storage);

/// Reads a domain name of d=, s= and i=: A-labels or UTF-8; A-labels in lower case, or nullopt.
std::optional<std::string> parse_signature_domain(std::string_view value, std::size_t least_labels);

/// Seconds since 1970 of t= and x=, up to 12 digits (§3.5); nullopt otherwise.
std::optional<Time> parse_signature_time(std::string_view value);

}  // namespace hikyaku::dkim
