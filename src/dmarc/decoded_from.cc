#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "dmarc/decoded_from_internal.h"
#include "dns/name.h"
#include "mime/address.h"
#include "mime/charset.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "mime/transfer.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kMostSigns = 200;      // "@" that are looked at
constexpr std::size_t kMostAddresses = 100;  // distinct ones that are kept
constexpr std::size_t kMostWords = 100;      // encoded ones; each costs a converter or two
constexpr std::size_t kMostBetween = 200;    // bytes of blanks and comments inside of an address
/// "=?charset?encoding?text?=" as the most lenient programs take it: any charset, any text up to
/// the first "?=", a further "=?" too, wherever it stands.
struct Word {
  std::string_view charset;
  bool base64 = false;
  std::string_view text;
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::optional<Word> next_word(std::string_view text, std::size_t from) {
  constexpr std::size_t kCharset = 100;
  for (auto at = text.find("=?", from); at != text.npos; at = text.find("=?", at + 2)) {
    auto mark = text.substr(0, at + 2 + kCharset).find('?', at + 2);
    if (mark == text.npos || mark + 2 >= text.size() || text[mark + 2] != '?') continue;
    auto encoding = ascii_lower(text[mark + 1]);
    if (encoding != 'b' && encoding != 'q') continue;
    auto end = text.find("?=", mark + 3);
    if (end == text.npos) return std::nullopt;  // none ends behind here
    return Word{text.substr(at + 2, mark - at - 2), encoding == 'b',
                text.substr(mark + 3, end - mark - 3), at, end + 2};
  }
  return std::nullopt;
}

std::string bytes_of(const Word& word) {
  std::string bytes;
  if (word.base64) {
    mime::Base64Decoder decoder;
    decoder.feed(word.text, bytes);
    decoder.finish(bytes);
    return bytes;
  }
  for (std::size_t i = 0; i < word.text.size(); ++i) {
    auto code = word.text[i] == '=' ? from_hex(word.text.substr(i + 1, 2)) : std::nullopt;
    if (code && code->size() == 1) {
      bytes += *code;
      i += 2;
    } else {
      bytes += word.text[i] == '_' ? ' ' : word.text[i];
    }
  }
  return bytes;
}

std::string_view label_of(const Word& word) {
  return word.charset.substr(0, word.charset.find('*'));  // RFC 2231 §5
}

/// Whether what we read in it is what others read, as far as ASCII goes. Programs know charsets
/// that we do not: in EBCDIC "|" is "@". Labels that mean "somebody's" are taken for ASCII by
/// everybody.
bool is_clear(std::string_view label, bool known) {
  static constexpr std::array<std::string_view, 10> kNobodys = {
      "x-unknown", "unknown", "default", "iso-8859", "iso8859",
      "windows-",  "cp125",   "ascii",   "us-ascii", "8bit"};
  return label.empty() || known ||
         std::ranges::any_of(kNobodys, [&](auto known) { return istarts_with(label, known); });
}

void controls_to_spaces(std::string& text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
}

/// Each word decoded by itself; mime::decode_words joins those of one charset, as most do.
struct Taken {
  std::string decoded;
  std::string around;  ///< what stands outside of the words
  bool clear = true;
  bool too_many = false;  ///< the rest is left as it is
};

Taken take_words(std::string_view text) {
  Taken taken;
  std::size_t plain = 0;
  std::size_t words = 0;
  for (auto word = next_word(text, 0); word; word = next_word(text, word->end)) {
    if (words == kMostWords) {
      taken.too_many = true;
      break;
    }
    auto between = text.substr(plain, word->begin - plain);
    taken.around += between;
    // RFC 2047 §6.2: white space between encoded words is not shown.
    if (words++ == 0 || !trim(between).empty()) taken.decoded += between;
    auto shown = mime::decode_charset(bytes_of(*word), label_of(*word));
    taken.decoded += shown.text;
    taken.clear = taken.clear && is_clear(label_of(*word), shown.known_label);
    plain = word->end;
  }
  taken.around += text.substr(plain);
  taken.decoded += text.substr(plain);
  return taken;
}

/// Characters that make, hide or uncover an address.
std::ptrdiff_t count_marks(std::string_view text) {
  return std::ranges::count_if(
      text, [](char c) { return std::string_view("@\"\\()<>").find(c) != std::string_view::npos; });
}

bool is_domain_character(char c) {
  return is_ascii_alnum(c) || c == '-' || c == '.' || c == '_' || (c & 0x80) != 0;
}

/// Over what may stand between the parts of an address: blanks and comments (RFC 5322 §4.4), and
/// quotes, which lenient programs drop.
void skip_between(std::string_view text, std::size_t& at) {
  auto most = std::min(text.size(), at + kMostBetween);
  while (at < most) {
    char c = text[at];
    if (c == '(') {
      auto end = text.substr(0, most).find(')', at);
      if (end == text.npos) return;
      at = end + 1;
    } else if (is_ascii_space(c) || c == '"' || c == '\\') {
      ++at;
    } else {
      return;
    }
  }
}

/// What stands behind an "@", blanks and comments around its dots left out.
std::string domain_behind(std::string_view text, std::size_t at) {
  std::string name;
  skip_between(text, at);
  while (name.size() <= dns::kMaxHostName && at < text.size() && is_domain_character(text[at])) {
    while (at < text.size() && name.size() <= dns::kMaxHostName && is_domain_character(text[at]))
      name += text[at++];
    skip_between(text, at);
    if (!name.ends_with('.') && (at == text.size() || text[at] != '.')) break;
  }
  while (name.ends_with('.')) name.pop_back();
  return name;
}

std::string local_part_before(std::string_view text, std::size_t at) {
  while (at > 0 && is_ascii_space(text[at - 1])) --at;
  if (at > 0 && text[at - 1] == '"') {
    auto begin = at > 1 ? text.rfind('"', at - 2) : text.npos;
    return begin == text.npos ? "" : std::string(text.substr(begin + 1, at - begin - 2));
  }
  auto end = at;
  while (at > 0 && (text[at - 1] == '.' || mime::is_atom_char(text[at - 1]))) --at;
  return std::string(text.substr(at, end - at));
}

/// A name of two labels and more, of which the last is no number: "Yoga @ 18.30" is no address.
bool is_remote(std::string_view name) {
  auto dot = name.rfind('.');
  return dot != name.npos && dot > 0 && !std::ranges::all_of(name.substr(dot + 1), is_ascii_digit);
}

enum class Domains { Any, Remote };

void add_addresses(std::string_view text, Domains wanted, DecodedFrom& found) {
  std::size_t looked_at = 0;
  for (auto at = text.find('@'); at != text.npos; at = text.find('@', at + 1)) {
    if (++looked_at > kMostSigns || found.addresses.size() >= kMostAddresses) {
      found.too_many = true;
      return;
    }
    auto name = domain_behind(text, at + 1);
    if (wanted == Domains::Remote ? !is_remote(name) : name.empty()) continue;
    auto ascii = dns::to_ascii(name);
    DecodedFrom::Address address{local_part_before(text, at), ascii ? *ascii : to_lower(name)};
    auto same = [&](auto& other) {
      return other.local == address.local && other.domain == address.domain;
    };
    if (std::ranges::none_of(found.addresses, same)) found.addresses.push_back(std::move(address));
  }
}

}  // namespace

