#include "dmarc/decoded_from_internal.h"
#include "dmarc/text_direction_internal.h"
#include "mime/encoded_word.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kDeepest = 125;  // UAX #9 §3.3.2, max_depth

/// What opens: small letters from left to right, capitals and overrides otherwise. "e" and "E" are
/// embeddings, "o" and "O" overrides, "i", "I" and "F" isolates. What closes: "p" the former, "P"
/// the isolates. 0: none of these.
char kind_at(std::string_view text, std::size_t at) {
  auto three = text.substr(at, 3);
  if (three.size() < 3 || three[0] != '\xE2') return 0;
  auto last = static_cast<unsigned char>(three[2]);
  if (three[1] == '\x80' && last >= 0xAA && last <= 0xAE) return "eEpoO"[last - 0xAA];
  if (three[1] == '\x81' && last >= 0xA6 && last <= 0xA9) return "iIFP"[last - 0xA6];
  return 0;
}

bool is_isolate(char kind) {
  return kind == 'i' || kind == 'I' || kind == 'F';
}

}  // namespace

bool has_direction_characters(std::string_view text) {
  for (auto at = text.find('\xE2'); at != text.npos; at = text.find('\xE2', at + 1))
    if (kind_at(text, at) != 0) return true;
  return false;
}

void TextDirection::feed(std::string_view piece) {
  std::string decoded;
  for (int round = 0; round < kRounds && piece.find("=?") != piece.npos; ++round) {
    decoded = mime::decode_words(piece);
    piece = decoded;
  }
  for (auto at = piece.find('\xE2'); at != piece.npos; at = piece.find('\xE2', at + 1))
    if (auto kind = kind_at(piece, at)) take(kind);
}

void TextDirection::take(char kind) {
  if (kind == 'P') {
    // It ends what was opened inside of the isolate, too.
    auto isolate = open_.find_last_of("iIF");
    if (isolate != open_.npos) open_.resize(isolate);
  } else if (kind == 'p') {
    if (!open_.empty() && !is_isolate(open_.back())) open_.pop_back();
  } else if (open_.size() == kDeepest) {
    too_deep_ = true;
  } else {
    open_ += kind;
  }
}

}  // namespace hikyaku::dmarc
