// HeaderFields: the fields of one header, found by name as signatures name them; and whether every
// program reads this header in the same way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dkim/canonical.h"
#include "mime/header.h"

namespace hikyaku::dkim {

class HeaderFields {
 public:
  /// `header`: with or without the empty line that ends it. The bytes must outlive this. Fields
  /// beyond `limit` are not looked at, and `problem` says so.
  explicit HeaderFields(std::string_view header, std::size_t limit = 10'000);

  /// In their order, without junk.
  const std::vector<mime::Field>& all() const { return fields_; }
  /// How many fields have this name (any case).
  std::size_t count(std::string_view name) const;
  /// True if any name stands there more than once.
  bool has_repeated() const { return repeated_; }
  /// Those of this name, the last first.
  std::vector<const mime::Field*> find_all(std::string_view name) const;

  /// The fields that a list of names (lower case) means: for each name the lowest that was not
  /// taken yet; names for which there is none (any more) are passed over (RFC 6376 §5.4.2).
  /// `except`, the signature itself, is never taken.
  std::vector<const mime::Field*> select(const std::vector<std::string>& names,
                                         const mime::Field* except) const;

  /// Why programs may disagree about who wrote this message: not one From field, a name with space
  /// behind it, lines that are no fields, NUL, bare CR or LF. Empty when they will not.
  const std::string& problem() const { return problem_; }

 private:
  struct Range {
    std::size_t begin, end;
  };
  Range range(std::string_view name) const;
  std::string find_problem(std::string_view header) const;

  std::vector<mime::Field> fields_;
  std::vector<std::uint32_t> by_name_;  ///< sorted by name in lower case, the last of a name first
  bool repeated_ = false;
  std::string problem_;
};

/// The name of a field that a reader is shown once and that stands there several times, some of
/// them signed and some not: which one is shown is a matter of luck (RFC 6376 §8.15). Empty when
/// there is none.
std::string find_unsigned_copy(const HeaderFields& fields,
                               const std::vector<const mime::Field*>& selected);

/// Whether a field of this name stands there that is not among those.
bool has_unsigned(const HeaderFields& fields, const std::vector<const mime::Field*>& selected,
                  std::string_view name);

/// What is signed beside the body: the selected fields and the signature's own field with its b=
/// emptied, without its line end (RFC 6376 §3.7).
std::string signed_data(const std::vector<const mime::Field*>& selected, const mime::Field& own,
                        Canonicalization canonicalization);

}  // namespace hikyaku::dkim
