#include "mime/transfer.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kNone = 0x01000000;  // above any group of 24 bits

/// Base64 values already moved to their place in a group of four: one OR decides whether all four
/// characters belong to the alphabet.
struct Base64Tables {
  std::array<std::array<std::uint32_t, 256>, 4> at{};

  constexpr Base64Tables() {
    for (unsigned place = 0; place < 4; ++place) {
      at[place].fill(kNone);
      for (unsigned i = 0; i < 64; ++i)
        at[place][static_cast<unsigned char>(kAlphabet[i])] = i << (18 - 6 * place);
    }
  }
};
constexpr Base64Tables kBase64;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char* put_group(char* p, std::uint32_t group) {
  p[0] = static_cast<char>(group >> 16);
  p[1] = static_cast<char>(group >> 8);
  p[2] = static_cast<char>(group);
  return p + 3;
}

/// Whole groups of four for as long as nothing stands between their characters.
const unsigned char* decode_groups(const unsigned char* in, const unsigned char* end, char*& out) {
  auto* p = out;
  while (end - in >= 4) {
    auto group =
        kBase64.at[0][in[0]] | kBase64.at[1][in[1]] | kBase64.at[2][in[2]] | kBase64.at[3][in[3]];
    if (group >= kNone) break;
    p = put_group(p, group);
    in += 4;
  }
  out = p;
  return in;
}

/// The quoted-printable escapes of a piece of a line in which no escape is cut off.
void decode_escapes(std::string_view text, std::string& out) {
  while (!text.empty()) {
    auto escape = std::min(text.find('='), text.size());
    out.append(text.substr(0, escape));
    text.remove_prefix(escape);
    if (text.empty()) return;
    int high = text.size() > 2 ? hex_digit(text[1]) : -1;
    int low = text.size() > 2 ? hex_digit(text[2]) : -1;
    if (high >= 0 && low >= 0) {
      out += static_cast<char>(high * 16 + low);
      text.remove_prefix(3);
    } else {
      out += '=';
      text.remove_prefix(1);
    }
  }
}

