// The master-file grammar (RFC 1035 §5.1).
#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"
#include "dns/zone.h"

namespace hikyaku::dns {
namespace {

/// One word of an entry.
struct Token {
  std::string text;  ///< with escapes as written, without the quotes
  bool quoted = false;
};

/// One entry: a record or a $ directive; parentheses and comments are gone.
struct Entry {
  std::vector<Token> tokens;
  bool blank_owner = false;  ///< began with a space: the last owner again
};

constexpr std::uint32_t kMaxTtl = 0x7FFFFFFF;  // RFC 2181 §8
constexpr std::size_t kMaxTokens = 4096;       // of one entry

/// "3600", "1h30m", "2w": seconds.
std::optional<std::uint32_t> parse_ttl(std::string_view text) {
  if (text.empty() || !is_ascii_digit(text.front())) return std::nullopt;
  if (auto plain = parse_decimal(text, kMaxTtl)) return static_cast<std::uint32_t>(*plain);
  std::uint64_t total = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    while (digits < text.size() && is_ascii_digit(text[digits])) ++digits;
    auto number = parse_decimal(text.substr(0, digits), kMaxTtl);
    if (!number || digits == text.size()) return std::nullopt;
    std::uint64_t unit = 0;
    switch (ascii_lower(text[digits])) {
      case 's':
        unit = 1;
        break;
      case 'm':
        unit = 60;
        break;
      case 'h':
        unit = 3600;
        break;
      case 'd':
        unit = 86400;
        break;
      case 'w':
        unit = 604800;
        break;
      default:
        return std::nullopt;
    }
    total += *number * unit;
    if (total > kMaxTtl) return std::nullopt;
    text.remove_prefix(digits + 1);
  }
  return static_cast<std::uint32_t>(total);
}

void append_u16(std::string& data, std::uint64_t value) {
  data += static_cast<char>(value >> 8);
  data += static_cast<char>(value);
}

void append_u32(std::string& data, std::uint32_t value) {
  append_u16(data, value >> 16);
  append_u16(data, value & 0xFFFF);
}

/// The bytes of a character-string (RFC 1035 §5.1: \X and \DDD).
Result<std::string> unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (i + 1 < text.size() && !is_ascii_digit(text[i + 1])) {
      bytes += text[++i];
    } else {
      auto value = i + 3 < text.size() ? parse_decimal(text.substr(i + 1, 3), 255) : std::nullopt;
      if (!value)
        return fail(ErrorCode::Invalid,
                    "bad escape: \\ needs a character or three digits up to 255");
      bytes += static_cast<char>(*value);
      i += 3;
    }
  }
  return bytes;
}

/// Cuts the text into entries.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  /// The next entry that has tokens; nullopt at the end. `directive` gets every ;! comment.
  template <class Directive>
  Result<std::optional<Entry>> next(Directive directive) {
    while (!left_.empty()) {
      Entry entry;
      entry.blank_owner = is_ascii_space(left_.front());
      line_ = next_line_;
      int depth = 0;
      bool fresh = true;  // nothing of this entry seen yet
      while (true) {
        if (left_.empty()) {
          if (depth > 0) return fail(ErrorCode::Invalid, "a parenthesis is not closed");
          break;
        }
        char c = left_.front();
        if (c == '\n') {
          advance(1);
          if (depth == 0) break;
        } else if (c == ';') {
          auto comment = left_.substr(0, left_.find('\n'));
          if (fresh && comment.starts_with(";!")) TRY_DO(directive(comment.substr(2)));
          advance(comment.size());
        } else if (is_ascii_space(c) || c == '\r') {
          advance(1);
        } else if (c == '(' || c == ')') {
          depth += c == '(' ? 1 : -1;
          if (depth < 0 || depth > 1)
            return fail(ErrorCode::Invalid, "the parentheses do not match");
          advance(1);
        } else {
          fresh = false;
          if (entry.tokens.size() >= kMaxTokens)
            return fail(ErrorCode::TooLarge, "more than {} words in one record", kMaxTokens);
          TRY(auto token, take_token());
          entry.tokens.push_back(std::move(token));
        }
      }
      if (!entry.tokens.empty()) return entry;
    }
    return std::nullopt;
  }

  /// The line the entry began on.
  int line() const { return line_; }

 private:
  void advance(std::size_t count) {
    next_line_ += static_cast<int>(std::ranges::count(left_.substr(0, count), '\n'));
    left_.remove_prefix(count);
  }

  Result<Token> take_token() {
    Token token;
    token.quoted = left_.front() == '"';
    std::size_t i = token.quoted ? 1 : 0;
    for (; i < left_.size(); ++i) {
      char c = left_[i];
      if (c == '\n' || (!token.quoted && (is_ascii_space(c) || c == '\r' || c == ';' || c == '(' ||
                                          c == ')' || c == '"')))
        break;
      if (token.quoted && c == '"') break;
      if (c == '\\' && i + 1 < left_.size() && left_[i + 1] != '\n') token.text += left_[i++];
      token.text += left_[i];
    }
    if (token.quoted) {
      if (i >= left_.size() || left_[i] != '"')
        return fail(ErrorCode::Invalid, "a quoted string does not end on its line");
      ++i;
    }
    advance(i);
    return token;
  }

  std::string_view left_;
  int line_ = 1;
  int next_line_ = 1;
};

