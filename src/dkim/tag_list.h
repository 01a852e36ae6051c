// Lists of "tag=value;" as in signatures, key records and DMARC records (RFC 6376 §3.2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::dkim {

struct TagLimits {
  std::size_t bytes = 64 * 1024;  ///< of the whole list
  std::size_t tags = 64;
};

struct Tag {
  std::string_view name;   ///< as written: tag names are case-sensitive
  std::string_view value;  ///< without space at its ends; folds inside are kept
};

/// A parsed list, in the order in which it was written. All views point into the text.
class TagList {
 public:
  /// Invalid, with the reason in words, for what the grammar does not allow: a name that is no
  /// tag-name, no "=", control characters, a bare CR or LF, ill-formed UTF-8, an empty tag but at
  /// the end, or a name that stands there twice. TooLarge beyond the limits. Values may hold UTF-8
  /// (RFC 8616 §5).
  static hikyaku::Result<TagList> parse(std::string_view text, TagLimits limits = {});

  const std::vector<Tag>& tags() const { return tags_; }
  /// The tag's value, or nullopt if it is not there (an empty value is there).
  std::optional<std::string_view> find(std::string_view name) const;

 private:
  std::vector<Tag> tags_;
};

/// Without any SP, HTAB, CR and LF.
std::string without_space(std::string_view value);

/// The value of base64 with folds in it, padded or not (RFC 6376 §2.10); nullopt for anything else,
/// also for the empty value.
std::optional<std::string> decode_base64_value(std::string_view value);

/// Pieces between colons, without the space around them; empty ones stay ("a::b" has three).
std::vector<std::string_view> split_colons(std::string_view value);

}  // namespace hikyaku::dkim
