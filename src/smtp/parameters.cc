#include "smtp/parameters.h"

#include <array>
#include <fmt/core.h>

#include "base/text.h"
#include "smtp/replies.h"

namespace hikyaku::smtp {
namespace {

constexpr std::size_t kMaxEnvid = 100;      // RFC 3461 §4.4
constexpr std::size_t kMaxOrcpt = 500;      // RFC 3461 §4.2
constexpr std::size_t kMaxParameters = 32;  // far more than exist

/// Sets one parameter; the reply if it is not known or wrong.
template <class Parameters>
using Setter = std::optional<Reply> (*)(Parameters&, std::string_view name,
                                        std::optional<std::string_view> value);

std::optional<int> hex_digit(char c) {
  if (is_ascii_digit(c)) return c - '0';
  c = ascii_upper(c);
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

void append_utf8(std::string& text, std::uint32_t point) {
  auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

/// EmbeddedUnicodeChar = "\x{" HEXPOINT "}" (RFC 6533 §3), here at the front of `text`.
std::optional<std::uint32_t> take_embedded(std::string_view& text) {
  if (!text.starts_with("\\x{")) return std::nullopt;
  auto end = text.find('}');
  if (end == std::string_view::npos || end < 5 || end > 9) return std::nullopt;
  std::uint32_t point = 0;
  for (char c : text.substr(3, end - 3)) {
    auto digit = hex_digit(c);
    if (!digit) return std::nullopt;
    point = point << 4 | static_cast<std::uint32_t>(*digit);
  }
  if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return std::nullopt;
  text.remove_prefix(end + 1);
  return point;
}

/// The address of a utf-8 ORCPT: utf-8-addr-xtext or utf-8-addr-unitext.
std::optional<std::string> decode_utf8_address(std::string_view text) {
  std::string address;
  while (!text.empty()) {
    if (text.front() == '\\') {
      auto point = take_embedded(text);
      if (!point) return std::nullopt;
      append_utf8(address, *point);
      continue;
    }
    auto byte = static_cast<unsigned char>(text.front());
    auto plus = text.front() == '+' ? decode_xtext(text.substr(0, 3)) : std::nullopt;
    if (plus) {
      address += *plus;
      text.remove_prefix(3);
      continue;
    }
    if (byte <= ' ' || byte == 0x7F) return std::nullopt;
    address += text.front();
    text.remove_prefix(1);
  }
  if (!is_utf8(address)) return std::nullopt;
  return address;
}

bool has_control(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  return false;
}

std::optional<Reply> set_size(MailParameters& parameters, std::optional<std::string_view> value) {
  if (parameters.size) return replies::repeated_parameter("SIZE");
  // size-value = 1*20DIGIT: what exceeds 64 bits is too large for anybody.
  auto digits = value && !value->empty() && value->size() <= 20 &&
                value->find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits) return replies::bad_parameter("SIZE", "SIZE=octets");
  parameters.size = parse_decimal(*value).value_or(UINT64_MAX);
  return std::nullopt;
}

std::optional<Reply> set_body(MailParameters& parameters, std::optional<std::string_view> value) {
  if (parameters.body) return replies::repeated_parameter("BODY");
  for (auto body : {Body::SevenBit, Body::EightBitMime, Body::BinaryMime})
    if (value && iequals(*value, to_string(body))) parameters.body = body;
  if (!parameters.body) return replies::bad_parameter("BODY", "BODY=7BIT or BODY=8BITMIME");
  return std::nullopt;
}

std::optional<Reply> set_auth(MailParameters& parameters, std::optional<std::string_view> value) {
  if (parameters.auth) return replies::repeated_parameter("AUTH");
  if (value == "<>") {
    parameters.auth = "<>";
    return std::nullopt;
  }
  if (value) parameters.auth = decode_xtext(*value);
  if (!parameters.auth || parameters.auth->empty() || has_control(*parameters.auth))
    return replies::bad_parameter("AUTH", "AUTH=<> or AUTH=address");
  return std::nullopt;
}

std::optional<Reply> set_ret(MailParameters& parameters, std::optional<std::string_view> value) {
  if (parameters.ret) return replies::repeated_parameter("RET");
  if (value && iequals(*value, "FULL")) parameters.ret = Return::Full;
  if (value && iequals(*value, "HDRS")) parameters.ret = Return::Headers;
  if (!parameters.ret) return replies::bad_parameter("RET", "RET=FULL or RET=HDRS");
  return std::nullopt;
}

std::optional<Reply> set_envid(MailParameters& parameters, std::optional<std::string_view> value) {
  if (parameters.envid) return replies::repeated_parameter("ENVID");
  auto decoded =
      value && value->size() <= kMaxEnvid ? decode_xtext(*value) : std::optional<std::string>{};
  if (decoded) parameters.envid = check_envid(*decoded);
  if (!parameters.envid) return replies::bad_parameter("ENVID", "at most 100 characters of xtext");
  return std::nullopt;
}

std::optional<Reply> set_mail(MailParameters& parameters, std::string_view name,
                              std::optional<std::string_view> value) {
  if (iequals(name, "SIZE")) return set_size(parameters, value);
  if (iequals(name, "BODY")) return set_body(parameters, value);
  if (iequals(name, "AUTH")) return set_auth(parameters, value);
  if (iequals(name, "RET")) return set_ret(parameters, value);
  if (iequals(name, "ENVID")) return set_envid(parameters, value);
  if (!iequals(name, "SMTPUTF8")) return replies::unknown_parameter(name, "MAIL FROM");
  if (value) return replies::bad_parameter("SMTPUTF8", "it without a value");
  if (parameters.smtputf8) return replies::repeated_parameter("SMTPUTF8");
  parameters.smtputf8 = true;
  return std::nullopt;
}

std::optional<Reply> set_rcpt(RcptParameters& parameters, std::string_view name,
                              std::optional<std::string_view> value) {
  if (iequals(name, "NOTIFY")) {
    if (parameters.notify) return replies::repeated_parameter("NOTIFY");
    if (value) parameters.notify = parse_notify(*value);
    if (!parameters.notify)
      return replies::bad_parameter("NOTIFY",
                                    "NOTIFY=NEVER or a list such as NOTIFY=SUCCESS,FAILURE,DELAY");
    return std::nullopt;
  }
  if (!iequals(name, "ORCPT")) return replies::unknown_parameter(name, "RCPT TO");
  if (parameters.orcpt) return replies::repeated_parameter("ORCPT");
  if (value && value->size() <= kMaxOrcpt) parameters.orcpt = parse_orcpt(*value);
  if (!parameters.orcpt) return replies::bad_parameter("ORCPT", "ORCPT=rfc822;address in xtext");
  return std::nullopt;
}

bool is_keyword(std::string_view name) {
  if (name.empty() || !is_ascii_alnum(name.front())) return false;
  for (char c : name)
    if (!is_ascii_alnum(c) && c != '-') return false;
  return true;
}

template <class Parameters>
std::expected<Parameters, Reply> parse_parameters(std::string_view text, std::string_view command,
                                                  Setter<Parameters> set) {
  Parameters parameters;
  std::size_t count = 0;
  for (text = trim_space(text); !text.empty(); text = trim_space(text)) {
    auto word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    auto equals = word.find('=');
    auto name = word.substr(0, equals);
    if (!is_keyword(name) || ++count > kMaxParameters)
      return std::unexpected(replies::unknown_parameter(name, command));
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) value = word.substr(equals + 1);
    if (auto refusal = set(parameters, name, value)) return std::unexpected(*std::move(refusal));
  }
  return parameters;
}

}  // namespace

std::expected<MailParameters, Reply> parse_mail_parameters(std::string_view text) {
  return parse_parameters<MailParameters>(text, "MAIL FROM", set_mail);
}

std::expected<RcptParameters, Reply> parse_rcpt_parameters(std::string_view text) {
  return parse_parameters<RcptParameters>(text, "RCPT TO", set_rcpt);
}

std::optional<Notify> parse_notify(std::string_view value) {
  if (iequals(value, "NEVER")) return Notify{};
  Notify notify;
  for (auto word : split(value, ',')) {
    if (iequals(word, "SUCCESS"))
      notify.success = true;
    else if (iequals(word, "FAILURE"))
      notify.failure = true;
    else if (iequals(word, "DELAY"))
      notify.delay = true;
    else
      return std::nullopt;
  }
  return notify;
}

std::optional<std::string> check_envid(std::string_view text) {
  // It becomes a header field of bounces.
  if (text.empty() || has_control(text) || !is_ascii(text)) return std::nullopt;
  if (encode_xtext(text).size() > kMaxEnvid) return std::nullopt;
  return std::string(text);
}

std::string to_string(const Notify& notify) {
  std::vector<std::string> words;
  if (notify.success) words.emplace_back("SUCCESS");
  if (notify.failure) words.emplace_back("FAILURE");
  if (notify.delay) words.emplace_back("DELAY");
  return words.empty() ? "NEVER" : join(words, ",");
}

std::optional<OriginalRecipient> parse_orcpt(std::string_view value) {
  auto semicolon = value.find(';');
  if (semicolon == std::string_view::npos || !is_keyword(value.substr(0, semicolon)))
    return std::nullopt;
  OriginalRecipient orcpt{std::string(value.substr(0, semicolon)), ""};
  auto text = value.substr(semicolon + 1);
  auto utf8 = iequals(orcpt.type, "utf-8");
  auto address = utf8 ? decode_utf8_address(text) : decode_xtext(text);
  if (!address || address->empty() || has_control(*address)) return std::nullopt;
  if (!utf8 && !is_ascii(*address)) return std::nullopt;
  orcpt.address = *std::move(address);
  return orcpt;
}

std::string format_orcpt(const OriginalRecipient& orcpt, bool utf8) {
  std::string text = orcpt.type + ';';
  if (!iequals(orcpt.type, "utf-8")) return text + encode_xtext(orcpt.address);
  std::string_view left = orcpt.address;
  while (!left.empty()) {
    auto byte = static_cast<unsigned char>(left.front());
    auto length = byte < 0x80 ? 1u : byte < 0xE0 ? 2u : byte < 0xF0 ? 3u : 4u;
    auto character = left.substr(0, length);
    left.remove_prefix(character.size());
    bool special = byte <= ' ' || byte == '\\' || byte == '+' || byte == '=' || byte == 0x7F;
    if (!special && (utf8 || byte < 0x80)) {
      text += character;
      continue;
    }
    std::uint32_t point = length == 1 ? byte : byte & (0x7Fu >> length);
    for (char c : character.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3F);
    text += fmt::format("\\x{{{:02X}}}", point);
  }
  return text;
}

std::optional<std::string> decode_xtext(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c < '!' || c > '~' || c == '=') return std::nullopt;
    if (c != '+') {
      decoded += c;
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    auto high = hex_digit(text[i + 1]);
    auto low = hex_digit(text[i + 2]);
    auto small = [](char digit) { return digit >= 'a'; };  // upper case alone is xtext
    if (!high || !low || small(text[i + 1]) || small(text[i + 2])) return std::nullopt;
    decoded += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  return decoded;
}

std::string encode_xtext(std::string_view text) {
  std::string encoded;
  for (char c : text) {
    if (c >= '!' && c <= '~' && c != '+' && c != '=')
      encoded += c;
    else
      encoded += fmt::format("+{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

}  // namespace hikyaku::smtp
