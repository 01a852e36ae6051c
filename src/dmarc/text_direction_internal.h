// Whether text that comes next would be drawn in another order than it stands: the explicit
// directional characters of Unicode (UAX #9 §2); part of author.cc.
#pragma once

#include <string>
#include <string_view>

namespace hikyaku::dmarc {

/// U+202A to U+202E, U+2066 to U+2069.
bool has_direction_characters(std::string_view text);

class TextDirection {
 public:
  /// The next piece of a field's value, with encoded words or without; each word is in one piece.
  void feed(std::string_view piece);

  /// True if something stands open that can turn what follows: everything but what says "from left
  /// to right", as an address is read anyway.
  bool turns_what_follows() const {
    return too_deep_ || open_.find_first_not_of("ei") != open_.npos;
  }

 private:
  void take(char kind);

  std::string open_;  ///< as its letters in the source file
  bool too_deep_ = false;
};

}  // namespace hikyaku::dmarc