/// Reads entries into a Zone.
class ZoneParser {
 public:
  ZoneParser(Zone& zone, const Zone::Limits& limits) : zone_(zone), limits_(limits) {}

  Result<> entry(Entry entry);
  Result<> directive(std::string_view text);

 private:
  Result<> control(const Entry& entry);
  Result<std::string> name(std::string_view text) const;
  Result<std::uint16_t> number(std::string_view text, std::uint64_t max) const;

  /// The words after the type, taken one after another.
  struct Words {
    std::vector<Token>& tokens;
    std::size_t at;
    bool done() const { return at >= tokens.size(); }
    Result<std::string> take(std::string_view what) {
      if (done()) return fail(ErrorCode::Invalid, "{} is missing", what);
      return tokens[at++].text;
    }
  };
  Result<std::string> data(Type type, Words& words) const;
  Result<std::string> generic_data(Words& words) const;
  Result<std::string> strings(Words& words) const;
  Result<std::string> soa(Words& words) const;
  Result<std::string> numbers_and_name(int numbers, Words& words) const;
  Result<std::string> tlsa(Words& words) const;
  Result<std::string> caa(Words& words) const;
  Result<std::string> hex(Words& words) const;

  Zone& zone_;
  const Zone::Limits& limits_;
  std::string origin_;
  std::optional<std::string> owner_;
  std::optional<std::uint32_t> default_ttl_;
  std::optional<std::uint32_t> last_ttl_;
};

Result<std::string> ZoneParser::name(std::string_view text) const {
  if (text == "@") return origin_;
  // A dot at the end makes it absolute, unless a backslash stands before it that is no escaped
  // backslash.
  auto backslashes = std::size_t{0};
  if (text.ends_with('.'))
    while (backslashes + 1 < text.size() && text[text.size() - 2 - backslashes] == '\\')
      ++backslashes;
  bool absolute = text.ends_with('.') && backslashes % 2 == 0;
  auto normal = absolute || origin_.empty() ? normal_name(text)
                                            : normal_name(std::string(text) + "." + origin_);
  if (!normal || text.empty())
    return fail(ErrorCode::Invalid, "{:?} is no domain name", printable(text, 100));
  return *normal;
}

Result<std::uint16_t> ZoneParser::number(std::string_view text, std::uint64_t max) const {
  auto value = parse_decimal(text, max);
  if (!value)
    return fail(ErrorCode::Invalid, "{:?} is no number up to {}", printable(text, 40), max);
  return static_cast<std::uint16_t>(*value);
}

Result<> ZoneParser::directive(std::string_view text) {
  std::vector<std::string_view> words;
  for (auto word : split(trim(text), ' '))
    if (auto clean = trim(word); !clean.empty()) words.push_back(clean);
  bool timeout = !words.empty() && iequals(words[0], "TIMEOUT");
  bool servfail = !words.empty() && iequals(words[0], "SERVFAIL");
  if (!timeout && !servfail)
    return fail(ErrorCode::Invalid,
                ";! begins a directive: \";!SERVFAIL NAME [TYPE]\" or \";!TIMEOUT NAME [TYPE]\"");
  if (words.size() < 2 || words.size() > 3)
    return fail(ErrorCode::Invalid, ";!{} needs a name, and perhaps a type", words[0]);
  TRY(auto owner, name(words[1]));
  std::optional<Type> type;
  if (words.size() == 3) {
    type = parse_type(words[2]);
    if (!type) return fail(ErrorCode::Invalid, "unknown record type {:?}", printable(words[2], 40));
  }
  zone_.fail_lookups(std::move(owner), type, timeout);
  return {};
}

