#include "imap/mailbox_name.h"

#include <algorithm>
#include <array>
#include <cstdint>

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

}  // namespace

/// A pattern as an automaton: the positions in it that can be reached after reading some of the
/// name are a bit each, and so are those where a character may be read. Runs in O(name × pattern /
/// 64) whatever the wildcards are.
class ListPatterns::Pattern {
 public:
  explicit Pattern(std::string text) : text_(std::move(text)), words_(text_.size() / 64 + 1) {
    is_plain_ = text_.find_first_of("*%") == std::string::npos;
    stars_.resize(words_);
    wildcards_.resize(words_);
    literals_.resize(words_);  // row 0: of the bytes that the pattern has not
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '*') set(stars_, 0, i);
      if (text_[i] == '*' || text_[i] == '%')
        set(wildcards_, 0, i);
      else
        set(literals_, row_for(text_[i]), i);
    }
  }

  bool matches(std::string_view name) const {
    if (text_ == "*") return true;
    if (is_plain_) return text_ == name;
    return run(name, [](auto& run) { return run.at_end(); });
  }
  bool may_match_below(std::string_view name) const {
    return run(name, [](auto& run) {
      run.read(kSeparator);
      return run.alive_before_end();
    });
  }
  std::size_t memory() const {
    return sizeof(*this) + text_.capacity() + 8 * (literals_.capacity() + 2 * words_);
  }

 private:
  using Word = std::uint64_t;

  static void set(std::vector<Word>& words, std::size_t begin, std::size_t bit) {
    words[begin + bit / 64] |= Word{1} << (bit % 64);
  }
  /// Where this byte's row begins in literals_.
  std::size_t row_for(char c) {
    auto& row = rows_[static_cast<unsigned char>(c)];
    if (row == 0) {
      row = static_cast<std::uint8_t>(literals_.size() / words_);
      literals_.resize(literals_.size() + words_);
    }
    return row * words_;
  }
  const Word* literals_of(char c) const {
    return literals_.data() + rows_[static_cast<unsigned char>(c)] * words_;
  }

  /// Most patterns fit into one word, which needs no memory of its own.
  template <class Words>
  class Run {
   public:
    Run(const Pattern& pattern, Words at) : pattern_(pattern), at_(std::move(at)) {
      at_[0] = 1 | ((pattern_.wildcards_[0] & 1) << 1);
      alive_ = 1;
    }
    void read(char c) {
      auto& stay = c == kSeparator ? pattern_.stars_ : pattern_.wildcards_;
      auto* literals = pattern_.literals_of(c);
      Word moved_over = 0;
      Word skipped_over = 0;
      alive_ = 0;
      for (std::size_t i = 0; i < at_.size(); ++i) {
        auto moves = at_[i] & literals[i];
        auto now = (at_[i] & stay[i]) | (moves << 1) | moved_over;
        moved_over = moves >> 63;
        // Wildcards may be passed over at once. They never stand side by side: once is enough.
        auto skips = now & pattern_.wildcards_[i];
        at_[i] = now | (skips << 1) | skipped_over;
        skipped_over = skips >> 63;
        alive_ |= at_[i];
      }
    }
    /// Some continuation can still match.
    bool alive() const { return alive_ != 0; }
    bool at_end() const { return (at_.back() & end()) != 0; }
    /// As alive, but something must come.
    bool alive_before_end() const {
      return (at_.back() & ~end()) != 0 ||
             std::any_of(at_.begin(), at_.end() - 1, [](Word word) { return word != 0; });
    }

   private:
    Word end() const { return Word{1} << (pattern_.text_.size() % 64); }

    const Pattern& pattern_;
    Words at_;
    Word alive_ = 0;
  };

  template <class Words, class Ask>
  bool run_over(Run<Words> run, std::string_view name, Ask ask) const {
    for (char c : name) {
      run.read(c);
      if (!run.alive()) return false;
    }
    return ask(run);
  }
  template <class Ask>
  bool run(std::string_view name, Ask ask) const {
    if (words_ == 1) return run_over(Run(*this, std::array<Word, 1>{}), name, ask);
    return run_over(Run(*this, std::vector<Word>(words_)), name, ask);
  }

  std::string text_;
  std::size_t words_;
  bool is_plain_ = false;
  std::array<std::uint8_t, 256> rows_{};  ///< of literals_, by byte; 254 at most
  std::vector<Word> literals_;
  std::vector<Word> stars_;
  std::vector<Word> wildcards_;
};

bool pattern_matches(std::string_view pattern, std::string_view name) {
  return ListPatterns::Pattern(without_double_wildcards(pattern)).matches(name);
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

std::size_t ListPatterns::memory() const {
  std::size_t bytes = 0;
  for (auto& pattern : patterns_) bytes += pattern.memory();
  return bytes;
}

bool ListPatterns::may_match_below(std::string_view name) const {
  return std::ranges::any_of(patterns_,
                             [&](auto& pattern) { return pattern.may_match_below(name); });
}

}  // namespace hikyaku::imap
