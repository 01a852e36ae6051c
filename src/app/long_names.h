// Names of mailboxes that no file can bear: they are shortened, with a hash of the whole, and the
// file LONG-NAMES beside the mail says the true ones.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::app {

/// Bytes of one name that file systems take.
inline constexpr std::size_t kMaxFileName = 255;

/// A name of at most `room` bytes (100 or more): `name_of` a beginning of `path`, "~" and 32 hex
/// digits. Each path has its own, and none that is_shortened() does not know.
std::string shortened_name(std::string_view path, std::size_t room,
                           const std::function<std::string(std::string_view)>& name_of);

/// True if a name ends as shortened ones do: other mailboxes must not have it.
bool is_shortened(std::string_view name);

/// What LONG-NAMES says: lines of a file's (or folder's) name, a tab, and the mailbox.
class LongNames {
 public:
  static constexpr std::string_view kFile = "LONG-NAMES";

  /// Those of the directory `top`; none if it has no such file. Corrupt: it is a link.
  static Result<LongNames> read(const std::filesystem::path& top);
  /// Adds one, and writes it down in `top`.
  Result<void> add(const std::filesystem::path& top, std::string file, std::string mailbox);

  /// The mailbox in this file; nullptr: its name says it.
  const std::string* find(const std::string& file) const;
  const std::map<std::string, std::string>& all() const { return mailboxes_; }

 private:
  std::map<std::string, std::string> mailboxes_;  ///< by file
};

}  // namespace hikyaku::app
