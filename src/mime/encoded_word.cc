#include "mime/encoded_word.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "mime/address.h"
#include "mime/charset.h"
#include "mime/header.h"
#include "mime/transfer.h"

namespace hikyaku::mime {
namespace {

/// "=?charset*language?encoding?text?=" taken apart.
struct Word {
  std::string_view charset;
  bool base64 = false;
  std::string_view text;
  std::size_t length = 0;
};

bool is_charset_char(char c) {
  return c > 32 && c < 127 && std::string_view("()<>@,;:\"/[]?=").find(c) == std::string_view::npos;
}

std::optional<Word> parse_word(std::string_view text) {
  constexpr std::size_t kCharset = 60;
  if (!text.starts_with("=?")) return std::nullopt;
  auto limit = std::min(text.size(), kCharset);
  std::size_t i = 2;
  while (i < limit && is_charset_char(text[i])) ++i;
  if (i == 2 || i + 2 >= text.size() || text[i] != '?' || text[i + 2] != '?') return std::nullopt;
  Word word;
  word.charset = text.substr(2, i - 2);
  word.charset = word.charset.substr(0, word.charset.find('*'));  // RFC 2231 §5
  auto encoding = ascii_lower(text[i + 1]);
  if (encoding != 'b' && encoding != 'q') return std::nullopt;
  word.base64 = encoding == 'b';
  auto begin = i + 3;
  // Where another word begins before this one ends, the first was cut off; padding may be what it
  // begins with ("YQ=?="). (It is looked for first: of many words that were cut off, none searches
  // what stands behind the next.)
  auto next = text.find("=?", begin);
  auto end = text.substr(0, next == text.npos ? next : next + 3).find("?=", begin);
  if (end == text.npos) return std::nullopt;
  word.text = text.substr(begin, end - begin);
  word.length = end + 2;
  return word;
}

void decode_q(std::string_view text, std::string& out) {
  std::string spaced(text);
  std::ranges::replace(spaced, '_', ' ');
  // Trailing space is data here, a line end cannot occur: guard it from the body's rules.
  QuotedPrintableDecoder decoder;
  spaced += "=20";
  decoder.feed(spaced, out);
  decoder.finish(out);
  out.pop_back();
}

/// "utf8" is "UTF-8" for everybody.
bool is_same_charset(std::string_view a, std::string_view b) {
  if (iequals(a, b)) return true;
  auto bare = [](std::string_view label) {
    std::string result;
    for (char c : label)
      if (is_ascii_alnum(c)) result += ascii_lower(c);
    return result;
  };
  return bare(a) == bare(b);
}

/// The bytes of adjacent words of one charset.
class Run {
 public:
  void add(const Word& word) {
    if (word.base64) {
      // Groups of four cut between two words are joined if that makes them whole; else somebody
      // only forgot the padding.
      if ((pending_ + word.text.size()) % 4 != 0) end_base64();
      base64_.feed(word.text, bytes_);
      pending_ = (pending_ + word.text.size()) % 4;
      return;
    }
    end_base64();
    decode_q(word.text, bytes_);
  }

  std::string take() {
    end_base64();
    return std::exchange(bytes_, {});
  }

 private:
  void end_base64() {
    base64_.finish(bytes_);
    pending_ = 0;
  }

