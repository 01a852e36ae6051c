// A DNS server for tests: answers from a Zone on 127.0.0.1 by UDP and TCP, and signs if told to.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "base/ip.h"
#include "dns/zone.h"

namespace hikyaku::unbound {

/// One thread; begins and ends with the object. Answers are made on the fly, also their signatures
/// (ECDSA P-256, RFC 6605) and the proofs that something does not exist (one NSEC record, RFC
/// 9824).
class DnsServer {
 public:
  /// How the server's signatures are.
  enum class Signing { None, Good, Wrong, Stripped };

  /// Signs everything at and below `apex`, if one is given (normal form).
  explicit DnsServer(dns::Zone zone, std::string apex = "");
  ~DnsServer();

  Endpoint endpoint() const { return endpoint_; }
  void set_signing(Signing signing) { signing_ = signing; }
  /// The DNSKEY record of the signed zone, for Settings::trust_anchors.
  std::string trust_anchor() const;
  int questions() const { return questions_; }
  int tcp_questions() const { return tcp_questions_; }

 private:
  struct Question;
  struct Key;
  void run();
  std::string answer(std::string_view message, bool tcp);
  void add_set(std::string& section, std::uint16_t& count, const std::vector<dns::Record>& records,
               bool with_signature);
  std::string signature(const std::vector<dns::Record>& records);
  dns::Record denial(const std::string& name) const;
  void serve_tcp(int listening);

  dns::Zone zone_;
  Endpoint endpoint_;
  int udp_ = -1;
  int tcp_ = -1;
  int wake_[2] = {-1, -1};
  std::string apex_;
  std::unique_ptr<Key> key_;
  std::atomic<Signing> signing_{Signing::None};
  std::atomic<int> questions_{0};
  std::atomic<int> tcp_questions_{0};
  std::thread thread_;
};

}  // namespace hikyaku::unbound
