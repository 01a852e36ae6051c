// Zone: DNS data from a master file (RFC 1035 §5), and what the DNS would answer from it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "dns/record.h"

namespace hikyaku::dns {

/// What one question finds.
struct Lookup {
  Status status = Status::NoName;
  std::vector<Record> chain;    ///< the CNAME records followed
  std::vector<Record> records;  ///< of the type asked for, at `name`
  std::string name;             ///< where the CNAMEs led; the name asked for without any
  std::uint32_t ttl = 0;        ///< smallest of all, also of negative answers
  std::string problem;          ///< when status is Failed
  bool timed_out = false;       ///< Failed by ;!TIMEOUT: a server would not answer at all
  /// The zone says nothing about `name` (it may exist elsewhere). status is NoName then.
  bool outside = false;
};

/// The records of any number of zones, never changed once built. Names are looked up as RFC 1034
/// §4.3.2 and RFC 4592 say: CNAMEs, wildcards, empty non-terminals. Delegations are not followed:
/// what is in the file is the truth.
class Zone {
 public:
  struct Limits {
    std::size_t bytes = 64 * 1024 * 1024;  ///< of the file
    std::size_t records = 1'000'000;
  };
  static constexpr std::uint32_t kDefaultTtl = 300;  ///< where neither file nor SOA says
  static constexpr int kMaxChain = 16;               ///< CNAMEs in a row; more is a loop

  Zone() = default;

  /// Reads master-file text: $ORIGIN, $TTL, parentheses, quoted strings, \DDD, relative names,
  /// blank owners, TTLs such as 1h30m; types A AAAA CAA CNAME MX NS PTR SOA SPF SRV TLSA TXT, and
  /// any type in the form of RFC 3597 (TYPE48 \# 4 01020304). Class IN only; no $INCLUDE. Two
  /// directives for tests are comments to others: `;!SERVFAIL NAME [TYPE]` and `;!TIMEOUT NAME
  /// [TYPE]` make questions for that name (and type) fail. The error is "FILE:LINE: what".
  static Result<Zone> parse(std::string_view text, std::string_view file, const Limits& limits);
  static Result<Zone> parse(std::string_view text, std::string_view file = "zone") {
    return parse(text, file, Limits{});
  }
  /// The same from a file.
  static Result<Zone> read(const std::string& path);

  /// Answers a question. `name` in any form; one that is no name does not exist.
  Lookup find(std::string_view name, Type type) const;

  /// Adds one record (normal name). Invalid for a CNAME beside other data (RFC 1034 §3.6.2) and the
  /// other way round. A record that is there already is not added again.
  Result<> add(Record record);
  /// Makes questions for the name fail, for one type or all.
  void fail_lookups(std::string name, std::optional<Type> type, bool timeout);

  std::size_t size() const { return size_; }
  std::vector<Record> records() const;

 private:
  struct Failure {
    std::optional<Type> type;
    bool timeout = false;
  };
  struct Node {
    std::vector<Record> records;
    std::vector<Failure> failures;
  };

  const Node* node(std::string_view name) const;
  /// The node that answers for `name`: its own, or the wildcard's. Null when it does not exist.
  const Node* match(std::string_view name, bool& own) const;
  /// True when this file decides about `name`, even that it does not exist.
  bool is_ours(std::string_view name) const;
  std::uint32_t negative_ttl(std::string_view name) const;
  Node& make_node(std::string_view name);

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, Node, Hash, std::equal_to<>> nodes_;
  std::set<std::string, std::less<>> apexes_;  ///< owners of SOA records
  std::size_t size_ = 0;
};

}  // namespace hikyaku::dns
