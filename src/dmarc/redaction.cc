#include "dmarc/redaction.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/base64.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "mime/address.h"
#include "mime/compose.h"
#include "mime/date.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "mime/parameter.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kDigestBytes = 12;    // 96 bits: enough to tell people apart
constexpr std::size_t kFieldBytes = 8192;   // of a field that addresses or tags are taken from
constexpr std::size_t kValueBytes = 1000;   // of a value that is looked through
constexpr std::size_t kProgramBytes = 200;  // of a program's name
constexpr std::size_t kFields = 60;
constexpr std::size_t kSignatures = 8;
constexpr std::size_t kAddresses = 20;
constexpr std::size_t kRecipients = 100;  // of the fields that name them
constexpr std::size_t kHidden = 10'000;
constexpr std::size_t kLongEnough = 6;  // to be recognised inside of other words
constexpr std::string_view kNoDomain = "redacted.invalid";

/// Letters and digits, those of UTF-8 among them.
bool is_word_char(char c) {
  return is_ascii_alnum(c) || static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (char c : text) {
    if (is_word_char(c)) {
      word += ascii_lower(c);
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

/// Every `mark` with two hexadecimal digits as the byte that they stand for.
std::string decode_hex(std::string_view text, char mark) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto byte =
        text[i] == mark && i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    out += byte ? byte->front() : text[i];
    if (byte) i += 2;
  }
  return out;
}

/// What a text may stand for, itself first.
std::vector<std::string> readings_of(std::string_view text) {
  std::vector<std::string> readings{std::string(text)};
  auto add = [&](std::string reading) {
    if (std::ranges::find(readings, reading) == readings.end())
      readings.push_back(std::move(reading));
  };
  add(mime::decode_words(text));
  // Written twice over by a gateway in between, too.
  for (std::size_t i = 0; i < readings.size() && readings.size() < 12; ++i)
    for (char mark : {'%', '='}) add(decode_hex(readings[i], mark));
  return readings;
}

/// Visible ASCII without space: what a field may hold that is shown as it came.
bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= kValueBytes &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// An address, or what may be read as one.
bool holds_address(std::string_view text) {
  return std::ranges::any_of(readings_of(text),
                             [](auto& reading) { return reading.find('@') != reading.npos; });
}

/// Characters that would end a field become "?".
std::string one_line(std::string_view value) {
  std::string out;
  for (char c : value.substr(0, kFieldBytes)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [&](auto known) { return iequals(known, name); });
}

std::string digest(std::string_view key, std::string_view text) {
  auto whole = crypto::hmac(crypto::Hash::Sha256, key, text);
  return base64url_encode(std::string_view(whole).substr(0, kDigestBytes));
}

/// Writes the fields that a report shows.
class ShownHeader {
 public:
  ShownHeader(const Redactor& redactor, std::string_view key) : redactor_(redactor), key_(key) {}

  void add(const mime::Field& field, HeaderShown shown);
  std::string take() { return writer_.take(); }

 private:
  void write(std::string_view name, std::string_view value) {
    if (!value.empty()) writer_.structured(name, one_line(value));
  }
  std::string addresses(std::string_view value, Redactor::Of domain) const;
  std::string message_id(std::string_view value) const;
  std::string content_type(std::string_view value) const;
  std::string signature(std::string_view value) const;
  std::string list_id(std::string_view value) const;
  std::string program(std::string_view value) const;
  std::string token(std::string_view value, std::string_view others) const;

  const Redactor& redactor_;
  std::string_view key_;
  mime::HeaderWriter writer_;
  std::size_t signatures_ = 0;
};

/// Addresses of a field, each redacted; names and comments are gone.
std::string ShownHeader::addresses(std::string_view value, Redactor::Of domain) const {
  std::vector<std::string> list;
  for (auto& address : mime::parse_address_list(value, kAddresses))
    if (address.kind == mime::Address::Kind::Mailbox && !address.domain.empty())
      list.push_back(redactor_.address(address.local + '@' + address.domain, domain));
  return join(list, ", ");
}

/// By which its sender finds the message. One that holds an address besides its own form of one is
/// told by a digest.
std::string ShownHeader::message_id(std::string_view value) const {
  auto open = value.find('<');
  auto id = open == value.npos ? trim(value) : value.substr(open + 1);
  id = id.substr(0, id.find('>'));
  if (!is_plain(id)) return {};
  auto left = id.substr(0, id.rfind('@'));
  if (holds_address(left) || redactor_.names_hidden(id))
    return '<' + digest(key_, id) + '@' + std::string(kNoDomain) + '>';
  return '<' + std::string(id) + '>';
}

/// The first word, of letters, digits and `others`.
std::string ShownHeader::token(std::string_view value, std::string_view others) const {
  auto word = trim(value);
  word = word.substr(0, word.find_first_of(" \t;("));
  auto fits = [&](char c) { return is_ascii_alnum(c) || others.find(c) != others.npos; };
  if (word.size() > 40 || !std::ranges::all_of(word, fits) || redactor_.names_hidden(word))
    return {};
  return std::string(word);
}

std::string ShownHeader::content_type(std::string_view value) const {
  static constexpr std::string_view kParameters[] = {
      "boundary", "charset", "delsp", "format", "micalg", "protocol", "report-type", "type"};
  auto type = mime::parse_content_type(value);
  if (type.malformed) return {};
  auto shown = type.type + '/' + type.subtype;
  if (!is_plain(shown) || holds_address(shown) || redactor_.names_hidden(shown)) return {};
  for (auto& [name, text, charset, language, extended] : type.parameters) {
    if (!is_one_of(kParameters, name) || extended || !is_plain(text) || text.size() > 100 ||
        text.find_first_of("\"\\") != text.npos || holds_address(text) ||
        redactor_.names_hidden(text))
      continue;
    auto quote = std::ranges::all_of(text, mime::is_token_char) ? "" : "\"";
    shown += "; " + name + '=' + quote + text + quote;
  }
  return shown;
}

/// The tags whose form is known, without the local part of i=. z= holds copies of other fields.
std::string ShownHeader::signature(std::string_view value) const {
  static constexpr std::string_view kDomains[] = {"d"};
  static constexpr std::string_view kTokens[] = {"v", "a", "c", "h", "q", "s", "t", "l", "x"};
  static constexpr std::string_view kBase64[] = {"b", "bh"};
  std::vector<std::string> tags;
  for (auto tag : split(value, ';')) {
    auto equals = tag.find('=');
    if (equals == tag.npos) continue;
    auto name = trim(tag.substr(0, equals));
    std::string text;
    for (char c : tag.substr(equals + 1))
      if (!is_ascii_space(c) && c != '\r' && c != '\n') text += c;
    if (iequals(name, "i")) {
      text = redactor_.property(name, text);
    } else if (is_one_of(kDomains, name)) {
      if (redactor_.names_hidden(text, Redactor::Of::Address)) return {};
    } else if (is_one_of(kTokens, name)) {
      if (redactor_.names_hidden(text)) text = "redacted";
    } else if (!is_one_of(kBase64, name)) {
      continue;
    }
    auto is_base64 = is_one_of(kBase64, name);
    auto fits = [&](char c) {
      return is_ascii_alnum(c) ||
             std::string_view(is_base64 ? "+/=" : "-._:/@").find(c) != std::string_view::npos;
    };
    if (std::ranges::all_of(text, fits) && (iequals(name, "i") || text.find('@') == text.npos))
      tags.push_back(std::string(name) + '=' + text);
  }
  return join(tags, "; ");
}

/// What stands in angle brackets; in front of it there is text for people.
std::string ShownHeader::list_id(std::string_view value) const {
  auto open = value.rfind('<');
  auto id = open == value.npos ? trim(value) : value.substr(open + 1);
  id = id.substr(0, id.find('>'));
  auto fits = [](char c) { return is_ascii_alnum(c) || c == '-' || c == '_' || c == '.'; };
  if (id.empty() || id.size() > 255 || !std::ranges::all_of(id, fits) || redactor_.names_hidden(id))
    return {};
  return open == value.npos ? std::string(id) : '<' + std::string(id) + '>';
}

/// Words that could name somebody become "redacted".
std::string ShownHeader::program(std::string_view value) const {
  std::vector<std::string> words;
  for (auto word : split(value.substr(0, kProgramBytes), ' ')) {
    if (word.empty()) continue;
    auto kept = is_plain(word) && word.find("=?") == word.npos && !holds_address(word) &&
                !redactor_.names_hidden(word);
    words.emplace_back(kept ? word : "redacted");
  }
  auto shown = join(words, " ");
  return redactor_.names_hidden(shown) ? std::string() : shown;
}

void ShownHeader::add(const mime::Field& field, HeaderShown shown) {
  static constexpr std::string_view kOthers[] = {"sender", "reply-to"};
  static constexpr std::string_view kPrograms[] = {"user-agent", "x-mailer"};
  auto value = mime::unfold(field.value.substr(0, kFieldBytes));
  auto name = field.name;
  // The author's domain is whom the report is for.
  if (field.is("from")) return write(name, addresses(value, Redactor::Of::Address));
  if (field.is("message-id")) return write(name, message_id(value));
  if (field.is("date")) {
    if (auto date = mime::parse_date(value)) writer_.date(name, date->time, date->offset);
    return;
  }
  if (shown == HeaderShown::Minimal) return;
  if (is_one_of(kOthers, name)) return write(name, addresses(value, Redactor::Of::Any));
  if (is_one_of(kPrograms, name)) return write(name, program(value));
  if (field.is("mime-version")) return write(name, token(value, "."));
  if (field.is("precedence")) return write(name, token(value, "-"));
  if (field.is("content-type")) return write(name, content_type(value));
  if (field.is("list-id")) return write(name, list_id(value));
  if (field.is("dkim-signature") && signatures_++ < kSignatures) write(name, signature(value));
}

}  // namespace

