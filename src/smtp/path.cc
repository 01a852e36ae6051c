#include "smtp/path.h"

#include <algorithm>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::smtp {
namespace {

constexpr std::size_t kMaxLabel = 63;  // RFC 1035 §2.3.4

bool is_atext(char c) {
  constexpr std::string_view kSpecials = "!#$%&'*+-/=?^_`{|}~";
  return is_ascii_alnum(c) || kSpecials.find(c) != std::string_view::npos;
}

bool is_8bit(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

/// qtextSMTP and what a quoted-pairSMTP may quote: printable ASCII and the space.
bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

bool is_dot_string(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.') return false;
  if (text.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(text, [](char c) { return is_atext(c) || c == '.' || is_8bit(c); });
}

/// Local-part = Dot-string / Quoted-string. Takes the quotes and backslashes off.
Result<std::string> parse_local_part(std::string_view text) {
  if (!text.starts_with('"')) {
    if (text.empty()) return fail(ErrorCode::Invalid, "nothing stands before the @");
    if (!is_dot_string(text))
      return fail(ErrorCode::Invalid,
                  "\"{}\" is no local part: use letters, digits and "
                  "!#$%&'*+-/=?^_`{{|}}~, single dots between them, or quote it",
                  printable(text, 80));
    return std::string(text);
  }
  std::string value;
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && ++at == text.size()) break;
    if (!is_printable(text[at]) && !is_8bit(text[at]))
      return fail(ErrorCode::Invalid, "a control character stands in the local part");
    value += text[at];
  }
  if (at >= text.size()) return fail(ErrorCode::Invalid, "the quoted local part has no end");
  if (at + 1 != text.size())
    return fail(ErrorCode::Invalid, "the @ must follow the quoted local part at once");
  return value;
}

/// Where the local part ends: the first @ outside a quoted string. npos if there is none.
std::size_t find_at(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted)
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == '@' && !quoted)
      return i;
  }
  return std::string_view::npos;
}

/// address-literal (RFC 5321 §4.1.3). General-address-literal: no tag is registered, so none is
/// known. "::" for a single group is taken too: RFC 4291 §2.2 allows it, the ABNF of §4.1.3 does
/// not.
Result<std::string> parse_address_literal(std::string_view text) {
  if (!text.ends_with(']')) return fail(ErrorCode::Invalid, "the address literal lacks its ]");
  auto inner = text.substr(1, text.size() - 2);
  bool v6 = istarts_with(inner, "IPv6:");
  if (v6) inner.remove_prefix(5);
  auto address = IpAddress::parse(inner);
  bool looks_v6 = inner.find(':') != std::string_view::npos;
  if (!address || v6 != looks_v6)
    return fail(ErrorCode::Invalid,
                "{} is no address literal: write [192.0.2.1] or [IPv6:2001:db8::1]",
                printable(text, 80));
  return address->to_literal();
}

/// sub-domain = Let-dig [Ldh-str], at most 63 octets; here also UTF-8 (U-labels).
Result<void> check_label(std::string_view label, std::string_view domain) {
  if (label.empty())
    return fail(ErrorCode::Invalid, "the domain {} has an empty label (a dot too many)",
                printable(domain, 80));
  if (label.front() == '-' || label.back() == '-')
    return fail(ErrorCode::Invalid, "the label {} begins or ends with a hyphen",
                printable(label, 80));
  auto allowed = [](char c) { return is_ascii_alnum(c) || c == '-' || is_8bit(c); };
  if (!std::ranges::all_of(label, allowed))
    return fail(ErrorCode::Invalid, "\"{}\" is no domain: use letters, digits, hyphens and dots",
                printable(domain, 80));
  if (is_ascii(label) && label.size() > kMaxLabel)
    return fail(ErrorCode::TooLarge, "a label of the domain is longer than 63 octets");
  return {};
}

Result<void> check_characters(std::string_view text, Characters characters) {
  if (is_ascii(text)) return {};
  if (characters == Characters::AsciiOnly)
    return fail(ErrorCode::Unsupported, "the address is not ASCII: that needs SMTPUTF8");
  if (!is_utf8(text)) return fail(ErrorCode::Invalid, "the address is not UTF-8");
  return {};
}

/// A-d-l = At-domain *( "," At-domain ), then ":". Gives what follows it.
Result<std::string_view> skip_source_route(std::string_view text, Characters characters) {
  while (true) {
    auto end = text.find_first_of(",:");
    if (end == std::string_view::npos)
      return fail(ErrorCode::Invalid, "the source route has no colon and mailbox behind it");
    TRY_DO(parse_domain(text.substr(1, end - 1), characters));
    bool last = text[end] == ':';
    text.remove_prefix(end + 1);
    if (last) return text;
    if (!text.starts_with('@'))
      return fail(ErrorCode::Invalid, "each host of a source route begins with @");
  }
}

