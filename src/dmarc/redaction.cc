#include "dmarc/redaction.h"

#include <algorithm>
#include <array>
#include <iterator>
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

constexpr std::size_t kDigestBytes = 12;       // 96 bits: enough to tell people apart
constexpr std::size_t kFieldBytes = 8192;      // of a field that addresses or tags are taken from
constexpr std::size_t kValueBytes = 1000;      // of a value that is looked through, and so is shown
constexpr std::size_t kSignatureBytes = 2048;  // of a DKIM-Signature: 4,096 bits and a long h=
constexpr std::size_t kProgramBytes = 200;     // of a program's name
constexpr std::size_t kReadings = 8;           // of a text
constexpr std::size_t kFields = 60;
constexpr std::size_t kAddresses = 20;
constexpr std::size_t kRecipients = 100;  // of the fields that name them
constexpr std::size_t kHidden = 10'000;
constexpr std::size_t kNameBytes = 64;  // who has these in common has the same name
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

/// What a text may stand for, itself first; nullopt: too much.
std::optional<std::vector<std::string>> readings_of(std::string_view text) {
  if (text.size() > kValueBytes) return std::nullopt;
  std::vector<std::string> readings{std::string(text)};
  auto add = [&](std::string reading) {
    if (std::ranges::find(readings, reading) == readings.end())
      readings.push_back(std::move(reading));
  };
  add(mime::decode_words(text));
  // Written twice over by a gateway in between, too.
  for (std::size_t i = 0; i < readings.size(); ++i) {
    for (char mark : {'%', '='}) add(decode_hex(readings[i], mark));
    if (readings.size() > kReadings) return std::nullopt;
  }
  return readings;
}

/// Visible ASCII without space: what a field may hold that is shown as it came.
bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= kValueBytes &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// An address, or what may be read as one.
bool holds_address(std::string_view text) {
  auto readings = readings_of(text);
  return !readings || std::ranges::any_of(*readings, [](auto& reading) {
    return reading.find('@') != reading.npos;
  });
}

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [&](auto known) { return iequals(known, name); });
}

std::string digest(std::string_view key, std::string_view text) {
  auto whole = crypto::hmac(crypto::Hash::Sha256, key, text);
  return base64url_encode(std::string_view(whole).substr(0, kDigestBytes));
}

/// What a report shows of fields' values; empty: nothing.
class Shown {
 public:
  Shown(const Redactor& redactor, std::string_view key) : redactor_(redactor), key_(key) {}

  /// Whom the report is for, which must be told.
  std::string author(std::string_view value) const {
    return addresses(value, Redactor::Of::Address);
  }
  std::string others(std::string_view value) const { return addresses(value, Redactor::Of::Any); }
  std::string date(std::string_view value) const {
    auto date = mime::parse_date(value);
    return date ? mime::format_date(date->time, date->offset) : std::string();
  }
  std::string message_id(std::string_view value) const;
  std::string version(std::string_view value) const { return token(value, "."); }
  std::string word(std::string_view value) const { return token(value, "-"); }
  std::string content_type(std::string_view value) const;
  std::string signature(std::string_view value) const;
  std::string list_id(std::string_view value) const;
  std::string program(std::string_view value) const;

 private:
  std::string addresses(std::string_view value, Redactor::Of domain) const;
  std::string token(std::string_view value, std::string_view others) const;

  const Redactor& redactor_;
  std::string_view key_;
};

/// All that goes out of a header. The rest is text for people, or names whom the message is for.
struct ShownField {
  std::string_view name;
  HeaderShown least;  ///< when so much is shown
  std::string (Shown::*how)(std::string_view value) const;
  std::size_t most = 1;  ///< of them
};
constexpr ShownField kShownFields[] = {
    {"from", HeaderShown::Minimal, &Shown::author, 4},
    {"message-id", HeaderShown::Minimal, &Shown::message_id},
    {"date", HeaderShown::Minimal, &Shown::date},
    {"sender", HeaderShown::Redacted, &Shown::others},
    {"reply-to", HeaderShown::Redacted, &Shown::others},
    {"user-agent", HeaderShown::Redacted, &Shown::program},
    {"x-mailer", HeaderShown::Redacted, &Shown::program},
    {"mime-version", HeaderShown::Redacted, &Shown::version},
    {"precedence", HeaderShown::Redacted, &Shown::word},
    {"content-type", HeaderShown::Redacted, &Shown::content_type},
    {"list-id", HeaderShown::Redacted, &Shown::list_id},
    {"dkim-signature", HeaderShown::Redacted, &Shown::signature, 8},
};

