#include "dns/record.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::dns {
namespace {

struct TypeName {
  Type type;
  std::string_view name;
};
constexpr TypeName kTypes[] = {
    {Type::A, "A"},       {Type::NS, "NS"},         {Type::CNAME, "CNAME"}, {Type::SOA, "SOA"},
    {Type::PTR, "PTR"},   {Type::MX, "MX"},         {Type::TXT, "TXT"},     {Type::AAAA, "AAAA"},
    {Type::SRV, "SRV"},   {Type::DNAME, "DNAME"},   {Type::DS, "DS"},       {Type::RRSIG, "RRSIG"},
    {Type::NSEC, "NSEC"}, {Type::DNSKEY, "DNSKEY"}, {Type::TLSA, "TLSA"},   {Type::SPF, "SPF"},
    {Type::ANY, "ANY"},   {Type::CAA, "CAA"},
};

std::uint16_t u16_at(std::string_view data, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(data[at]) << 8 |
                                    static_cast<unsigned char>(data[at + 1]));
}

}  // namespace

std::string to_string(Type type) {
  auto* known = std::ranges::find(kTypes, type, &TypeName::type);
  if (known != std::end(kTypes)) return std::string(known->name);
  return fmt::format("TYPE{}", static_cast<unsigned>(type));
}

std::optional<Type> parse_type(std::string_view text) {
  for (auto& known : kTypes)
    if (iequals(text, known.name)) return known.type;
  if (!istarts_with(text, "TYPE")) return std::nullopt;
  auto number = parse_decimal(text.substr(4), 65535);
  if (!number) return std::nullopt;
  return static_cast<Type>(*number);
}

std::optional<IpAddress> decode_a(std::string_view data) {
  std::array<std::uint8_t, 4> bytes{};
  if (data.size() != bytes.size()) return std::nullopt;
  std::ranges::copy(data, bytes.begin());
  return IpAddress(bytes);
}

std::optional<IpAddress> decode_aaaa(std::string_view data) {
  std::array<std::uint8_t, 16> bytes{};
  if (data.size() != bytes.size()) return std::nullopt;
  std::ranges::copy(data, bytes.begin());
  return IpAddress(bytes);
}

std::optional<Mx> decode_mx(std::string_view data) {
  if (data.size() < 3) return std::nullopt;
  auto exchange = decode_name(data.substr(2));
  if (!exchange) return std::nullopt;
  return Mx{u16_at(data, 0), std::move(*exchange)};
}

std::optional<Srv> decode_srv(std::string_view data) {
  if (data.size() < 7) return std::nullopt;
  auto target = decode_name(data.substr(6));
  if (!target) return std::nullopt;
  return Srv{u16_at(data, 0), u16_at(data, 2), u16_at(data, 4), std::move(*target)};
}

std::optional<Tlsa> decode_tlsa(std::string_view data) {
  if (data.size() < 3) return std::nullopt;
  return Tlsa{static_cast<std::uint8_t>(data[0]), static_cast<std::uint8_t>(data[1]),
              static_cast<std::uint8_t>(data[2]), std::string(data.substr(3))};
}

std::optional<std::string> decode_txt(std::string_view data) {
  std::string text;
  while (!data.empty()) {
    std::size_t length = static_cast<unsigned char>(data.front());
    data.remove_prefix(1);
    if (data.size() < length) return std::nullopt;
    text += data.substr(0, length);
    data.remove_prefix(length);
  }
  return text;
}

std::optional<std::string> decode_name(std::string_view data) {
  std::size_t offset = 0;
  auto name = name_from_wire(data, offset);
  if (!name || offset != data.size()) return std::nullopt;
  return name;
}

}  // namespace hikyaku::dns