DecodedFrom read_decoded(std::string_view value) {
  DecodedFrom found;
  auto text = mime::unfold(value);
  for (int round = 0; round < kRounds && text.find("=?") != text.npos; ++round) {
    auto singly = take_words(text);
    controls_to_spaces(singly.decoded);
    if (!singly.clear) found.unclear = true;
    if (singly.too_many) {
      found.too_many = true;
      break;
    }
    auto joined = mime::decode_words(text);
    // Where the words bring none of these, everything is still where it was.
    auto before = count_marks(singly.around);
    if (count_marks(singly.decoded) > before) add_addresses(singly.decoded, Domains::Remote, found);
    if (count_marks(joined) > before) add_addresses(joined, Domains::Remote, found);
    text = std::move(joined);
  }
  if (next_word(text, 0)) found.too_many = true;
  return found;
}

bool has_remote_domain(std::string_view text, std::size_t at) {
  return is_remote(domain_behind(text, at + 1));
}

DecodedFrom read_anything(std::string_view value) {
  DecodedFrom found;
  auto text = mime::unfold(value);
  add_addresses(text, Domains::Any, found);
  for (int round = 0; round < kRounds && text.find("=?") != text.npos; ++round) {
    auto singly = take_words(text);
    controls_to_spaces(singly.decoded);
    add_addresses(singly.decoded, Domains::Any, found);
    if (!singly.clear) found.unclear = true;
    if (singly.too_many) {
      found.too_many = true;
      break;
    }
    text = mime::decode_words(text);
    add_addresses(text, Domains::Any, found);
  }
  if (next_word(text, 0)) found.too_many = true;
  return found;
}

std::string decode_with_controls(std::string_view value) {
  std::string text(value);
  for (int round = 0; round < kRounds && text.find("=?") != text.npos; ++round)
    text = take_words(text).decoded;
  return text;
}

}  // namespace hikyaku::dmarc
