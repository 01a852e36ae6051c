// Signer: signs a message with all keys of its domain while its body passes by.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"
#include "dkim/canonical.h"
#include "dkim/header_fields.h"

namespace hikyaku::dkim {

struct SigningKey {
  std::string domain;    ///< d=, a domain of at least two labels, in A-labels
  std::string selector;  ///< s=
  crypto::PrivateKey key;
};

struct SignOptions {
  Time now{};  ///< t=
  /// x=: how long the signature is to be valid. Without it there is no x=: mail may wait in queues
  /// for days and be read again after years.
  std::optional<seconds> lifetime = std::nullopt;
  /// Relaxed survives what relays do to space; both are SHOULD to verify (RFC 6376 §3.4).
  Canonicalization header = Canonicalization::Relaxed;
  Canonicalization body = Canonicalization::Relaxed;
  /// The names for h=, as they are to stand there; empty: names_to_sign().
  std::vector<std::string> fields = {};
  /// Without `fields`: the names that names_to_sign() names once more than they are there; empty:
  /// default_oversigned().
  std::vector<std::string> oversigned = {};
};

/// The fields that are shown to the reader or decide about what is shown, and that nobody adds
/// underway.
std::vector<std::string> default_oversigned();

/// What is signed when nobody says otherwise: every field of RFC 6376 §5.4.1 that is there, and one
/// name more than there are fields for those that a reader is shown and no list or relay adds, so
/// that none can be added later (oversigning, RFC 6376 §5.4.2 and §8.15). Sender and List-* are not
/// oversigned: mailing lists add them.
std::vector<std::string> names_to_sign(const HeaderFields& fields,
                                       const std::vector<std::string>& oversigned = {});

/// One message: make it, feed the body, finish with the header. l= is never written: what stands
/// behind it could be changed by anybody.
class Signer {
 public:
  Signer(std::vector<SigningKey> keys, SignOptions options);
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;
  ~Signer();

  /// The next bytes of the body, lines ended by CRLF.
  void body(std::string_view bytes);

  /// The DKIM-Signature fields, each ended by CRLF, to be put in front of the header's
  /// (mime::mbox_lines_length). Those of RSA keys come first: verifiers that stop at what they do
  /// not know meet what they do. Once. Invalid when the header has a HeaderFields::problem, From is
  /// not among the names, or a key, domain or selector cannot be used for DKIM. RSA takes 0.3 ms of
  /// a core: on a worker under load.
  hikyaku::Result<std::string> finish(std::string_view header);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether a message can be signed with this key: RSA of at least 1,024 bits (RFC 8301 §3.2) or
/// Ed25519, a domain and a selector. Invalid with the reason.
hikyaku::Result<void> check_signing_key(const SigningKey& key);

/// The b= value folded for a field: CRLF SP before every line of at most 72 characters.
std::string fold_signature_value(std::string_view base64);

/// The raw signature of `data` by a DKIM key: RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519 over the
/// SHA-256 digest (RFC 8463 §3).
hikyaku::Result<std::string> sign_data(const crypto::PrivateKey& key, std::string_view data);

}  // namespace hikyaku::dkim
