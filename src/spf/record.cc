#include "spf/record.h"

#include <algorithm>
#include <optional>

#include "base/suggest.h"
#include "base/text.h"
#include "spf/macro.h"

namespace hikyaku::spf {
namespace {

constexpr std::string_view kVersion = "v=spf1";

struct MechanismName {
  std::string_view name;
  Mechanism mechanism;
};
constexpr MechanismName kMechanisms[] = {
    {"all", Mechanism::All}, {"include", Mechanism::Include}, {"a", Mechanism::A},
    {"mx", Mechanism::Mx},   {"ptr", Mechanism::Ptr},         {"ip4", Mechanism::Ip4},
    {"ip6", Mechanism::Ip6}, {"exists", Mechanism::Exists},
};

bool is_name_character(char c) {
  return is_ascii_alnum(c) || c == '-' || c == '_' || c == '.';
}

std::optional<Result> qualifier_of(char c) {
  switch (c) {
    case '+':
      return Result::Pass;
    case '-':
      return Result::Fail;
    case '~':
      return Result::SoftFail;
    case '?':
      return Result::Neutral;
    default:
      return std::nullopt;
  }
}

/// Reads one record; each function says false after a mistake.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  hikyaku::Result<Record> parse();

 private:
  bool term(std::string_view text);
  bool directive(std::string_view text);
  bool modifier(std::string_view text, std::size_t equals);
  bool once(std::string_view text, std::size_t equals, std::string_view& value,
            std::string_view& whole);
  bool network(Directive& directive, std::string_view argument);
  bool prefixes(Directive& directive, std::string_view& argument);
  bool prefix(std::string_view& argument, std::string_view slashes, unsigned most,
              std::uint8_t& into);
  bool domain_spec(std::string_view text);
  /// `at` points into the record.
  bool wrong(std::string_view at, std::string_view why);
  bool wrong_name(std::string_view name);

