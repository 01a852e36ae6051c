// Verifier: checks the DKIM signatures of one message while its body passes by.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "base/time.h"
#include "dkim/signature.h"
#include "dkim/verdict.h"
#include "dns/resolver.h"

namespace hikyaku::dkim {

class KeyCache;

struct VerifyOptions {
  /// The time that x= is compared with.
  Time now{};
  /// How many signatures are looked at. Mailing lists and forwarders make three or four; each costs
  /// a lookup and 20 µs. Of more, those go first that can speak for one of `authors`; else the top.
  std::size_t signatures = 8;
  /// The domains that a reader is shown (A-labels in lower case).
  std::vector<std::string> authors = {};
  /// After so many lookups that failed no further one is made, so that a signature on dead name
  /// servers does not hold the message up eight times.
  std::size_t failed_lookups = 2;
  SignatureLimits limits{};
  /// Decoded keys; may be null. Must outlive the verifier.
  KeyCache* keys = nullptr;
};

/// One message: make it with the header, feed the body, ask for the verdicts.
///
/// A signature that is right in itself does not pass where what it covers is not what a reader is
/// shown: HeaderFields::problem, bytes behind l=, a second unsigned Subject and the like give
/// Policy.
class Verifier {
 public:
  /// `header` with the empty line that ends it (mime::header_length), lines ended by CRLF.
  Verifier(std::string header, VerifyOptions options);
  Verifier(Verifier&&) noexcept;
  Verifier& operator=(Verifier&&) noexcept;
  ~Verifier();

  /// True if there is something to verify; else the body need not be fed.
  bool has_signatures() const;
  /// Signatures beyond VerifyOptions::signatures, which get no verdict.
  std::size_t ignored() const;
  /// Those among them that may be by one of VerifyOptions::authors, or by who signs for it.
  std::size_t ignored_of_authors() const;

  /// The next bytes of the body.
  void body(std::string_view bytes);

  /// The verdicts, one for each signature looked at, from the top. Once, after the last byte. Asks
  /// for at most one TXT record for each. The resolver and this must outlive the task.
  Task<std::vector<Verdict>> finish(dns::Resolver& resolver);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hikyaku::dkim