std::string_view without_trailing_space(std::string_view text) {
  while (!text.empty() && (is_ascii_space(text.back()) || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

}  // namespace

Encoding parse_encoding(std::string_view field_value) {
  auto text = trim(field_value);
  while (!text.empty() && text.front() == '(') {
    auto end = text.find(')');
    if (end == text.npos) break;
    text = trim(text.substr(end + 1));
  }
  std::string token;
  for (char c : text) {
    if (c == ';' || c == '(' || c == ' ' || c == '\t' || c == '\r' || c == '\n') break;
    if (c != '"' && token.size() < 40) token += ascii_lower(c);
  }
  struct Name {
    std::string_view name;
    Encoding encoding;
  };
  static constexpr Name kNames[] = {
      {"", Encoding::SevenBit},           {"7bit", Encoding::SevenBit},
      {"7-bit", Encoding::SevenBit},      {"8bit", Encoding::EightBit},
      {"8-bit", Encoding::EightBit},      {"binary", Encoding::Binary},
      {"base64", Encoding::Base64},       {"quoted-printable", Encoding::QuotedPrintable},
      {"x-uuencode", Encoding::Uuencode}, {"uuencode", Encoding::Uuencode},
      {"x-uue", Encoding::Uuencode},
  };
  for (auto& entry : kNames)
    if (entry.name == token) return entry.encoding;
  return Encoding::Unknown;
}

std::string_view to_string(Encoding encoding) {
  switch (encoding) {
    case Encoding::SevenBit:
      return "7bit";
    case Encoding::EightBit:
      return "8bit";
    case Encoding::Binary:
      return "binary";
    case Encoding::Base64:
      return "base64";
    case Encoding::QuotedPrintable:
      return "quoted-printable";
    case Encoding::Uuencode:
      return "x-uuencode";
    case Encoding::Unknown:
      break;
  }
  return "x-unknown";
}

bool is_identity(Encoding encoding) {
  return encoding == Encoding::SevenBit || encoding == Encoding::EightBit ||
         encoding == Encoding::Binary;
}

void Base64Decoder::feed(std::string_view text, std::string& out) {
  auto old = out.size();
  out.resize_and_overwrite(old + text.size() / 4 * 3 + 6, [&](char* data, std::size_t) {
    auto* p = data + old;
    auto* in = reinterpret_cast<const unsigned char*>(text.data());
    auto* end = in + text.size();
    while (in < end) {
      if (count_ == 0) {
        in = decode_groups(in, end, p);
        while (in < end && (*in == '\r' || *in == '\n')) ++in;
      }
      if (in == end) break;
      auto byte = *in++;
      auto value = kBase64.at[3][byte];
      if (value < kNone) {
        bits_ = bits_ << 6 | value;
        if (++count_ == 4) {
          p = put_group(p, bits_);
          count_ = 0;
          bits_ = 0;
        }
      } else if (byte == '=' && count_ > 0) {
        // Padding: the run ends here, another may follow.
        if (count_ == 2) *p++ = static_cast<char>(bits_ >> 4);
        if (count_ == 3) {
          *p++ = static_cast<char>(bits_ >> 10);
          *p++ = static_cast<char>(bits_ >> 2);
        }
        count_ = 0;
        bits_ = 0;
      }
    }
    return static_cast<std::size_t>(p - data);
  });
}

void Base64Decoder::finish(std::string& out) {
  if (count_ > 0) feed("=", out);
}

void QuotedPrintableDecoder::feed(std::string_view text, std::string& out) {
  constexpr std::size_t kHeld = 1000;  // so much white space at a line's end is data after all
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_);
    joined += text;
    text = joined;
    held_.clear();
  }
  while (auto* newline = static_cast<const char*>(std::memchr(text.data(), '\n', text.size()))) {
    auto line = text.substr(0, static_cast<std::size_t>(newline - text.data()));
    text.remove_prefix(line.size() + 1);
    auto line_end = line.ends_with('\r') ? std::string_view("\r\n") : std::string_view("\n");
    line = without_trailing_space(line);
    auto soft = line.ends_with('=');
    if (soft) line.remove_suffix(1);
    decode_escapes(line, out);
    if (!soft) out += line_end;
  }
  // Of an unfinished line hold back what its next bytes may change.
  auto sure = without_trailing_space(text);
  auto tail = sure.substr(sure.size() - std::min<std::size_t>(2, sure.size()));
  auto escape = tail.rfind('=');
  if (escape != tail.npos) sure.remove_suffix(tail.size() - escape);
  if (text.size() - sure.size() > kHeld) sure = text;
  decode_escapes(sure, out);
  held_ = text.substr(sure.size());
}

void QuotedPrintableDecoder::finish(std::string& out) {
  auto rest = without_trailing_space(held_);
  if (rest.ends_with('=')) rest.remove_suffix(1);
  decode_escapes(rest, out);
  held_.clear();
}

void UuDecoder::line(std::string_view text, std::string& out) {
  text = without_trailing_space(text);
  if (!inside_) {
    inside_ = text.starts_with("begin ") && text.size() > 9 && is_ascii_digit(text[6]) &&
              is_ascii_digit(text[7]) && is_ascii_digit(text[8]);
    return;
  }
  if (text == "end") {
    inside_ = false;
    return;
  }
  if (text.empty()) return;
  // Spaces at the line's end may have been lost on the way: they are zeros.
  auto value = [&](std::size_t i) {
    return i < text.size() ? (static_cast<unsigned char>(text[i]) - 32u) & 63u : 0u;
  };
  auto length = value(0);
  for (std::size_t i = 1, done = 0; done < length; i += 4) {
    auto group = value(i) << 18 | value(i + 1) << 12 | value(i + 2) << 6 | value(i + 3);
    for (int shift = 16; shift >= 0 && done < length; shift -= 8, ++done)
      out += static_cast<char>(group >> shift);
  }
}

