#include "mime/japanese.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unicode/unorm2.h>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

unsigned byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
}

bool in(unsigned value, unsigned low, unsigned high) {
  return value >= low && value <= high;
}

/// One well-formed UTF-8 character.
char32_t take_utf8(std::string_view& text) {
  auto first = byte_at(text, 0);
  if (first < 0x80) {
    text.remove_prefix(1);
    return first;
  }
  std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t c = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) c = c << 6 | (byte_at(text, i) & 0x3Fu);
  text.remove_prefix(std::min(length, text.size()));
  return c;
}

/// Counts of a text read as one encoding: whether it is well-formed, and how much is kana.
struct Reading {
  bool well_formed = true;
  std::size_t characters = 0;
  std::size_t kana = 0;

  bool likely() const { return well_formed && characters > 0 && kana * 5 >= characters; }
};

Reading read_eucjp(std::string_view bytes) {
  Reading reading;
  for (std::size_t i = 0; i < bytes.size();) {
    auto first = byte_at(bytes, i), second = byte_at(bytes, i + 1);
    if (first < 0x80) {
      ++i;
      continue;
    }
    std::size_t length = first == 0x8F ? 3 : 2;
    auto good = first == 0x8E ? in(second, 0xA1, 0xDF)
                              : (first == 0x8F || in(first, 0xA1, 0xFE)) && in(second, 0xA1, 0xFE);
    if (!good || i + length > bytes.size() ||
        (length == 3 && !in(byte_at(bytes, i + 2), 0xA1, 0xFE))) {
      reading.well_formed = false;
      return reading;
    }
    ++reading.characters;
    if (first == 0xA4 || first == 0xA5) ++reading.kana;
    i += length;
  }
  return reading;
}

Reading read_shift_jis(std::string_view bytes) {
  Reading reading;
  for (std::size_t i = 0; i < bytes.size();) {
    auto first = byte_at(bytes, i), second = byte_at(bytes, i + 1);
    if (first < 0x80) {
      ++i;
      continue;
    }
    if (in(first, 0xA1, 0xDF)) {
      ++reading.characters;  // half-width kana say little: EUC text consists of such bytes
      ++i;
      continue;
    }
    if (!(in(first, 0x81, 0x9F) || in(first, 0xE0, 0xFC)) ||
        !(in(second, 0x40, 0x7E) || in(second, 0x80, 0xFC))) {
      reading.well_formed = false;
      return reading;
    }
    ++reading.characters;
    if ((first == 0x82 && second >= 0x9F) || (first == 0x83 && second <= 0x96)) ++reading.kana;
    i += 2;
  }
  return reading;
}

}  // namespace

Iso2022jp classify_iso2022jp(std::string_view bytes) {
  auto kind = Iso2022jp::Plain;
  for (auto at = bytes.find('\x1B'); at != bytes.npos; at = bytes.find('\x1B', at + 1)) {
    auto escape = bytes.substr(at + 1, 3);
    if (escape.starts_with("$(O") || escape.starts_with("$(P") || escape.starts_with("$(Q"))
      return Iso2022jp::Jisx0213;
    if (escape.starts_with("$A") || escape.starts_with("$(A") || escape.starts_with("$(C") ||
        escape.starts_with(".A") || escape.starts_with(".F"))
      kind = Iso2022jp::Multilingual;
  }
  return kind;
}

bool Iso2022jpReader::take_escape() {
  struct Escape {
    std::string_view text;
    Set set;
  };
  static constexpr Escape kEscapes[] = {
      {"\x1B(B", Set::Ascii},          {"\x1B(J", Set::Roman},     {"\x1B(H", Set::Roman},
      {"\x1B(I", Set::Kana},           {"\x1B$@", Set::Jisx0208},  {"\x1B$B", Set::Jisx0208},
      {"\x1B$(@", Set::Jisx0208},      {"\x1B$(B", Set::Jisx0208}, {"\x1B$(D", Set::Jisx0212},
      {"\x1B&@\x1B$B", Set::Jisx0208},
  };
  for (auto& escape : kEscapes) {
    if (!left_.starts_with(escape.text)) continue;
    set_ = escape.set;
    left_.remove_prefix(escape.text.size());
    return true;
  }
  return false;
}