/// And of a DKIM-Signature, each once. Not z=, which is a copy of fields.
struct ShownTag {
  enum class As {
    Identity,  ///< an address
    Domain,    ///< without it the signature is of no use
    Token,
    Base64,
  };
  std::string_view name;
  As as;
};
constexpr ShownTag kShownTags[] = {
    {"d", ShownTag::As::Domain},  {"i", ShownTag::As::Identity}, {"v", ShownTag::As::Token},
    {"a", ShownTag::As::Token},   {"c", ShownTag::As::Token},    {"h", ShownTag::As::Token},
    {"q", ShownTag::As::Token},   {"s", ShownTag::As::Token},    {"t", ShownTag::As::Token},
    {"l", ShownTag::As::Token},   {"x", ShownTag::As::Token},    {"b", ShownTag::As::Base64},
    {"bh", ShownTag::As::Base64},
};

/// Addresses of a field, each redacted; names and comments are gone.
std::string Shown::addresses(std::string_view value, Redactor::Of domain) const {
  std::vector<std::string> list;
  for (auto& address : mime::parse_address_list(value, kAddresses))
    if (address.kind == mime::Address::Kind::Mailbox && !address.domain.empty())
      list.push_back(redactor_.address(address.local + '@' + address.domain, domain));
  return join(list, ", ");
}