void Redactor::add(std::string_view text, Of of) {
  auto words = words_of(text);
  if (words.empty() || hidden_.size() >= kHidden) return;
  auto joined = join(words, "");
  auto same = [&](const Hidden& one) { return one.of == of && one.words == words; };
  if (hidden_.size() < 200 && std::ranges::any_of(hidden_, same)) return;
  hidden_.push_back({std::move(words), std::move(joined), of});
}

void Redactor::hide(std::string_view address, std::string_view display_name) {
  auto at = address.rfind('@');
  auto local = address.substr(0, at);
  auto domain = at == address.npos ? std::string_view() : address.substr(at + 1);
  // Without what the sender of one message was told to add, too.
  for (auto who : {local, local.substr(0, local.find('+'))}) {
    add(who, Of::Any);
    if (domain.empty()) continue;
    for (auto between : {" ", " at "})
      add(std::string(who) + between + std::string(domain), Of::Address);
    if (who.find('+') == who.npos) break;
  }
  if (words_of(display_name).size() > 1) add(display_name, Of::Any);
}

void Redactor::hide_recipients(std::string_view header) {
  static constexpr std::string_view kRecipientFields[] = {"to",
                                                          "cc",
                                                          "bcc",
                                                          "delivered-to",
                                                          "x-original-to",
                                                          "envelope-to",
                                                          "x-rcpt-to",
                                                          "resent-to",
                                                          "resent-cc",
                                                          "apparently-to",
                                                          "resent-bcc",
                                                          "x-envelope-to",
                                                          "original-to",
                                                          "x-to",
                                                          "x-forwarded-to"};
  std::size_t left = kRecipients;
  for (auto& field : mime::HeaderView(header)) {
    if (field.is_junk() || !is_one_of(kRecipientFields, field.name)) continue;
    auto value = mime::unfold(field.value.substr(0, kFieldBytes));
    for (auto& address : mime::parse_address_list(value, left)) {
      if (address.kind != mime::Address::Kind::Mailbox) continue;
      hide(address.local + '@' + address.domain, address.display_name());
      if (--left == 0) return;
    }
  }
}

