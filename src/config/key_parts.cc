#include "config/key_parts.h"

#include <algorithm>

namespace hikyaku::config {
namespace {

class KeyScanner {
 public:
  explicit KeyScanner(std::string_view text) : text_(text) {}

  std::optional<int> run() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        skip_to_line_end();
        continue;
      }
      note(c);
      ++at_;
    }
    return found_;
  }

 private:
  /// A key goes on over blanks and quoted parts.
  void note(char c) {
    if (c == '\n') ++line_;
    if (c == '.') {
      if (++dots_ >= kMostKeyParts && !found_) found_ = line_;
    } else if (std::string_view("\n=,[]{}").contains(c)) {
      dots_ = 0;
    }
  }

  void skip_to_line_end() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  void skip_string(char quote) {
    std::string_view three = quote == '"' ? "\"\"\"" : "'''";
    bool long_one = text_.substr(at_).starts_with(three);
    at_ += long_one ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '\n' && !long_one) return;  // it has no end
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"') {
        skip_escape();
      } else if (c == quote && !long_one) {
        ++at_;
        return;
      } else if (c == quote && text_.substr(at_).starts_with(three)) {
        return skip_end(quote);
      }
    }
  }

  void skip_escape() {
    if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
  }

  /// Up to two quotes more belong to the string: """"a""""" is "a" in quotes.
  void skip_end(char quote) {
    for (int i = 0; i < 5 && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  int dots_ = 0;
  std::optional<int> found_;
};

}  // namespace

std::optional<int> find_deep_key(std::string_view text) {
  return KeyScanner(text).run();
}

}  // namespace hikyaku::config
