#include "imap/mailbox_name.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "base/text.h"

namespace hikyaku::imap {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool is_printable_ascii(char32_t c) {
  return c >= 0x20 && c <= 0x7E;
}

/// The next character of well-formed UTF-8.
char32_t take_utf8(std::string_view text, std::size_t& at) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned first = byte(at);
  if (first < 0x80) {
    ++at;
    return first;
  }
  std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  char32_t c = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) c = (c << 6) | (byte(at + i) & 0x3FU);
  at += length;
  return c;
}

void append_utf8(std::string& out, char32_t c) {
  auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

/// Writes UTF-16 units as the base64 of modified UTF-7.
class ShiftWriter {
 public:
  explicit ShiftWriter(std::string& out) : out_(out) { out_ += '&'; }
  void put(char32_t c) {
    if (c < 0x10000) {
      unit(static_cast<std::uint32_t>(c));
      return;
    }
    unit(0xD800 + static_cast<std::uint32_t>((c - 0x10000) >> 10));
    unit(0xDC00 + static_cast<std::uint32_t>((c - 0x10000) & 0x3FF));
  }
  void end() {
    if (bits_ > 0) out_ += kAlphabet[(buffer_ << (6 - bits_)) & 0x3F];
    out_ += '-';
  }

 private:
  void unit(std::uint32_t value) {
    buffer_ = (buffer_ << 16) | value;
    bits_ += 16;
    while (bits_ >= 6) {
      bits_ -= 6;
      out_ += kAlphabet[(buffer_ >> bits_) & 0x3F];
    }
    buffer_ &= 0x3F;
  }
  std::string& out_;
  std::uint32_t buffer_ = 0;
  int bits_ = 0;
};

std::unexpected<Error> bad_utf7(std::string_view name, std::string_view why) {
  return fail(ErrorCode::Invalid, "\"{}\" is no mailbox name in modified UTF-7: {}",
              printable(name, 80), why);
}

int base64_value(char c) {
  auto position = kAlphabet.find(c);
  return position == std::string_view::npos ? -1 : static_cast<int>(position);
}

/// Decodes the base64 between "&" and "-". Empty text: why it is wrong.
std::string_view decode_shifted(std::string_view base64, std::string& out) {
  std::uint32_t buffer = 0;
  int bits = 0;
  char32_t high = 0;
  for (char c : base64) {
    auto value = base64_value(c);
    if (value < 0) return "a character that is not in its base64";
    buffer = (buffer << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 16) continue;
    bits -= 16;
    char32_t unit = (buffer >> bits) & 0xFFFF;
    buffer &= (1U << bits) - 1;
    bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (is_low != (high != 0)) return "half a surrogate pair";
    if (is_low) {
      append_utf8(out, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
      high = 0;
    } else if (unit >= 0xD800 && unit <= 0xDBFF) {
      high = unit;
    } else if (is_printable_ascii(unit)) {
      return "printable ASCII within base64";
    } else {
      append_utf8(out, unit);
    }
  }
  if (high != 0) return "half a surrogate pair";
  if (bits >= 6 || buffer != 0) return "base64 that ends within a character";
  return {};
}

std::string with_capital_inbox(std::string name) {
  if (is_inbox(name))
    std::ranges::transform(name.begin(), name.begin() + 5, name.begin(), ascii_upper);
  return name;
}

}  // namespace

std::string to_utf7(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size() + 8);
  for (std::size_t at = 0; at < utf8.size();) {
    auto c = static_cast<unsigned char>(utf8[at]);
    if (is_printable_ascii(c)) {
      out += utf8[at++];
      if (c == '&') out += '-';
      continue;
    }
    ShiftWriter shifted(out);
    while (at < utf8.size() && !is_printable_ascii(static_cast<unsigned char>(utf8[at])))
      shifted.put(take_utf8(utf8, at));
    shifted.end();
  }
  return out;
}

Result<std::string> from_utf7(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  bool after_shift = false;  // "&AAA-&BBB-" would be a second spelling of "&AAABBB-"
  for (std::size_t at = 0; at < name.size();) {
    char c = name[at];
    if (!is_printable_ascii(static_cast<unsigned char>(c)))
      return bad_utf7(name, "a byte that is not printable ASCII");
    if (c != '&') {
      out += c;
      ++at;
      after_shift = false;
      continue;
    }
    auto end = name.find('-', at);
    if (end == std::string_view::npos)
      return bad_utf7(name, "\"&\" without \"-\" (write &- for &)");
    auto base64 = name.substr(at + 1, end - at - 1);
    at = end + 1;
    if (base64.empty()) {
      out += '&';
      after_shift = false;
      continue;
    }
    if (after_shift) return bad_utf7(name, "two encoded runs side by side");
    after_shift = true;
    auto why = decode_shifted(base64, out);
    if (!why.empty()) return bad_utf7(name, why);
  }
  return out;
}