void UuDecoder::feed(std::string_view text, std::string& out) {
  constexpr std::size_t kLine = 256;  // a line has at most 61 characters; what is behind is dropped
  auto room = [&] { return kLine - held_.size(); };
  while (true) {
    auto* newline = static_cast<const char*>(std::memchr(text.data(), '\n', text.size()));
    if (!newline) break;
    auto piece = text.substr(0, static_cast<std::size_t>(newline - text.data()));
    text.remove_prefix(piece.size() + 1);
    if (held_.empty()) {
      line(piece.substr(0, kLine), out);
    } else {
      held_ += piece.substr(0, room());
      line(held_, out);
      held_.clear();
    }
  }
  held_ += text.substr(0, room());
}

void UuDecoder::finish(std::string& out) {
  if (!held_.empty()) line(held_, out);
  held_.clear();
  inside_ = false;
}

void TransferDecoder::feed(std::string_view text, std::string& out) {
  if (text.empty()) return;
  switch (encoding_) {
    case Encoding::Base64:
      return base64_.feed(text, out);
    case Encoding::QuotedPrintable:
      return quoted_printable_.feed(text, out);
    case Encoding::Uuencode:
      return uu_.feed(text, out);
    default:
      out += text;
  }
}

void TransferDecoder::finish(std::string& out) {
  base64_.finish(out);
  quoted_printable_.finish(out);
  uu_.finish(out);
}

std::string decode_transfer(std::string_view body, Encoding encoding, std::size_t limit) {
  std::string out;
  out.reserve(
      std::min(limit, encoding == Encoding::Base64 ? body.size() / 4 * 3 + 8 : body.size()));
  TransferDecoder decoder(encoding);
  constexpr std::size_t kPiece = 256 * 1024;
  while (!body.empty() && out.size() < limit) {
    // No encoding grows by decoding, so a piece of the missing length is never too short by much.
    auto piece = body.substr(0, kPiece);
    decoder.feed(piece, out);
    body.remove_prefix(piece.size());
  }
  if (out.size() < limit) decoder.finish(out);
  if (out.size() > limit) out.resize(limit);
  return out;
}

std::string encode_base64_body(std::string_view bytes) {
  constexpr std::size_t kBytesPerLine = 57;
  auto lines = (bytes.size() + kBytesPerLine - 1) / kBytesPerLine;
  std::string out;
  out.resize_and_overwrite((bytes.size() + 2) / 3 * 4 + lines * 2, [&](char* data, std::size_t) {
    auto* p = data;
    auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
    auto put = [&](std::uint32_t group) {
      for (int shift = 18; shift >= 0; shift -= 6) *p++ = kAlphabet[group >> shift & 63];
    };
    for (auto left = bytes.size(); left > 0;) {
      auto size = std::min(left, kBytesPerLine);
      left -= size;
      for (; size >= 3; size -= 3, in += 3) put(in[0] << 16u | in[1] << 8u | in[2]);
      if (size > 0) {
        put(in[0] << 16u | (size > 1 ? in[1] << 8u : 0u));
        p[-1] = '=';
        if (size == 1) p[-2] = '=';
      }
      *p++ = '\r';
      *p++ = '\n';
    }
    return static_cast<std::size_t>(p - data);
  });
  return out;
}

std::string encode_quoted_printable(std::string_view bytes, LineEnds line_ends) {
  constexpr std::size_t kLine = 75;  // and a "=" for the soft break
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto byte = static_cast<unsigned char>(bytes[i]);
    if (line_ends == LineEnds::Text) {
      auto crlf = byte == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n';
      if (crlf || byte == '\n') {
        out += "\r\n";
        column = 0;
        if (crlf) ++i;
        continue;
      }
    }
    auto next = i + 1 < bytes.size() ? bytes[i + 1] : '\n';
    auto before_end = next == '\n' || next == '\r';
    // A lone "." and "From " at the front of a line are changed by some on the way.
    auto plain =
        (byte > 32 && byte < 127 && byte != '=') || ((byte == ' ' || byte == '\t') && !before_end);
    if (column == 0 && (byte == '.' || bytes.substr(i, 5) == "From ")) plain = false;
    auto width = plain ? 1u : 3u;
    if (column + width > kLine) {
      out += "=\r\n";
      column = 0;
    }
    if (plain) {
      out += static_cast<char>(byte);
    } else {
      out += '=';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    column += width;
  }
  return out;
}

}  // namespace hikyaku::mime