  std::string bytes_;
  Base64Decoder base64_;
  std::size_t pending_ = 0;  // characters of an unfinished group of four
};

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

/// Text outside of encoded words.
void append_plain(std::string_view text, std::string_view fallback, std::string& out) {
  if (is_ascii(text) && text.find('\x1B') == text.npos)
    out += text;
  else if (is_utf8(text) && text.find('\x1B') == text.npos)
    out += text;
  else if (fallback.empty())
    out += guess_text(text);
  else
    out += to_utf8(text, fallback);
}

std::size_t utf8_length(char first) {
  auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// RFC 2047 §5 rule 3: the characters that Q may leave as they are in a phrase.
bool is_q_plain(char c) {
  return is_ascii_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

std::size_t q_width(std::string_view text) {
  std::size_t width = 0;
  for (char c : text) width += is_q_plain(c) || c == ' ' ? 1 : 3;
  return width;
}

void append_q(std::string_view text, std::string& out) {
  for (char c : text) {
    if (is_q_plain(c))
      out += c;
    else if (c == ' ')
      out += '_';
    else
      out += '=' + to_upper(to_hex({&c, 1}));
  }
}

/// Puts encoded words for `text` behind what stands on the line already.
class WordWriter {
 public:
  explicit WordWriter(std::size_t column) : column_(column) {}

  /// A word that may stay as it is, with the space before it.
  void plain(std::string_view word) {
    constexpr std::size_t kLine = 76;
    if (!out_.empty()) {
      if (column_ + 1 + word.size() > kLine) {
        out_ += "\r\n";
        column_ = 0;
      }
      out_ += ' ';
      ++column_;
    }
    out_ += word;
    column_ += word.size();
  }

  void encoded(std::string_view text) {
    constexpr std::size_t kFrame = 12;  // =?utf-8?B??=
    constexpr std::size_t kWord = 75;
    auto base64 = text.size() * 4 / 3 < q_width(text);
    while (!text.empty()) {
      // As much as the line has room for, but no word shorter than a few characters.
      auto room = column_ + 30 < 76 ? 76 - column_ - 1 : kWord;
      room = std::min(room, kWord) - kFrame;
      auto size = fitting(text, room, base64);
      std::string word = base64 ? "=?utf-8?B?" : "=?utf-8?Q?";
      if (base64)
        word += base64_encode(text.substr(0, size));
      else
        append_q(text.substr(0, size), word);
      plain(word + "?=");
      text.remove_prefix(size);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  /// The bytes of whole characters of `text` that need at most `room`; at least one character.
  static std::size_t fitting(std::string_view text, std::size_t room, bool base64) {
    std::size_t size = 0, width = 0;
    while (size < text.size()) {
      auto length = std::min(utf8_length(text[size]), text.size() - size);
      width = base64 ? (size + length + 2) / 3 * 4 : width + q_width(text.substr(size, length));
      if (width > room && size > 0) break;
      size += length;
    }
    return size;
  }

  std::string out_;
  std::size_t column_;
};

bool may_stay(std::string_view word) {
  return word.size() <= 70 && word.find("=?") == word.npos &&
         std::ranges::all_of(word, [](char c) { return c > 32 && c < 127; });
}

/// Control characters would break the field; ill-formed UTF-8 would break the encoded word.
std::string clean(std::string_view text) {
  auto result = to_valid_utf8(text);
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  return result;
}

std::string encode_text(std::string_view text, std::size_t column) {
  WordWriter writer(column);
  std::string run;  // consecutive words that must be encoded, with the spaces between them
  for (auto word : split(text, ' ')) {
    if (may_stay(word)) {
      if (!run.empty()) writer.encoded(run);
      run.clear();
      writer.plain(word);
    } else {
      if (!run.empty()) run += ' ';
      run += word;
    }
  }
  if (!run.empty()) writer.encoded(run);
  return writer.take();
}

}  // namespace

std::size_t encoded_word_length(std::string_view text) {
  auto word = parse_word(text.substr(0, 2000));
  return word ? word->length : 0;
}

std::string decode_words(std::string_view value, std::string_view fallback_charset) {
  auto text = unfold(value);
  std::string out;
  std::string_view left = text;
  Run run;
  std::string run_charset;
  auto end_run = [&] {
    if (!run_charset.empty()) out += to_utf8(run.take(), run_charset);
    run_charset.clear();
  };
  std::size_t plain = 0;  // where the text begins that is not yet written
  std::size_t at = 0;
  auto last_end = left.rfind("?=");  // no word can end behind it
  while (last_end != left.npos) {
    at = left.find("=?", at);
    if (at == left.npos || at >= last_end) break;
    auto word = parse_word(left.substr(at));
    if (!word) {
      at += 2;
      continue;
    }
    auto between = left.substr(plain, at - plain);
    // RFC 2047 §6.2: white space between encoded words is not shown.
    auto adjacent = !run_charset.empty() && std::ranges::all_of(between, is_space);
    if (!adjacent) {
      end_run();
      append_plain(between, fallback_charset, out);
    }
    if (!is_same_charset(run_charset, word->charset)) {
      end_run();
      run_charset = word->charset;
    }
    run.add(*word);
    at += word->length;
    plain = at;
  }
  end_run();
  append_plain(left.substr(plain), fallback_charset, out);
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127) c = ' ';
  return out;
}

std::string encode_unstructured(std::string_view text, std::size_t column) {
  return encode_text(clean(text), column);
}

std::string encode_phrase(std::string_view text, std::size_t column) {
  auto name = clean(text);
  if (!is_ascii(name) || name.find("=?") != name.npos) {
    // Encoded words and quoted strings do not mix: all of it is encoded.
    WordWriter writer(column);
    writer.encoded(name);
    return writer.take();
  }
  auto atoms = !name.empty() && name.front() != ' ' && name.back() != ' ' &&
               name.find("  ") == name.npos &&
               std::ranges::all_of(name, [](char c) { return c == ' ' || is_atom_char(c); });
  if (atoms) return encode_text(name, column);
  std::string quoted = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace hikyaku::mime
