#include "app/text_width.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/text.h"

namespace hikyaku::app {
namespace {

struct Range {
  char32_t first, last;
};

// The blocks of East_Asian_Width W and F that occur in texts and mail (Unicode UAX #11).
constexpr Range kWide[] = {
    {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x3247},   {0x3250, 0x4DBF},
    {0x4E00, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
    {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};
constexpr Range kZero[] = {
    {0x0300, 0x036F}, {0x200B, 0x200F}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
};

bool within(std::span<const Range> ranges, char32_t c) {
  return std::ranges::any_of(ranges, [c](auto& r) { return c >= r.first && c <= r.last; });
}

/// One character and how wide it is. Input is valid UTF-8.
struct Character {
  std::string_view bytes;
  std::size_t width;
};

Character next_character(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  size = std::min(size, text.size());
  char32_t code = lead < 0x80 ? lead : lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i)
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  std::size_t width = within(kZero, code) ? 0 : within(kWide, code) ? 2 : 1;
  return {text.substr(0, size), width};
}

// Kinsoku: what may not begin, and what may not end a line.
bool never_begins_line(std::string_view character) {
  constexpr std::string_view kClosing[] = {
      "、", "。", "」", "』", "）", "，", "．", "・", "！", "？", "ー", "ぁ", "ぃ", "ぅ", "ぇ",
      "ぉ", "ゃ", "ゅ", "ょ", "っ", "ァ", "ィ", "ゥ", "ェ", "ォ", "ッ", "ャ", "ュ", "ョ", "々",
      "】", "：", "；", "…",  "”",  ")",  "]",  "}",  ":",  ";",  ",",  ".",  "!",  "?",  "%"};
  return std::ranges::find(kClosing, character) != std::end(kClosing);
}
bool never_ends_line(std::string_view character) {
  constexpr std::string_view kOpening[] = {"「", "『", "（", "【", "“", "(", "[", "{"};
  return std::ranges::find(kOpening, character) != std::end(kOpening);
}

/// The length of a command between backquotes at the front, 0 if there is none that fits a line.
std::size_t command_length(std::string_view text) {
  constexpr std::size_t kMost = 72;
  if (!text.starts_with('`')) return 0;
  auto end = text.substr(0, kMost).find('`', 1);
  return end == text.npos ? 0 : end + 1;
}

/// The smallest pieces between which a line may be broken; a space before one is said apart.
struct Piece {
  std::string text;
  std::size_t width = 0;
  bool space_before = false;
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  bool space = false, glue = false, last_wide = false;
  while (!text.empty()) {
    auto [bytes, width] = next_character(text);
    text.remove_prefix(bytes.size());
    if (bytes == " ") {
      space = true;
      continue;
    }
    // Whoever copies a command must not have to join it.
    if (auto command = command_length(std::string_view(bytes.data(), bytes.size() + text.size()))) {
      auto whole = std::string_view(bytes.data(), command);
      if (pieces.empty() || space || (last_wide && !glue))
        pieces.push_back({{}, 0, space && !pieces.empty()});
      pieces.back().text += whole;
      pieces.back().width += columns(whole);
      text.remove_prefix(command - bytes.size());
      space = glue = last_wide = false;
      continue;
    }
    auto wide = width == 2;
    auto breaks = pieces.empty() || space ||
                  ((wide || last_wide) && width != 0 && !glue && !never_begins_line(bytes));
    if (breaks) pieces.push_back({{}, 0, space && !pieces.empty()});
    pieces.back().text += bytes;
    pieces.back().width += width;
    space = false;
    glue = never_ends_line(bytes);
    last_wide = wide;
  }
  return pieces;
}

}  // namespace

std::size_t columns(std::string_view utf8) {
  auto valid = to_valid_utf8(utf8);
  std::size_t total = 0;
  for (std::string_view left = valid; !left.empty();) {
    auto [bytes, width] = next_character(left);
    left.remove_prefix(bytes.size());
    total += width;
  }
  return total;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  auto taken = columns(text);
  if (taken < width) out.append(width - taken, ' ');
  return out;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  auto valid = to_valid_utf8(text);
  std::string lead(indent, ' '), out;
  for (auto paragraph : split(valid, '\n')) {
    if (paragraph.starts_with(' ') || paragraph.empty()) {
      out += paragraph.empty() ? "\n" : lead + std::string(paragraph) + '\n';
      continue;
    }
    std::string line;
    std::size_t used = 0;
    for (auto& piece : pieces_of(paragraph)) {
      auto need = piece.width + (piece.space_before ? 1 : 0);
      if (used > 0 && indent + used + need > width) {
        out += lead + line + '\n';
        line.clear();
        used = 0;
      }
      if (piece.space_before && used > 0) {
        line += ' ';
        ++used;
      }
      line += piece.text;
      used += piece.width;
    }
    out += lead + line + '\n';
  }
  return out;
}

}  // namespace hikyaku::app