Result<std::string> decode_name(std::string_view wire, NameForm form) {
  if (form == NameForm::Utf8 || !is_ascii(wire)) {
    if (!is_utf8(wire))
      return fail(ErrorCode::Invalid, "the mailbox name \"{}\" is not UTF-8", printable(wire, 80));
    return with_capital_inbox(std::string(wire));
  }
  TRY(auto name, from_utf7(wire));
  return with_capital_inbox(std::move(name));
}

std::string encode_name(std::string_view name, NameForm form) {
  return form == NameForm::Utf8 ? std::string(name) : to_utf7(name);
}

std::string decode_pattern(std::string_view wire, NameForm form) {
  if (form == NameForm::Utf8 || !is_ascii(wire)) return std::string(wire);
  auto decoded = from_utf7(wire);
  return decoded ? std::move(*decoded) : std::string(wire);
}

Result<> check_new_name(std::string_view name, const NameLimits& limits) {
  if (name.empty()) return fail(ErrorCode::Invalid, "a mailbox name must not be empty");
  if (!is_utf8(name)) return fail(ErrorCode::Invalid, "the mailbox name is not UTF-8");
  if (name.size() > limits.bytes)
    return fail(ErrorCode::TooLarge, "a mailbox name may have {} bytes", limits.bytes);
  for (char c : name) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F)
      return fail(ErrorCode::Invalid, "a mailbox name must not contain control characters");
    if (c == '%' || c == '*')
      return fail(ErrorCode::Invalid, "a mailbox name must not contain % or *");
  }
  auto levels = split(name, kSeparator);
  if (levels.size() > limits.levels)
    return fail(ErrorCode::TooLarge, "mailboxes may be nested {} deep", limits.levels);
  for (auto level : levels) {
    if (level.empty())
      return fail(ErrorCode::Invalid, "\"{}\" has an empty level", printable(name, 80));
    if (level == "." || level == "..")
      return fail(ErrorCode::Invalid, "a level of a mailbox name must not be \"{}\"", level);
    if (level.size() > limits.level_bytes)
      return fail(ErrorCode::TooLarge, "one level of a mailbox name may have {} bytes",
                  limits.level_bytes);
  }
  return {};
}

bool is_inbox(std::string_view name) {
  return istarts_with(name, "INBOX") && (name.size() == 5 || name[5] == kSeparator);
}

std::string_view parent_name(std::string_view name) {
  auto separator = name.rfind(kSeparator);
  return separator == std::string_view::npos ? std::string_view() : name.substr(0, separator);
}

namespace {

/// The positions of a pattern that can be reached after reading some of the name, as a bit per
/// position: the automaton runs in O(name × pattern) whatever the wildcards are.
class PatternRun {
 public:
  explicit PatternRun(std::string_view pattern) : pattern_(pattern), at_(pattern.size() + 1) {
    at_[0] = true;
    skip_wildcards();
  }

  void read(char c) {
    // From the back, so that each step sees the state before this character.
    for (std::size_t i = at_.size(); i-- > 0;) {
      bool stays = at_[i] && i < pattern_.size() &&
                   (pattern_[i] == '*' || (pattern_[i] == '%' && c != kSeparator));
      bool comes = i > 0 && at_[i - 1] && pattern_[i - 1] == c && c != '*' && c != '%';
      at_[i] = stays || comes;
    }
    skip_wildcards();
  }
  bool at_end() const { return at_.back(); }
  /// Some continuation can still match.
  bool alive() const { return std::ranges::find(at_, true) != at_.end(); }
  /// As alive, but something must come.
  bool alive_before_end() const {
    return std::find(at_.begin(), at_.end() - 1, true) != at_.end() - 1;
  }

