// Mailbox names: on the wire in modified UTF-7 or UTF-8, inside always UTF-8 with "/" between
// levels.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::imap {

/// Between the levels of a name.
inline constexpr char kSeparator = '/';

/// Modified UTF-7 (RFC 3501 §5.1.3) of well-formed UTF-8.
std::string to_utf7(std::string_view utf8);
/// The UTF-8 that a modified UTF-7 name stands for. Invalid for a bad sequence, for printable ASCII
/// in base64, for unpaired surrogates: two spellings of one name are not allowed.
Result<std::string> from_utf7(std::string_view name);

/// How mailbox names look on this connection.
enum class NameForm {
  Utf7,  ///< IMAP4rev1; well-formed UTF-8 is read too, since many clients send it
  Utf8,  ///< after ENABLE UTF8=ACCEPT or IMAP4rev2 (RFC 9755 §3, RFC 9051 §5.1)
};

/// A name from a command as we keep it: UTF-8, and the first level "INBOX" in capitals however it
/// was written (RFC 9051 §5.1). Does not ask whether such a mailbox may exist: see check_new_name.
Result<std::string> decode_name(std::string_view wire, NameForm form);
/// The other way round.
std::string encode_name(std::string_view name, NameForm form);

/// A LIST pattern as UTF-8; what is no valid modified UTF-7 stays as it is (and so matches only
/// itself).
std::string decode_pattern(std::string_view wire, NameForm form);

/// Limits of new names.
struct NameLimits {
  std::size_t bytes = 1000;       ///< of the whole name in UTF-8
  std::size_t level_bytes = 255;  ///< of one level
  std::size_t levels = 32;
};
/// Whether a mailbox may be created or renamed to `name` (decoded; a trailing separator removed
/// before): no empty levels, no control characters, no "%" or "*" (nobody could LIST it exactly),
/// not "." or "..", well-formed UTF-8, within the limits. Invalid or TooLarge with the reason.
Result<> check_new_name(std::string_view name, const NameLimits& limits = {});

/// The first level is INBOX in any case, so the name is INBOX or below it.
bool is_inbox(std::string_view name);
/// "a/b" of "a/b/c", empty at the top.
std::string_view parent_name(std::string_view name);

/// One or more LIST patterns, prepared: "*" stands for anything, "%" for anything but the separator
/// (RFC 9051 §6.3.9). The first level INBOX matches in any case. Time is that of the name, and once
/// more for every 64 bytes of the pattern: some 20 µs for 1,000 bytes each.
class ListPatterns {
 public:
  /// `reference` is put in front of every pattern that does not begin with the separator.
  ListPatterns(std::string_view reference, const std::vector<std::string>& patterns);
  ~ListPatterns();
  ListPatterns(ListPatterns&&) noexcept;
  ListPatterns& operator=(ListPatterns&&) noexcept;

  bool matches(std::string_view name) const;
  /// Whether a child of `name`, at any depth, could match: walks of the tree may skip it otherwise.
  bool may_match_below(std::string_view name) const;
  std::size_t memory() const;

 private:
  friend bool pattern_matches(std::string_view pattern, std::string_view name);

  class Pattern;
  std::vector<Pattern> patterns_;
  bool matches_inbox_ = false;
};

/// One pattern against one name, as above, but for INBOX.
bool pattern_matches(std::string_view pattern, std::string_view name);

}  // namespace hikyaku::imap
