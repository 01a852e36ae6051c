// What the files of a backup were when it was made, and whether they still are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/backup_files.h"
#include "app/copy_files.h"
#include "base/phrase.h"

namespace hikyaku::app {

/// The file SUMS: a line for each file below the dated directory, as sha256sum(1) writes and checks
/// them.
class BackupSums {
 public:
  /// `path` below the dated directory: "store/journal/00000001.log".
  void add(std::string path, std::string sum) { sums_[std::move(path)] = std::move(sum); }
  /// "" if there is none.
  std::string of(const std::string& path) const;
  const std::map<std::string, std::string>& all() const { return sums_; }

  std::string text() const;
  /// Writes them to a backup's directory. Gives the sum of that file, hexadecimal. Denied, NoSpace,
  /// Io.
  Result<std::string> write(const std::filesystem::path& backup) const;
  /// Corrupt: not of this form, or of files elsewhere.
  static Result<BackupSums> parse(std::string_view text);
  /// Those of a backup, if they are what BACKUP.json says. NotFound: it was made without; Corrupt,
  /// Denied, Io.
  static Result<BackupSums> read(const BackupInfo& info);

 private:
  std::map<std::string, std::string> sums_;
};

/// A file of a backup that is not what it was.
struct RottenFile {
  enum class What {
    Missing,
    Changed,
    Unreadable,  ///< or a link
    Unknown,     ///< it was not there
  };
  std::string path;  ///< below the dated directory
  What what{};

  std::string describe(Language language) const;
};

/// What is wrong with the files of a backup.
struct FilesReport {
  std::vector<RottenFile> rotten;
  /// Of a backup without sums: how many files and bytes there are and should be.
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t missing_files = 0, missing_bytes = 0;
  bool sums_lost = false;  ///< SUMS is not there any more, or not what it was

  bool good() const {
    return rotten.empty() && missing_files == 0 && missing_bytes == 0 && !sums_lost;
  }
  /// Whether every file is known to be what it was when the backup was made.
  bool as_made(const BackupInfo& info) const { return good() && !info.sums.empty(); }
  /// A sentence for each.
  std::vector<std::string> describe(Language language) const;
};

/// Whether a file is the backup's: SUMS names it, or there is no SUMS that could.
class KnownFiles {
 public:
  explicit KnownFiles(const BackupInfo& info);
  bool contains(const std::string& path) const { return !sums_ || !sums_->of(path).empty(); }

 private:
  std::optional<BackupSums> sums_;
};

/// Compares the files below `only` ("" for all) with `found`, path to sum, of those that could be
/// read; `unreadable` are the others. The sums of those that SUMS does not name are not looked at.
FilesReport compare_files(const BackupInfo& info, const std::string& only,
                          const std::map<std::string, std::string>& found,
                          const std::set<std::string>& unreadable);

/// Reads the files below `only` ("" for all) of a backup, and compares.
FilesReport check_files(const BackupInfo& info, const std::string& only, const CountBytes& read);

}  // namespace hikyaku::app