/// A character at the front that is not ASCII, as EUC-JP; false if there is none.
bool Iso2022jpReader::take_character(std::string& euc) {
  auto first = byte_at(left_, 0), second = byte_at(left_, 1);
  auto put = [&](std::initializer_list<unsigned> bytes) {
    for (auto byte : bytes) euc += static_cast<char>(byte);
  };
  // Kana as plain 8-bit bytes, which some programs send under this name.
  if (in(first, 0xA1, 0xDF)) {
    put({0x8E, first});
    left_.remove_prefix(1);
    return true;
  }
  if ((set_ == Set::Kana || shifted_out_) && in(first, 0x21, 0x5F)) {
    put({0x8E, first | 0x80});
    left_.remove_prefix(1);
    return true;
  }
  if (set_ != Set::Jisx0208 && set_ != Set::Jisx0212) return false;
  if (!in(first, 0x21, 0x7E) || !in(second, 0x21, 0x7E)) return false;
  if (set_ == Set::Jisx0212) put({0x8F});
  put({first | 0x80, second | 0x80});
  left_.remove_prefix(2);
  return true;
}

std::optional<Iso2022jpRun> Iso2022jpReader::next() {
  Iso2022jpRun run;
  while (!left_.empty()) {
    auto first = byte_at(left_, 0);
    if (first == 0x1B && take_escape()) continue;
    if (first == 0x0E || first == 0x0F) {
      shifted_out_ = first == 0x0E;
      left_.remove_prefix(1);
      continue;
    }
    std::string euc;
    if (take_character(euc)) {
      run.kind = Iso2022jpRun::Kind::EucJp;
      run.bytes = std::move(euc);
      // Line ends and spaces within two-byte text are met; they end a run like everything else.
      while (take_character(run.bytes)) {
      }
      return run;
    }
    // A line end brings back ASCII (RFC 1468: every line ends in it) for whoever forgot to.
    if (first == '\n') {
      set_ = Set::Ascii;
      shifted_out_ = false;
    }
    auto two_byte = set_ == Set::Jisx0208 || set_ == Set::Jisx0212;
    if (first == 0x1B || first >= 0x80 || (two_byte && in(first, 0x21, 0x7E)) ||
        (set_ == Set::Kana && first > 0x5F)) {
      run.kind = Iso2022jpRun::Kind::Bad;
      left_.remove_prefix(1);
      return run;
    }
    if (set_ == Set::Roman && (first == 0x5C || first == 0x7E)) {
      run.bytes = first == 0x5C ? "\u00A5" : "\u203E";  // JIS X 0201
      left_.remove_prefix(1);
      return run;
    }
    do {
      run.bytes += left_.front();
      left_.remove_prefix(1);
      first = byte_at(left_, 0);
    } while (set_ == Set::Ascii && !shifted_out_ && !left_.empty() && first < 0x80 &&
             first != 0x1B && first != 0x0E && first != 0x0F);
    return run;
  }
  return std::nullopt;
}

Guess guess_encoding(std::string_view bytes) {
  constexpr std::size_t kLooked = 64 * 1024;
  auto utf8 = is_utf8(bytes);
  auto sample = bytes.substr(0, kLooked);
  auto escape = sample.find("\x1B$");
  if (escape != sample.npos && escape + 2 < sample.size() &&
      std::string_view("B@(").find(sample[escape + 2]) != std::string_view::npos &&
      is_ascii(sample))
    return Guess::Iso2022jp;
  if (utf8) return Guess::Utf8;
  // Do not judge by a character that the sample's end cuts in two.
  if (sample.size() < bytes.size()) sample = sample.substr(0, sample.rfind('\n') + 1);
  auto euc = read_eucjp(sample), shift_jis = read_shift_jis(sample);
  if (euc.likely() && (!shift_jis.likely() || euc.kana >= shift_jis.kana)) return Guess::EucJp;
  if (shift_jis.likely()) return Guess::ShiftJis;
  return Guess::Windows1252;
}

