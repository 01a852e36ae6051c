// The real Resolver: libunbound inside the process, recursive or forwarding, validating, with a
// cache.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "dns/resolver.h"

namespace hikyaku::net {
class Cores;
}

namespace hikyaku::unbound {

struct Settings {
  /// Ask these servers; empty: recursive, from the root servers on.
  std::vector<Endpoint> forwarders{};
  /// Validate with DNSSEC. Without it nothing is ever `secure`.
  bool dnssec = true;
  /// What is trusted to begin with, as DS or DNSKEY records in zone-file form; empty: the root keys
  /// that are built in (KSK-2017 and KSK-2024).
  std::vector<std::string> trust_anchors{};
  /// How long one question may take. The search goes on behind, so that the next try may find the
  /// answer in the cache.
  std::chrono::milliseconds timeout{10'000};
  /// Memory for the cache, in bytes.
  std::uint64_t cache = 32 * 1024 * 1024;
  /// Questions under way at once; more are Failed at once.
  std::size_t max_pending = 4096;
};

/// What self_test() found out.
struct SelfTest {
  enum class Result {
    Works,     ///< a signed answer was validated
    Off,       ///< Settings::dnssec is false
    Breaks,    ///< answers come, but without the signatures that must be there
    NoAnswer,  ///< nobody answers
  };
  Result result = Result::NoAnswer;
  std::string problem;  ///< with Breaks and NoAnswer: the resolver's words
};

/// One context of libunbound for the whole process. Its answers arrive on the first of the loops
/// and are posted to the loops that asked. Any thread may make and destroy it; whoever still waits
/// then gets Failed.
class Resolver final : public dns::Resolver {
 public:
  /// Starts on `cores`, which must outlive it. Invalid when a setting is malformed.
  static hikyaku::Result<std::unique_ptr<Resolver>> create(net::Cores& cores, Settings settings);
  ~Resolver() override;

  Task<dns::Answer<dns::Mx>> mx(std::string name) override;
  Task<dns::Answer<IpAddress>> a(std::string name) override;
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override;
  Task<dns::Answer<std::string>> txt(std::string name) override;
  Task<dns::Answer<std::string>> ptr(IpAddress address) override;
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string name) override;
  Task<dns::Answer<dns::Srv>> srv(std::string name) override;
  Task<dns::Answer<std::string>> cname(std::string name) override;

  /// Whoever waits for an answer gets Failed now, and whoever asks from now on at once: the program
  /// ends. From any thread.
  void give_up();

  /// Whether DNSSEC gets through: asks for the keys of the first trust anchor.
  Task<SelfTest> self_test();

  struct Counters {
    std::uint64_t asked = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t refused = 0;  ///< by max_pending
    std::size_t pending = 0;
  };
  Counters counters() const;

 private:
  class Context;
  explicit Resolver(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

}  // namespace hikyaku::unbound