Result<> ZoneParser::control(const Entry& entry) {
  auto& word = entry.tokens[0].text;
  if (iequals(word, "$ORIGIN") && entry.tokens.size() == 2) {
    TRY(origin_, name(entry.tokens[1].text));
    return {};
  }
  if (iequals(word, "$TTL") && entry.tokens.size() == 2) {
    default_ttl_ = parse_ttl(entry.tokens[1].text);
    if (!default_ttl_) return fail(ErrorCode::Invalid, "$TTL needs a time such as 3600 or 1h");
    return {};
  }
  if (iequals(word, "$ORIGIN") || iequals(word, "$TTL"))
    return fail(ErrorCode::Invalid, "{} needs one value", word);
  return fail(ErrorCode::Unsupported, "{} is not supported; $ORIGIN and $TTL are",
              printable(word, 40));
}

Result<> ZoneParser::entry(Entry entry) {
  auto& tokens = entry.tokens;
  if (!entry.blank_owner && !tokens[0].quoted && tokens[0].text.starts_with('$'))
    return control(entry);
  std::size_t at = 0;
  if (!entry.blank_owner) {
    TRY(owner_, name(tokens[at++].text));
  }
  if (!owner_) return fail(ErrorCode::Invalid, "the first record needs a name in its first column");
  std::optional<std::uint32_t> ttl;
  std::optional<Type> type;
  for (; at < tokens.size() && !type; ++at) {
    auto& word = tokens[at].text;
    if (iequals(word, "IN")) continue;
    if (iequals(word, "CH") || iequals(word, "HS") || iequals(word, "CS"))
      return fail(ErrorCode::Unsupported, "class {} is not supported, only IN", word);
    if (auto time = ttl ? std::nullopt : parse_ttl(word)) {
      ttl = time;
      continue;
    }
    type = parse_type(word);
    if (!type || *type == Type::ANY)
      return fail(ErrorCode::Invalid,
                  "unknown record type {:?}; write types without a name of their own as "
                  "TYPE1234 \\# LENGTH HEX (RFC 3597)",
                  printable(word, 40));
  }
  if (!type) return fail(ErrorCode::Invalid, "the record type is missing");
  if (ttl) last_ttl_ = ttl;
  Words words{tokens, at};
  auto rdata = data(*type, words);
  if (!rdata) return wrap(std::move(rdata).error(), "{} record", to_string(*type));
  if (!words.done())
    return fail(ErrorCode::Invalid, "{} record: {:?} is one word too many", to_string(*type),
                printable(words.tokens[words.at].text, 40));
  if (zone_.size() >= limits_.records)
    return fail(ErrorCode::TooLarge, "more than {} records", limits_.records);
  auto default_ttl = default_ttl_ ? *default_ttl_ : last_ttl_.value_or(Zone::kDefaultTtl);
  return zone_.add({*owner_, *type, ttl.value_or(default_ttl), std::move(*rdata)});
}

Result<std::string> ZoneParser::data(Type type, Words& words) const {
  if (!words.done() && !words.tokens[words.at].quoted && words.tokens[words.at].text == "\\#")
    return generic_data(words);
  switch (type) {
    case Type::A:
    case Type::AAAA: {
      TRY(auto text, words.take("the address"));
      auto address = IpAddress::parse(text);
      if (!address || address->is_v4() != (type == Type::A))
        return fail(ErrorCode::Invalid, "{:?} is no IPv{} address", printable(text, 60),
                    type == Type::A ? 4 : 6);
      return std::string(address->bytes());
    }
    case Type::NS:
    case Type::CNAME:
    case Type::PTR:
      return numbers_and_name(0, words);
    case Type::MX:
      return numbers_and_name(1, words);
    case Type::SRV:
      return numbers_and_name(3, words);
    case Type::TXT:
    case Type::SPF:
      return strings(words);
    case Type::SOA:
      return soa(words);
    case Type::TLSA:
      return tlsa(words);
    case Type::CAA:
      return caa(words);
    default:
      return fail(ErrorCode::Unsupported, "write its data as \\# LENGTH HEX (RFC 3597)");
  }
}

Result<std::string> ZoneParser::numbers_and_name(int numbers, Words& words) const {
  std::string bytes;
  for (int i = 0; i < numbers; ++i) {
    TRY(auto text, words.take("a number"));
    TRY(auto value, number(text, 65535));
    append_u16(bytes, value);
  }
  TRY(auto text, words.take("the name"));
  TRY(auto target, name(text));
  return bytes + name_to_wire(target);
}

