// SPF records: parsing (RFC 7208 §4.5, §4.6.1, §5, §6, §12).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "spf/verdict.h"

namespace hikyaku::spf {

enum class Mechanism : std::uint8_t { All, Include, A, Mx, Ptr, Ip4, Ip6, Exists };
std::string_view to_string(Mechanism mechanism);

/// Whether evaluating it asks the DNS, and so counts against the limit of 10 (§4.6.4).
constexpr bool asks_dns(Mechanism mechanism) {
  return mechanism != Mechanism::All && mechanism != Mechanism::Ip4 && mechanism != Mechanism::Ip6;
}

/// A qualifier and a mechanism.
struct Directive {
  std::string_view text;  ///< as it stands in the record
  Mechanism mechanism = Mechanism::All;
  Result result = Result::Pass;  ///< what the qualifier says: Pass, Fail, SoftFail or Neutral
  std::uint8_t v4_prefix = 32;   ///< of a, mx and ip4
  std::uint8_t v6_prefix = 128;  ///< of a, mx and ip6
  std::array<std::uint8_t, 16> network{};  ///< of ip4 (the first four) and ip6
  std::string_view domain_spec;            ///< empty: the domain itself

  /// For ip4 and ip6: whether the address is in the network.
  bool contains(const IpAddress& address) const;
};

/// A record taken apart. All views point into its text.
struct Record {
  std::vector<Directive> directives;
  bool has_all = false;            ///< then redirect means nothing (§6.1)
  std::string_view redirect;       ///< its domain-spec; empty without
  std::string_view redirect_text;  ///< the whole term
  std::string_view explanation;    ///< exp's domain-spec; empty without
  std::string_view explanation_text;
  std::vector<std::string_view> unknown_modifiers;  ///< whole terms; they mean nothing (§6)
};

/// Whether a TXT record is an SPF record: "v=spf1" in any case, then a space or the end (§4.5).
bool is_record(std::string_view text);

/// Takes an SPF record apart and checks all of it (§4.6). `text` must outlive the result. Invalid
/// with the term, what is wrong with it and where, on one line of printable characters.
hikyaku::Result<Record> parse_record(std::string_view text);

}  // namespace hikyaku::spf