bool Redactor::names_hidden(std::string_view text, Of of) const {
  for (auto& reading : readings_of(text.substr(0, kValueBytes))) {
    auto words = words_of(reading);
    auto joined = join(words, "");
    for (auto& one : hidden_) {
      if (of == Of::Address && one.of != Of::Address) continue;
      if (joined.find(one.joined) == joined.npos) continue;
      if (one.joined.size() >= kLongEnough) return true;
      if (!std::ranges::search(words, one.words).empty()) return true;
    }
  }
  return false;
}

std::string Redactor::address(std::string_view address, Of domain) const {
  auto at = address.rfind('@');
  if (at == address.npos || at == 0) return {};
  auto shown = digest(key_, to_lower(address.substr(0, at))) + '@';
  auto host = address.substr(at + 1);
  return shown + (names_hidden(host, domain) ? std::string(kNoDomain) : one_line(host));
}

std::string Redactor::property(std::string_view name, std::string_view value) const {
  static constexpr std::string_view kDomains[] = {"from", "d", "i", "mailfrom"};
  auto of = is_one_of(kDomains, name) ? Of::Address : Of::Any;
  auto at = value.rfind('@');
  if (at != value.npos && at > 0) return address(value, of);
  return names_hidden(value, of) ? std::string("redacted") : std::string(value);
}

std::string Redactor::header(std::string_view header, HeaderShown shown) const {
  ShownHeader out(*this, key_);
  std::size_t fields = 0;
  for (auto& field : mime::HeaderView(header))
    if (!field.is_junk() && ++fields <= kFields) out.add(field, shown);
  return out.take();
}

}  // namespace hikyaku::dmarc
