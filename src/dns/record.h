// Resource records: types by name, and the data of those that a mail server asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dns/resolver.h"

namespace hikyaku::dns {

/// The types that we know by name (the IANA registry's numbers).
enum class Type : std::uint16_t {
  A = 1,
  NS = 2,
  CNAME = 5,
  SOA = 6,
  PTR = 12,
  MX = 15,
  TXT = 16,
  AAAA = 28,
  SRV = 33,
  DNAME = 39,
  DS = 43,
  RRSIG = 46,
  NSEC = 47,
  DNSKEY = 48,
  TLSA = 52,
  SPF = 99,
  ANY = 255,
  CAA = 257,
};

/// "MX"; "TYPE1234" for the others (RFC 3597 §5).
std::string to_string(Type type);
/// Reads both forms, any case.
std::optional<Type> parse_type(std::string_view text);

/// One record as it stands in a zone.
struct Record {
  std::string name;  ///< normal
  Type type = Type::A;
  std::uint32_t ttl = 0;
  std::string data;  ///< RDATA in wire form, names uncompressed
};

/// RDATA as values. nullopt when it does not have the form of its type.
std::optional<IpAddress> decode_a(std::string_view data);
std::optional<IpAddress> decode_aaaa(std::string_view data);
std::optional<Mx> decode_mx(std::string_view data);
std::optional<Tlsa> decode_tlsa(std::string_view data);
std::optional<Srv> decode_srv(std::string_view data);
/// All strings of a TXT record joined.
std::optional<std::string> decode_txt(std::string_view data);
/// CNAME, PTR, NS.
std::optional<std::string> decode_name(std::string_view data);

}  // namespace hikyaku::dns