void append_utf16(std::string_view utf8, std::vector<char16_t>& out) {
  while (!utf8.empty()) {
    auto c = take_utf8(utf8);
    if (c < 0x10000) {
      out.push_back(static_cast<char16_t>(c));
    } else {
      out.push_back(static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF)));
    }
  }
}

std::string prepare_for_jis(std::string_view utf8) {
  struct Same {
    std::string_view from, to;
  };
  // Unicode has these twice; windows-31j means the second.
  static constexpr Same kSame[] = {
      {"\u301C", "\uFF5E"}, {"\u2212", "\uFF0D"}, {"\u2016", "\u2225"}, {"\u00A2", "\uFFE0"},
      {"\u00A3", "\uFFE1"}, {"\u00AC", "\uFFE2"}, {"\u2014", "\u2015"},
  };
  UErrorCode status = U_ZERO_ERROR;
  auto* nfkc = unorm2_getNFKCInstance(&status);
  std::string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    auto rest = utf8;
    auto c = take_utf8(rest);
    if (c >= 0xFF61 && c <= 0xFF9F && U_SUCCESS(status)) {
      // The whole run at once: voiced marks join the kana before them.
      std::vector<char16_t> half;
      while (c >= 0xFF61 && c <= 0xFF9F) {
        half.push_back(static_cast<char16_t>(c));
        utf8 = rest;
        if (rest.empty()) break;
        c = take_utf8(rest);
      }
      std::vector<char16_t> full(half.size() * 3 + 1);
      auto length = unorm2_normalize(nfkc, half.data(), static_cast<int32_t>(half.size()),
                                     full.data(), static_cast<int32_t>(full.size()), &status);
      if (U_FAILURE(status)) length = 0;
      for (int32_t i = 0; i < length; ++i) {
        auto unit = static_cast<unsigned>(full[static_cast<std::size_t>(i)]);
        out += static_cast<char>(0xE0 | unit >> 12);  // full-width kana are all U+3000..U+30FF
        out += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (unit & 0x3F));
      }
      continue;
    }
    auto character = utf8.substr(0, utf8.size() - rest.size());
    auto same = std::ranges::find(kSame, character, &Same::from);
    out += same != std::end(kSame) ? same->to : character;
    utf8 = rest;
  }
  return out;
}

std::optional<std::string> shift_jis_to_iso2022jp(std::string_view bytes) {
  std::string out;
  bool two_byte = false;
  auto shift = [&](bool to_two_byte) {
    if (two_byte != to_two_byte) out += to_two_byte ? "\x1B$B" : "\x1B(B";
    two_byte = to_two_byte;
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto first = byte_at(bytes, i);
    if (first < 0x80) {
      shift(false);
      out += static_cast<char>(first);
      continue;
    }
    if (!(in(first, 0x81, 0x9F) || in(first, 0xE0, 0xEF)) || i + 1 == bytes.size())
      return std::nullopt;  // half-width, IBM or user-defined
    auto second = byte_at(bytes, ++i);
    auto row = (first - (first < 0xA0 ? 0x81u : 0xC1u)) * 2 + 1;
    auto cell = second - (second > 0x7F ? 0x41u : 0x40u) + 1;
    if (cell > 94) {
      ++row;
      cell -= 94;
    }
    // JIS X 0208 has rows 1..8 and 16..84; row 13 and 89..92 are the vendors'.
    if ((row > 8 && row < 16) || row > 84) return std::nullopt;
    shift(true);
    out += static_cast<char>(row + 0x20);
    out += static_cast<char>(cell + 0x20);
  }
  shift(false);
  return out;
}

}  // namespace hikyaku::mime
