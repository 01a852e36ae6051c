// Reads a From value by the strict grammar; part of author.cc.
#pragma once

#include <string>
#include <string_view>

#include "dmarc/author.h"
#include "dmarc/text_direction_internal.h"

namespace hikyaku::dmarc {

/// Fills `author` with the addresses of `value`. Ends at the first finding: what follows could be
/// read in any way.
class FromScanner {
 public:
  FromScanner(std::string_view value, const AuthorLimits& limits, Author& author)
      : left_(value), whole_(value), limits_(limits), author_(author) {}

  void run();

 private:
  /// The words in front of an address.
  struct Words {
    std::string_view text;  ///< of the only word
    std::size_t count = 0;
    bool adjacent = false;  ///< nothing stands between the last word and what follows
    bool quoted = false;    ///< the last word is a quoted string
    std::string encoded;    ///< encoded words, decoded
    std::string name;       ///< all of it
  };

  bool fail(AuthorProblem problem);
  bool characters();
  bool mailbox();
  bool words(Words& words);
  bool skip(bool in_address);
  bool comment(bool in_address);
  bool quoted_string(Words& words);
  bool atoms(Words& words);
  bool check_encoded(const std::string& decoded);
  bool check_quotes(std::string_view raw, std::string_view content);
  bool shows_address(std::string_view text, std::size_t quoted);
  bool check_direction();
  bool angle_address(const Words& words);
  bool bare_address(const Words& words);
  bool local_part();
  bool domain(std::string_view whole_from);
  bool end_of_mailbox();
  bool next_is(char c) const { return !left_.empty() && left_.front() == c; }

  std::string_view left_;
  std::string_view whole_;
  const AuthorLimits& limits_;
  Author& author_;
  TextDirection direction_;
  std::size_t directed_ = 0;          ///< how far it was fed
  bool quotes_break_ = false;         ///< a line has ended inside of quotes
  bool quotes_have_address_ = false;  ///< that are not ended so
  std::size_t signs_ = 0;             ///< "@" behind that, inside of quotes
};

}  // namespace hikyaku::dmarc
