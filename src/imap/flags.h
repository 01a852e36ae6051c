// Message flags: the system flags and keywords (RFC 9051 §2.3.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::imap {

/// The system flags, one bit each.
enum class Flag : std::uint8_t {
  Seen = 1,
  Answered = 2,
  Flagged = 4,
  Deleted = 8,
  Draft = 16,
  Recent = 32,  ///< only the server sets it (RFC 3501 §2.3.2)
};

using FlagBits = std::uint8_t;
constexpr FlagBits bit(Flag flag) {
  return static_cast<FlagBits>(flag);
}
constexpr bool has(FlagBits bits, Flag flag) {
  return (bits & bit(flag)) != 0;
}
/// All that clients can set.
inline constexpr FlagBits kSettableFlags = bit(Flag::Seen) | bit(Flag::Answered) |
                                           bit(Flag::Flagged) | bit(Flag::Deleted) |
                                           bit(Flag::Draft);

/// The flags of a command or a message. Keywords keep the case they were written in; two that
/// differ only in case are one.
struct Flags {
  FlagBits system = 0;
  std::vector<std::string> keywords;

  bool empty() const { return system == 0 && keywords.empty(); }
  bool has_keyword(std::string_view keyword) const;
  friend bool operator==(const Flags&, const Flags&) = default;
};

inline constexpr std::size_t kMaxKeywordBytes = 255;

/// Whether `keyword` may be one: an atom without "]" of at most kMaxKeywordBytes.
Result<> check_keyword(std::string_view keyword);

/// Adds one flag as written ("\Seen", "$Forwarded", "work"). \Recent is ignored: clients that copy
/// mail send back what they saw. Invalid for another unknown "\" flag and for no atom; TooLarge for
/// too long a keyword.
Result<> add_flag(Flags& flags, std::string_view name);

/// The name of a system flag, "\Seen".
std::string_view flag_name(Flag flag);

/// "(\Seen $Forwarded)".
void append_flags(std::string& out, FlagBits system, const std::vector<std::string>& keywords = {});
/// The same with keywords by number: bit n of `keyword_bits` is `names[n]`; bits without a name are
/// left out.
void append_flags(std::string& out, FlagBits system, std::uint64_t keyword_bits,
                  const std::vector<std::string>& names);

}  // namespace hikyaku::imap
