#include "config/option_checks.h"

#include "base/text.h"
#include "dns/name.h"
#include "dnsbl/check.h"

namespace hikyaku::config {

static bool is_network(std::string_view text) {
  auto slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address || slash == std::string_view::npos) return address.has_value();
  return parse_decimal(text.substr(slash + 1), address->is_v4() ? 32 : 128).has_value();
}

std::string check_host_name(const Value& value) {
  std::string_view name = std::get<std::string>(value);
  if (name.empty()) return {};
  if (name.size() > 253) return "a host name has at most 253 characters";
  for (auto label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
      return "it is not a host name";
    for (auto c : label)
      if (!is_ascii_alnum(c) && c != '-') return "it is not a host name";
  }
  return {};
}

std::string check_delimiters(const Value& value) {
  for (auto c : std::get<std::string>(value))
    if (!std::string_view("+-_=#").contains(c)) return "the characters may be + - _ = #";
  return {};
}

std::string check_address(const Value& value) {
  std::string_view address = std::get<std::string>(value);
  if (address.empty()) return {};
  auto at = address.rfind('@');
  if (at == 0 || at == std::string_view::npos) return "it is not an address";
  return check_host_name(Value(std::string(address.substr(at + 1))));
}

std::string check_report_address(const Value& value) {
  std::string_view text = std::get<std::string>(value);
  if (text.find('@') != std::string_view::npos) return check_address(value);
  if (text.empty() || text.size() > 64) return "it is neither a local part nor an address";
  for (auto c : text)
    if (!is_ascii_alnum(c) && !std::string_view("-_.+").contains(c))
      return "it is neither a local part nor an address";
  return {};
}

std::string check_sources(const Value& value) {
  int v4 = 0, v6 = 0;
  for (auto& address : std::get<std::vector<IpAddress>>(value)) ++(address.is_v4() ? v4 : v6);
  return v4 > 1 || v6 > 1 ? "at most one IPv4 and one IPv6 address" : "";
}

std::string check_field_names(const Value& value) {
  for (auto& name : std::get<std::vector<std::string>>(value)) {
    if (name.empty() || name.size() > 76) return "it is not the name of a header field";
    for (auto c : name)
      if (!is_ascii_alnum(c) && c != '-') return "it is not the name of a header field";
  }
  return {};
}

std::string check_domains(const Value& value) {
  for (auto& text : std::get<std::vector<std::string>>(value))
    if (is_network(text) || !dns::to_ascii(text)) return "\"" + text + "\" is no domain name";
  return {};
}

std::string check_domains_and_networks(const Value& value) {
  for (auto& text : std::get<std::vector<std::string>>(value))
    if (!is_network(text) && !dns::to_ascii(text))
      return "\"" + text + "\" is no domain name, address or network (192.0.2.0/24)";
  return {};
}

std::string check_blocklists(const Value& value) {
  auto& texts = std::get<std::vector<std::string>>(value);
  if (texts.size() > dnsbl::Limits{}.zones) return "at most 16 lists are asked";
  for (auto& text : texts)
    if (!dnsbl::parse_zone(text))
      return "\"" + text + "\" is neither ZONE nor ZONE=WEIGHT, with a weight from -100 to 100";
  return {};
}

std::string check_not_empty(const Value& value) {
  return std::visit(
      [](auto& list) -> std::string {
        if constexpr (requires { list.empty(); })
          if (list.empty()) return "it must not be empty";
        return {};
      },
      value);
}

}  // namespace hikyaku::config
