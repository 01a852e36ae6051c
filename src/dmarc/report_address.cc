#include "dmarc/report_address.h"

#include <algorithm>

#include "base/text.h"
#include "dns/name.h"
#include "smtp/path.h"

namespace hikyaku::dmarc {
namespace {

/// RFC 3986 §3.1.
std::size_t scheme_length(std::string_view text) {
  if (text.empty() || !is_ascii_alpha(text.front())) return 0;
  std::size_t i = 1;
  while (i < text.size() &&
         (is_ascii_alnum(text[i]) || text[i] == '+' || text[i] == '-' || text[i] == '.'))
    ++i;
  return i < text.size() && text[i] == ':' ? i : 0;
}

/// RFC 3986 §2.1. nullopt for "%" without two hex digits.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    auto byte = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

/// "!10m" at the end (RFC 7489 §6.4); cut off.
std::optional<std::uint64_t> cut_size_limit(std::string_view& text) {
  auto mark = text.rfind('!');
  if (mark == text.npos) return std::nullopt;
  auto number = trim_space(text.substr(mark + 1));
  text = trim_space(text.substr(0, mark));
  std::uint64_t unit = 1;
  if (!number.empty() && is_ascii_alpha(number.back())) {
    switch (ascii_lower(number.back())) {
      case 'k':
        unit = 1ull << 10;
        break;
      case 'm':
        unit = 1ull << 20;
        break;
      case 'g':
        unit = 1ull << 30;
        break;
      case 't':
        unit = 1ull << 40;
        break;
      default:
        return std::nullopt;
    }
    number.remove_suffix(1);
  }
  auto value = parse_decimal(number, UINT64_MAX / unit);
  if (!value) return std::nullopt;
  return *value * unit;
}

bool is_uri_character(char c) {
  return c > ' ' && c <= '~' && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
}

}  // namespace

std::optional<ReportUri> parse_report_uri(std::string_view piece) {
  ReportUri uri;
  piece = trim_space(piece);
  uri.size_limit = cut_size_limit(piece);
  auto length = scheme_length(piece);
  if (length == 0 || length + 1 == piece.size()) return std::nullopt;
  if (!std::ranges::all_of(piece, is_uri_character)) return std::nullopt;
  uri.text = piece;
  uri.scheme = to_lower(piece.substr(0, length));
  if (uri.scheme != "mailto") return uri;
  // What follows "?" would be header fields (RFC 6068): not ours to set.
  auto address = piece.substr(length + 1);
  auto decoded = percent_decode(address.substr(0, address.find('?')));
  if (!decoded) return std::nullopt;
  auto mailbox =
      smtp::parse_mailbox(*decoded, {.characters = smtp::Characters::Utf8, .limits = {}});
  if (!mailbox || mailbox->literal() || mailbox->needs_utf8()) return std::nullopt;
  uri.mailbox = mailbox->to_string();
  uri.host = mailbox->domain;
  return uri;
}

std::vector<ReportUri> parse_report_uris(std::string_view list, std::size_t limit) {
  std::vector<ReportUri> uris;
  for (std::size_t looked_at = 0; looked_at < limit && !list.empty(); ++looked_at) {
    auto comma = std::min(list.find(','), list.size());
    if (auto uri = parse_report_uri(list.substr(0, comma))) uris.push_back(std::move(*uri));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return uris;
}

std::optional<std::string> authorization_name(std::string_view policy_domain,
                                              std::string_view host) {
  std::string name;
  name.append(policy_domain).append("._report._dmarc.").append(host);
  if (name.size() > dns::kMaxHostName) return std::nullopt;
  return name;
}

namespace {

/// What the records at the authorisation name allow (RFC 9990 §4 steps 5 to 7).
void read_authorization(const std::vector<std::string>& texts, const ReportUri& uri,
                        ReportKind kind, Authorization& result) {
  for (auto& text : texts) {
    auto record = parse_record(text);
    if (!record) continue;
    auto list = kind == ReportKind::Aggregate ? record->rua() : record->ruf();
    if (list.empty()) {
      result.state = Authorization::State::Authorized;
      result.mailboxes = {uri.mailbox};
      return;
    }
    std::vector<std::string> instead;
    for (auto& other : parse_report_uris(list)) {
      if (!other.is_mail()) continue;
      if (other.host != uri.host) {
        result.problem = result.name + " sends the reports on to another host, " + other.host;
        return;
      }
      instead.push_back(other.mailbox);
    }
    if (instead.empty()) {
      result.problem = result.name + " names no address that could be used";
      return;
    }
    result.state = Authorization::State::Authorized;
    result.mailboxes = std::move(instead);
    return;
  }
  result.problem = result.name + " has no DMARC record: " + uri.host + " has not agreed";
}

}  // namespace

Task<Authorization> authorize(dns::Resolver& dns, std::string policy_domain, ReportUri uri,
                              ReportKind kind) {
  Authorization result;
  if (uri.host == policy_domain) {
    result.state = Authorization::State::SameOrganization;
    result.mailboxes = {uri.mailbox};
    co_return result;
  }
  Walker walker(dns);
  auto own = co_await walker.walk(policy_domain);
  auto theirs = co_await walker.walk(uri.host);
  if (own.failed || theirs.failed) {
    result.state = Authorization::State::Unknown;
    result.problem = own.failed ? own.problem : theirs.problem;
    co_return result;
  }
  if (own.organizational_domain() == theirs.organizational_domain()) {
    result.state = Authorization::State::SameOrganization;
    result.mailboxes = {uri.mailbox};
    co_return result;
  }
  auto name = authorization_name(policy_domain, uri.host);
  if (!name) {
    result.problem = "the name under which " + uri.host + " would agree is too long";
    co_return result;
  }
  result.name = *name;
  auto answer = co_await dns.txt(*name);
  if (answer.failed()) {
    result.state = Authorization::State::Unknown;
    result.problem = *name + ": " + answer.problem;
    co_return result;
  }
  read_authorization(answer.records, uri, kind, result);
  co_return result;
}

}  // namespace hikyaku::dmarc
