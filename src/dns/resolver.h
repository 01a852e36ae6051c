// Resolver: the questions that a mail server asks of the DNS. unbound/ answers them from the net,
// ZoneResolver from a zone file, FakeResolver (tests) from maps.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/task.h"

namespace hikyaku::dns {

/// How a lookup ended. The difference between the three without records decides between bounce, "no
/// policy" and retry.
enum class Status {
  Ok,        ///< there are records
  NoName,    ///< NXDOMAIN: the name does not exist (nor anything below it)
  NoRecord,  ///< the name exists, but has no record of this type
  Failed,    ///< could not be found out: SERVFAIL, time-out, refused. Try later.
  Bogus,     ///< DNSSEC validation failed. Treat as Failed; say why.
};
std::string_view to_string(Status status);

struct Mx {
  std::uint16_t preference = 0;
  std::string exchange;  ///< lower case, no final dot; "" is the null MX (RFC 7505)
  auto operator<=>(const Mx&) const = default;
};

/// Where a service is (RFC 2782).
struct Srv {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;  ///< lower case, no final dot; "" says that there is no such service
  auto operator<=>(const Srv&) const = default;
};

struct Tlsa {
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching_type = 0;
  std::string data;  ///< bytes
  auto operator<=>(const Tlsa&) const = default;
};

template <class Record>
struct Answer {
  Status status = Status::Failed;
  std::vector<Record> records;  ///< empty unless status is Ok
  std::chrono::seconds ttl{0};  ///< smallest of the answer, also of negative ones
  bool secure = false;          ///< DNSSEC-validated (the AD bit)
  std::string name;     ///< the canonical name when CNAMEs were followed, else the name asked for
  std::string problem;  ///< for people, when Failed or Bogus

  bool ok() const { return status == Status::Ok; }
  /// Does not exist, for certain (as far as the DNS goes).
  bool absent() const { return status == Status::NoName || status == Status::NoRecord; }
  bool failed() const { return status == Status::Failed || status == Status::Bogus; }
};

/// Names are ASCII (A-labels), any case, with or without the final dot. Every lookup follows
/// CNAMEs, ends by itself within the resolver's own time limit, and never throws. May be used from
/// any event loop; answers arrive on it.
class Resolver {
 public:
  virtual ~Resolver() = default;

  virtual Task<Answer<Mx>> mx(std::string name) = 0;
  virtual Task<Answer<IpAddress>> a(std::string name) = 0;
  virtual Task<Answer<IpAddress>> aaaa(std::string name) = 0;
  /// Each record's strings joined without a space (RFC 7208 §3.3).
  virtual Task<Answer<std::string>> txt(std::string name) = 0;
  /// Host names, lower case, no final dot.
  virtual Task<Answer<std::string>> ptr(IpAddress address) = 0;
  virtual Task<Answer<Tlsa>> tlsa(std::string name) = 0;
  virtual Task<Answer<Srv>> srv(std::string name) = 0;
  /// The target of the name's own CNAME record, not followed.
  virtual Task<Answer<std::string>> cname(std::string name) = 0;
};

}  // namespace hikyaku::dns