 private:
  void skip_wildcards() {
    for (std::size_t i = 0; i < pattern_.size(); ++i) {
      if (at_[i] && (pattern_[i] == '*' || pattern_[i] == '%')) at_[i + 1] = true;
    }
  }
  std::string_view pattern_;
  std::vector<bool> at_;
};

/// Wildcards side by side are one: "**%" is "*", "%%" is "%".
std::string without_double_wildcards(std::string_view pattern) {
  std::string result;
  for (char c : pattern) {
    bool wildcard = c == '*' || c == '%';
    if (wildcard && !result.empty() && (result.back() == '*' || result.back() == '%')) {
      if (c == '*') result.back() = '*';
      continue;
    }
    result += c;
  }
  return result;
}

/// Calls `read` for the name's characters until the run is dead.
template <class Run>
bool run_over(Run& run, std::string_view name) {
  for (char c : name) {
    run.read(c);
    if (!run.alive()) return false;
  }
  return true;
}

}  // namespace

/// The same automaton as PatternRun for short patterns: all its positions in one word, a mask of
/// positions for every character.
class ListPatterns::Pattern {
 public:
  explicit Pattern(std::string text) : text_(std::move(text)) {
    if (text_.size() > 63) return;
    literals_ = std::make_unique<std::array<std::uint64_t, 256>>();
    for (std::size_t i = 0; i < text_.size(); ++i) {
      auto here = std::uint64_t{1} << i;
      if (text_[i] == '*')
        stars_ |= here;
      else if (text_[i] == '%')
        percents_ |= here;
      else
        (*literals_)[static_cast<unsigned char>(text_[i])] |= here;
    }
  }

  bool matches(std::string_view name) const {
    if (text_ == "*") return true;
    if (!literals_) return pattern_matches(text_, name);
    ShortRun run(*this);
    return run_over(run, name) && run.at_end();
  }

  bool may_match_below(std::string_view name) const {
    if (!literals_) {
      PatternRun run(text_);
      return run_over(run, name) && run_over(run, "/") && run.alive_before_end();
    }
    ShortRun run(*this);
    return run_over(run, name) && run_over(run, "/") && run.alive_before_end();
  }

 private:
  class ShortRun {
   public:
    explicit ShortRun(const Pattern& pattern) : pattern_(pattern) { skip_wildcards(); }
    void read(char c) {
      auto stays = at_ & (c == kSeparator ? pattern_.stars_ : pattern_.stars_ | pattern_.percents_);
      at_ = stays | ((at_ & (*pattern_.literals_)[static_cast<unsigned char>(c)]) << 1);
      skip_wildcards();
    }
    bool alive() const { return at_ != 0; }
    bool at_end() const { return (at_ & end()) != 0; }
    bool alive_before_end() const { return (at_ & ~end()) != 0; }

   private:
    std::uint64_t end() const { return std::uint64_t{1} << pattern_.text_.size(); }
    // Wildcards never stand side by side: once is enough.
    void skip_wildcards() { at_ |= (at_ & (pattern_.stars_ | pattern_.percents_)) << 1; }

    const Pattern& pattern_;
    std::uint64_t at_ = 1;
  };

  std::string text_;
  std::unique_ptr<std::array<std::uint64_t, 256>> literals_;
  std::uint64_t stars_ = 0;
  std::uint64_t percents_ = 0;
};

bool pattern_matches(std::string_view pattern, std::string_view name) {
  PatternRun run(pattern);
  return run_over(run, name) && run.at_end();
}

ListPatterns::ListPatterns(std::string_view reference, const std::vector<std::string>& patterns) {
  for (auto& pattern : patterns) {
    bool absolute = pattern.starts_with(kSeparator);
    auto whole = absolute ? pattern.substr(1) : std::string(reference) + pattern;
    whole = with_capital_inbox(without_double_wildcards(whole));
    // "inb%" and the like match INBOX too.
    auto upper = to_upper(whole);
    if (upper != whole && pattern_matches(upper, "INBOX")) matches_inbox_ = true;
    patterns_.emplace_back(std::move(whole));
  }
}
ListPatterns::~ListPatterns() = default;
ListPatterns::ListPatterns(ListPatterns&&) noexcept = default;
ListPatterns& ListPatterns::operator=(ListPatterns&&) noexcept = default;

bool ListPatterns::matches(std::string_view name) const {
  if (matches_inbox_ && name == "INBOX") return true;
  return std::ranges::any_of(patterns_, [&](auto& pattern) { return pattern.matches(name); });
}

bool ListPatterns::may_match_below(std::string_view name) const {
  return std::ranges::any_of(patterns_,
                             [&](auto& pattern) { return pattern.may_match_below(name); });
}

}  // namespace hikyaku::imap