/// What stands inside <...>, without the source route.
Result<std::string_view> open_path(std::string_view text, const PathRules& rules) {
  if (text.size() > rules.limits.path)
    return fail(ErrorCode::TooLarge, "the path is longer than {} octets", rules.limits.path);
  if (path_length(text) != text.size() || text.empty())
    return fail(ErrorCode::Invalid, "the address must stand in angle brackets");
  auto inner = text.substr(1, text.size() - 2);
  if (!inner.starts_with('@')) return inner;
  TRY_DO(check_characters(inner, rules.characters));
  return skip_source_route(inner, rules.characters);
}

}  // namespace

std::string quote_local_part(std::string_view local_part) {
  if (is_dot_string(local_part)) return std::string(local_part);
  std::string quoted = "\"";
  for (char c : local_part) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string Mailbox::to_string() const {
  auto local = quote_local_part(local_part);
  return domain.empty() ? local : local + '@' + domain;
}

std::string Mailbox::to_unicode() const {
  auto local = quote_local_part(local_part);
  return domain_as_given.empty() ? to_string() : local + '@' + domain_as_given;
}

std::string Mailbox::canonical() const {
  auto local = quote_local_part(to_lower(local_part));
  return domain.empty() ? local : local + '@' + domain;
}

std::optional<IpAddress> Mailbox::literal() const {
  if (!domain.starts_with('[')) return std::nullopt;
  std::string_view inner(domain);
  inner = inner.substr(1, inner.size() - 2);
  if (inner.starts_with("IPv6:")) inner.remove_prefix(5);
  return IpAddress::parse(inner);
}

bool Mailbox::needs_utf8() const {
  return !is_ascii(local_part);
}

bool Mailbox::written_in_utf8() const {
  return !is_ascii(local_part) || !is_ascii(domain_as_given);
}

bool Mailbox::is_postmaster() const {
  return iequals(local_part, "postmaster");
}

Result<std::string> parse_domain(std::string_view text, Characters characters) {
  TRY_DO(check_characters(text, characters));
  if (text.starts_with('[')) return parse_address_literal(text);
  for (auto label : split(text, '.')) TRY_DO(check_label(label, text));
  // ASCII stays as it is, even what only looks like an A-label: it is for DNS to say no.
  if (is_ascii(text)) return to_lower(text);
  return dns::to_ascii(text);
}

Result<Mailbox> parse_mailbox(std::string_view text, const PathRules& rules) {
  // With its brackets it must fit into a path; this also bounds the work.
  if (text.size() + 2 > rules.limits.path)
    return fail(ErrorCode::TooLarge, "the address is longer than {} octets", rules.limits.path - 2);
  TRY_DO(check_characters(text, rules.characters));
  auto at = find_at(text);
  if (at == std::string_view::npos)
    return fail(ErrorCode::Invalid, "there is no @ in {}", printable(text, 80));
  auto local = text.substr(0, at);
  auto domain = text.substr(at + 1);
  if (local.size() > rules.limits.local_part)
    return fail(ErrorCode::TooLarge, "the local part is longer than {} octets",
                rules.limits.local_part);
  if (domain.empty()) return fail(ErrorCode::Invalid, "nothing stands behind the @");
  Mailbox mailbox;
  TRY(mailbox.local_part, parse_local_part(local));
  TRY(mailbox.domain, parse_domain(domain, rules.characters));
  mailbox.domain_as_given = domain;
  if (std::max(domain.size(), mailbox.domain.size()) > rules.limits.domain)
    return fail(ErrorCode::TooLarge, "the domain is longer than {} octets", rules.limits.domain);
  return mailbox;
}

Result<ReversePath> parse_reverse_path(std::string_view text, const PathRules& rules) {
  if (text == "<>") return ReversePath{};
  TRY(auto inner, open_path(text, rules));
  TRY(auto mailbox, parse_mailbox(inner, rules));
  return ReversePath{std::move(mailbox)};
}

Result<Mailbox> parse_forward_path(std::string_view text, const PathRules& rules) {
  TRY(auto inner, open_path(text, rules));
  if (iequals(inner, "postmaster")) return Mailbox{std::string(inner), "", ""};
  if (inner.empty()) return fail(ErrorCode::Invalid, "a recipient cannot be empty");
  return parse_mailbox(inner, rules);
}

std::size_t path_length(std::string_view text) {
  if (!text.starts_with('<')) return 0;
  bool quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted)
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == '>' && !quoted)
      return i + 1;
  }
  return 0;
}

std::pair<std::string_view, std::string_view> split_detail(std::string_view local_part,
                                                           std::string_view separators) {
  auto at = local_part.find_first_of(separators, 1);
  if (at == std::string_view::npos) return {local_part, {}};
  return {local_part.substr(0, at), local_part.substr(at + 1)};
}

}  // namespace hikyaku::smtp
