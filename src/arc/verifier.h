// Verifier: checks the Authenticated Received Chain of one message while its body passes by.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "base/time.h"
#include "dkim/keys.h"
#include "dkim/verdict.h"
#include "dns/resolver.h"
#include "mime/authentication_results.h"

namespace hikyaku::arc {

/// Who sealed, and what it had found out about the message.
struct Hop {
  std::uint32_t instance = 0;
  std::string domain;    ///< d= of the seal
  std::string selector;  ///< s= of the seal
  std::optional<Time> signed_at;
  /// Its ARC-Authentication-Results; nullopt when they cannot be read. Worth as much as the hop is
  /// trusted, and only in a chain that passes.
  std::optional<mime::AuthenticationResults> results;
};

/// None, Pass or Fail: every failure is for good, those of the DNS too (RFC 8617 §5.2.1).
struct Verdict {
  dkim::Result result = dkim::Result::None;
  std::string problem;    ///< why it is Fail, in English for people
  std::vector<Hop> hops;  ///< the newest first; empty when the chain's structure is broken
  /// What a signature over this header does not make up for: HeaderFields::problem. The chain may
  /// pass all the same; nobody should be trusted about the author of such a message.
  std::string header_problem;
  std::vector<dkim::Lookup> lookups;

  bool passed() const { return result == dkim::Result::Pass; }
};

struct VerifyOptions {
  Time now{};                      ///< for the keys' lifetime
  dkim::KeyCache* keys = nullptr;  ///< decoded keys; may be null, must outlive the verifier
};

/// One message: make it with the header, feed the body, ask for the verdict. At most 51 lookups, in
/// a chain of 50 sealers; the first failure ends it.
class Verifier {
 public:
  /// `header` with or without the empty line that ends it, lines ended by CRLF.
  Verifier(std::string header, VerifyOptions options);
  Verifier(Verifier&&) noexcept;
  Verifier& operator=(Verifier&&) noexcept;
  ~Verifier();

  /// True if there is something to verify; else the body need not be fed.
  bool has_chain() const;
  void body(std::string_view bytes);
  /// Once, after the last byte. The resolver and this must outlive the task.
  Task<Verdict> finish(dns::Resolver& resolver);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hikyaku::arc