  std::string_view text_;
  std::string_view term_;
  Record record_;
  std::optional<Error> error_;
};

hikyaku::Result<Record> Parser::parse() {
  if (!is_record(text_)) return fail(ErrorCode::Invalid, "it does not begin with v=spf1");
  auto rest = text_.substr(kVersion.size());
  record_.directives.reserve(
      std::min<std::size_t>(static_cast<std::size_t>(std::ranges::count(rest, ' ')), 32));
  while (!rest.empty()) {
    auto begin = std::min(rest.find_first_not_of(' '), rest.size());
    rest.remove_prefix(begin);
    if (rest.empty()) break;
    auto end = std::min(rest.find(' '), rest.size());
    if (!term(rest.substr(0, end))) return std::unexpected(std::move(*error_));
    rest.remove_prefix(end);
  }
  return std::move(record_);
}

bool Parser::wrong(std::string_view at, std::string_view why) {
  auto position = static_cast<std::size_t>(at.data() - text_.data()) + 1;
  error_ = Error{
      ErrorCode::Invalid,
      fmt::format("\"{}\", at character {} of the record: {}", printable(term_, 80), position, why),
      nullptr};
  return false;
}

bool Parser::term(std::string_view text) {
  term_ = text;
  auto name_end =
      static_cast<std::size_t>(std::ranges::find_if_not(text, is_name_character) - text.begin());
  if (name_end < text.size() && text[name_end] == '=') return modifier(text, name_end);
  return directive(text);
}

bool Parser::modifier(std::string_view text, std::size_t equals) {
  auto name = text.substr(0, equals);
  if (name.starts_with('-') &&
      (iequals(name.substr(1), "redirect") || iequals(name.substr(1), "exp")))
    return wrong(text, "this is a modifier: it takes an = and no + - ~ ?");
  if (name.empty() || !is_ascii_alpha(name.front()))
    return wrong(text, "the name of a modifier begins with a letter");
  if (iequals(name, "redirect")) return once(text, equals, record_.redirect, record_.redirect_text);
  if (iequals(name, "exp"))
    return once(text, equals, record_.explanation, record_.explanation_text);
  // Its own specification may use every letter.
  auto value = text.substr(equals + 1);
  if (auto problem = check_macro_string(value, MacroLetters::OfExplanations))
    return wrong(value.substr(problem->offset), problem->why);
  record_.unknown_modifiers.push_back(text);
  return true;
}

bool Parser::once(std::string_view text, std::size_t equals, std::string_view& value,
                  std::string_view& whole) {
  if (!whole.empty()) return wrong(text, "this modifier may be there only once");
  whole = text;
  value = text.substr(equals + 1);
  return domain_spec(value);
}

bool Parser::domain_spec(std::string_view text) {
  auto problem = check_domain_spec(text);
  return !problem || wrong(text.substr(problem->offset), problem->why);
}

bool Parser::wrong_name(std::string_view name) {
  if (iequals(name, "redirect") || iequals(name, "exp"))
    return wrong(name, "this is a modifier: it takes an = and no + - ~ ?");
  std::array<std::string_view, std::size(kMechanisms)> names;
  std::ranges::transform(kMechanisms, names.begin(), &MechanismName::name);
  auto meant = iequals(name, "ipv4") ? "ip4" : iequals(name, "ipv6") ? "ip6" : closest(name, names);
  if (!meant.empty())
    return wrong(name, fmt::format("there is no such mechanism (is \"{}\" meant?)", meant));
  return wrong(name, "there is no such mechanism");
}

bool Parser::directive(std::string_view text) {
  Directive directive;
  directive.text = text;
  auto rest = text;
  if (auto qualified = qualifier_of(rest.front())) {
    directive.result = *qualified;
    rest.remove_prefix(1);
  }
  auto name = rest.substr(0, static_cast<std::size_t>(
                                 std::ranges::find_if_not(rest, is_name_character) - rest.begin()));
  auto known = std::ranges::find_if(kMechanisms,
                                    [&](auto& mechanism) { return iequals(mechanism.name, name); });
  if (known == std::end(kMechanisms)) return wrong_name(name);
  directive.mechanism = known->mechanism;
  rest.remove_prefix(name.size());
  bool argument = rest.starts_with(':');
  if (argument) rest.remove_prefix(1);
  bool good = true;
  switch (directive.mechanism) {
    case Mechanism::All:
      record_.has_all = true;
      good = (!argument && rest.empty()) || wrong(rest, "nothing may follow all");
      break;
    case Mechanism::Ip4:
    case Mechanism::Ip6:
      good = argument ? network(directive, rest) : wrong(rest, "an address is missing");
      break;
    case Mechanism::A:
    case Mechanism::Mx:
      good = prefixes(directive, rest);
      break;
    case Mechanism::Include:
    case Mechanism::Exists:
      if (!argument) good = wrong(rest, "a colon and a domain name are missing");
      break;
    case Mechanism::Ptr:
      break;
  }
  if (!good) return false;
  if (asks_dns(directive.mechanism)) {
    if (argument) {
      if (!domain_spec(rest)) return false;
      directive.domain_spec = rest;
    } else if (!rest.empty()) {
      return wrong(rest, "only a colon and a domain name may follow");
    }
  }
  record_.directives.push_back(directive);
  return true;
}

/// Takes SLASHES digits from the end. What has not this form stays.
bool Parser::prefix(std::string_view& argument, std::string_view slashes, unsigned most,
                    std::uint8_t& into) {
  auto digits = argument.size();
  while (digits > 0 && is_ascii_digit(argument[digits - 1])) --digits;
  auto number = argument.substr(digits);
  if (number.empty() || !argument.substr(0, digits).ends_with(slashes)) return true;
  if (number.size() > 1 && number.front() == '0')
    return wrong(number, "the length of a network has no leading zeros");
  auto length = parse_decimal(number, most);
  if (!length)
    return wrong(number,
                 most == 32
                     ? "the length of an IPv4 network is at most 32 (IPv6 has two slashes: //64)"
                     : "the length of an IPv6 network is at most 128");
  into = static_cast<std::uint8_t>(*length);
  argument.remove_suffix(number.size() + slashes.size());
  return true;
}

/// dual-cidr-length (§5.6): /24, //64, /24//64.
bool Parser::prefixes(Directive& directive, std::string_view& argument) {
  return prefix(argument, "//", 128, directive.v6_prefix) &&
         prefix(argument, "/", 32, directive.v4_prefix);
}

bool Parser::network(Directive& directive, std::string_view argument) {
  bool v4 = directive.mechanism == Mechanism::Ip4;
  auto text = argument;
  if (!prefix(text, "/", v4 ? 32 : 128, v4 ? directive.v4_prefix : directive.v6_prefix))
    return false;
  auto address = IpAddress::parse(text);
  if (!address || v4 == text.contains(':'))
    return wrong(argument, v4 ? "this is no IPv4 address, such as 192.0.2.0 or 192.0.2.0/24"
                              : "this is no IPv6 address, such as 2001:db8::1 or 2001:db8::/32");
  auto bytes = address->bytes();
  auto into = directive.network.begin();
  if (!v4 && address->is_v4()) {  // ::ffff:192.0.2.1 as it was written
    directive.network[10] = directive.network[11] = 0xFF;
    into += 12;
  }
  std::ranges::copy(bytes, into);
  return true;
}

}  // namespace

std::string_view to_string(Mechanism mechanism) {
  for (auto& [name, known] : kMechanisms)
    if (known == mechanism) return name;
  return "";
}

bool Directive::contains(const IpAddress& address) const {
  if (address.is_v4() != (mechanism == Mechanism::Ip4)) return false;
  auto bytes = address.bytes();
  unsigned bits = address.is_v4() ? v4_prefix : v6_prefix;
  for (std::size_t i = 0; i < bytes.size() && bits > 0; ++i) {
    auto compared = std::min(bits, 8u);
    auto mask = (0xFF00u >> compared) & 0xFFu;
    if ((static_cast<unsigned char>(bytes[i]) ^ network[i]) & mask) return false;
    bits -= compared;
  }
  return true;
}

bool is_record(std::string_view text) {
  return istarts_with(text, kVersion) &&
         (text.size() == kVersion.size() || text[kVersion.size()] == ' ');
}

hikyaku::Result<Record> parse_record(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace hikyaku::spf