/// By which its sender finds the message. One that holds an address besides its own form of one is
/// told by a digest.
std::string Shown::message_id(std::string_view value) const {
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
std::string Shown::token(std::string_view value, std::string_view others) const {
  auto word = trim(value);
  word = word.substr(0, word.find_first_of(" \t;("));
  auto fits = [&](char c) { return is_ascii_alnum(c) || others.find(c) != others.npos; };
  if (word.size() > 40 || !std::ranges::all_of(word, fits) || redactor_.names_hidden(word))
    return {};
  return std::string(word);
}

std::string Shown::content_type(std::string_view value) const {
  static constexpr std::string_view kParameters[] = {
      "boundary", "charset", "delsp", "format", "micalg", "protocol", "report-type", "type"};
  auto type = mime::parse_content_type(value);
  if (type.malformed) return {};
  auto shown = type.type + '/' + type.subtype;
  std::vector<std::string_view> seen;
  if (!is_plain(shown) || holds_address(shown) || redactor_.names_hidden(shown)) return {};
  for (auto& [name, text, charset, language, extended] : type.parameters) {
    if (!is_one_of(kParameters, name) || is_one_of(seen, name)) continue;
    seen.push_back(name);
    if (extended || !is_plain(text) || text.size() > 100 ||
        text.find_first_of("\"\\") != text.npos || holds_address(text) ||
        redactor_.names_hidden(text))
      continue;
    auto quote = std::ranges::all_of(text, mime::is_token_char) ? "" : "\"";
    shown += "; " + name + '=' + quote + text + quote;
  }
  return shown;
}

/// The tags that have a fixed form, in their order.
std::string Shown::signature(std::string_view value) const {
  std::vector<std::string> tags;
  std::vector<std::string_view> seen;
  for (auto tag : split(value.substr(0, kSignatureBytes), ';')) {
    auto equals = tag.find('=');
    if (equals == tag.npos) continue;
    auto name = trim(tag.substr(0, equals));
    auto known = std::ranges::find_if(kShownTags,
                                      [&](const ShownTag& one) { return iequals(one.name, name); });
    if (known == std::end(kShownTags) || is_one_of(seen, known->name)) continue;
    seen.push_back(known->name);
    std::string text;
    for (char c : tag.substr(equals + 1))
      if (!is_ascii_space(c) && c != '\r' && c != '\n') text += c;
    std::string_view others = "-._:/";
    switch (known->as) {
      case ShownTag::As::Identity:
        text = redactor_.property("i", text);
        others = "-._:/@";
        break;
      case ShownTag::As::Domain:
        if (redactor_.names_hidden(text, Redactor::Of::Address)) return {};
        break;
      case ShownTag::As::Token:
        if (redactor_.names_hidden(text)) text = "redacted";
        break;
      case ShownTag::As::Base64:
        if (redactor_.names_hidden(text)) continue;
        others = "+/=";
        break;
    }
    auto fits = [&](char c) { return is_ascii_alnum(c) || others.find(c) != others.npos; };
    if (std::ranges::all_of(text, fits)) tags.push_back(std::string(name) + '=' + text);
  }
  return join(tags, "; ");
}

/// What stands in angle brackets; in front of it there is text for people.
std::string Shown::list_id(std::string_view value) const {
  auto open = value.rfind('<');
  auto id = open == value.npos ? trim(value) : value.substr(open + 1);
  id = id.substr(0, id.find('>'));
  auto fits = [](char c) { return is_ascii_alnum(c) || c == '-' || c == '_' || c == '.'; };
  if (id.empty() || id.size() > 255 || !std::ranges::all_of(id, fits) || redactor_.names_hidden(id))
    return {};
  return open == value.npos ? std::string(id) : '<' + std::string(id) + '>';
}

/// Words that could name somebody become "redacted".
std::string Shown::program(std::string_view value) const {
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

}  // namespace

std::string one_line(std::string_view value) {
  std::string out;
  for (char c : value.substr(0, kFieldBytes)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

void Redactor::Names::add(const std::vector<std::string>& words) {
  auto name = join(words, "");
  if (name.size() < kLongEnough) {
    short_.insert(join(words, " ") + ' ');
    return;
  }
  name.resize(std::min(name.size(), kNameBytes));
  auto after = long_.upper_bound(name);
  if (after != long_.begin() && name.starts_with(*std::prev(after))) return;
  while (after != long_.end() && after->starts_with(name)) after = long_.erase(after);
  long_.insert(after, std::move(name));
}

bool Redactor::Names::stand_in(const std::vector<std::string>& words) const {
  auto joined = join(words, "");
  for (std::string_view rest = joined; rest.size() >= kLongEnough; rest.remove_prefix(1)) {
    auto after = long_.upper_bound(rest);
    if (after != long_.begin() && rest.starts_with(*std::prev(after))) return true;
  }
  for (std::size_t first = 0; first < words.size() && !short_.empty(); ++first) {
    std::string some;
    std::size_t letters = 0;
    for (auto i = first; i < words.size(); ++i) {
      letters += words[i].size();
      if (letters >= kLongEnough) break;
      some += words[i] + ' ';
      if (short_.contains(some)) return true;
    }
  }
  return false;
}

void Redactor::add(std::string_view text, Of of) {
  auto words = words_of(text);
  if (words.empty()) return;
  if (any_.size() + address_.size() >= kHidden) {
    too_many_ = true;
    return;
  }
  any_.add(words);
  if (of == Of::Address) address_.add(words);
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
  if (text.empty()) return false;
  auto readings = too_many_ ? std::nullopt : readings_of(text);
  auto& names = of == Of::Address ? address_ : any_;
  return !readings || std::ranges::any_of(*readings, [&](auto& reading) {
    return names.stand_in(words_of(reading));
  });
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
  Shown values(*this, key_);
  mime::HeaderWriter out;
  std::array<std::size_t, std::size(kShownFields)> seen{};
  std::size_t fields = 0;
  for (auto& field : mime::HeaderView(header)) {
    if (field.is_junk()) continue;
    if (++fields > kFields) break;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      auto& known = kShownFields[i];
      if (!field.is(known.name) || shown < known.least || ++seen[i] > known.most) continue;
      auto value = (values.*known.how)(mime::unfold(field.value.substr(0, kFieldBytes)));
      if (!value.empty()) out.structured(field.name, one_line(value));
    }
  }
  return out.take();
}

}  // namespace hikyaku::dmarc
