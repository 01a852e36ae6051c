// Sealer: adds our set to a message's Authenticated Received Chain (RFC 8617 §5.1).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arc/verifier.h"
#include "base/result.h"
#include "base/time.h"
#include "dkim/signer.h"
#include "mime/authentication_results.h"

namespace hikyaku::arc {

struct SealOptions {
  dkim::SigningKey key;
  Time now{};  ///< t=
  /// h= of the message signature; empty: dkim::names_to_sign() and every DKIM-Signature.
  std::vector<std::string> fields = {};
};

/// One message: make it, feed the body, finish with the header. Everything else that changes the
/// message, a DKIM signature of ours included, comes before.
class Sealer {
 public:
  explicit Sealer(SealOptions options);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;
  ~Sealer();

  void body(std::string_view bytes);

  /// The three fields, each ended by CRLF, to be put in front of the header's
  /// (mime::mbox_lines_length). `chain` is what verifying it found out, `results` what we found out
  /// about the message; the arc result is added where it is missing. Empty when nobody may add a
  /// set (the newest seal says cv=fail already, or there are 50), and when the header begins with a
  /// blank: its first line would continue the last field put in front. Once. Invalid when the key
  /// cannot be used or a name in h= must not be there. Two RSA signatures: 0.6 ms, on a worker
  /// under load.
  Result<std::string> finish(std::string_view header, const Verdict& chain,
                             mime::AuthenticationResults results);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What `authserv_id` says in the Authentication-Results fields of a header, in one: what a seal
/// passes on. The newest field's methods first.
mime::AuthenticationResults collect_results(const dkim::HeaderFields& fields,
                                            std::string_view authserv_id);

}  // namespace hikyaku::arc