Result<std::string> ZoneParser::strings(Words& words) const {
  std::string bytes;
  if (words.done()) return fail(ErrorCode::Invalid, "the text is missing");
  while (!words.done()) {
    TRY(auto text, words.take("the text"));
    TRY(auto string, unescape(text));
    if (string.size() > 255)
      return fail(ErrorCode::TooLarge,
                  "a string of {} bytes is longer than 255; write it as several quoted strings",
                  string.size());
    bytes += static_cast<char>(string.size());
    bytes += string;
  }
  if (bytes.size() > 65535) return fail(ErrorCode::TooLarge, "the text is longer than 65535 bytes");
  return bytes;
}

Result<std::string> ZoneParser::soa(Words& words) const {
  std::string bytes;
  for (auto* what : {"the primary server", "the mail address"}) {
    TRY(auto text, words.take(what));
    TRY(auto target, name(text));
    bytes += name_to_wire(target);
  }
  TRY(auto serial, words.take("the serial number"));
  auto serial_number = parse_decimal(serial, 0xFFFFFFFF);
  if (!serial_number)
    return fail(ErrorCode::Invalid, "{:?} is no serial number", printable(serial, 40));
  append_u32(bytes, static_cast<std::uint32_t>(*serial_number));
  for (auto* what : {"refresh", "retry", "expire", "minimum"}) {
    TRY(auto text, words.take(what));
    auto time = parse_ttl(text);
    if (!time) return fail(ErrorCode::Invalid, "{:?} is no time ({})", printable(text, 40), what);
    append_u32(bytes, *time);
  }
  return bytes;
}

Result<std::string> ZoneParser::hex(Words& words) const {
  std::string digits;
  while (!words.done()) {
    TRY(auto piece, words.take("hexadecimal digits"));
    digits += piece;
  }
  auto bytes = from_hex(digits);
  if (!bytes) return fail(ErrorCode::Invalid, "{:?} is not hexadecimal", printable(digits, 80));
  return *bytes;
}

Result<std::string> ZoneParser::tlsa(Words& words) const {
  std::string bytes;
  for (auto* what : {"the usage", "the selector", "the matching type"}) {
    TRY(auto text, words.take(what));
    TRY(auto value, number(text, 255));
    bytes += static_cast<char>(value);
  }
  if (words.done()) return fail(ErrorCode::Invalid, "the certificate data is missing");
  TRY(auto association, hex(words));
  return bytes + association;
}

/// RFC 8659 §4.1.
Result<std::string> ZoneParser::caa(Words& words) const {
  std::string bytes;
  TRY(auto flags_text, words.take("the flags"));
  TRY(auto flags, number(flags_text, 255));
  TRY(auto tag, words.take("the tag"));
  TRY(auto value_text, words.take("the value"));
  TRY(auto value, unescape(value_text));
  if (tag.empty() || tag.size() > 255 || !std::ranges::all_of(tag, is_ascii_alnum))
    return fail(ErrorCode::Invalid, "{:?} is no tag", printable(tag, 40));
  bytes += static_cast<char>(flags);
  bytes += static_cast<char>(tag.size());
  return bytes + tag + value;
}

/// RFC 3597 §5.
Result<std::string> ZoneParser::generic_data(Words& words) const {
  ++words.at;
  TRY(auto length_text, words.take("the length"));
  TRY(auto length, number(length_text, 65535));
  TRY(auto bytes, hex(words));
  if (bytes.size() != length)
    return fail(ErrorCode::Invalid, "\\# says {} bytes, but {} follow", length, bytes.size());
  return bytes;
}

}  // namespace

Result<Zone> Zone::parse(std::string_view text, std::string_view file, const Limits& limits) {
  if (text.size() > limits.bytes)
    return fail(ErrorCode::TooLarge, "{} is larger than {} bytes", file, limits.bytes);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Zone zone;
  ZoneParser parser(zone, limits);
  Scanner scanner(text);
  auto at_line = [&](const Error& error) {
    return fail(error.code, "{}:{}: {}", file, scanner.line(), error.describe());
  };
  while (true) {
    auto entry = scanner.next([&](std::string_view words) { return parser.directive(words); });
    if (!entry) return at_line(entry.error());
    if (!*entry) return zone;
    if (auto added = parser.entry(std::move(**entry)); !added) return at_line(added.error());
  }
}

}  // namespace hikyaku::dns
