// What a repair of a store (or of a backup that is restored) has lost, kept for the time after the
// terminal is closed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "base/result.h"
#include "base/time.h"

namespace hikyaku::app {

/// A file in the data directory: REPAIRING.txt while the repair goes on, REPAIRED-DATE.txt for
/// good. One that was cut off is gone on with.
class RepairNote {
 public:
  /// `data`: the directory of the store. `what`: its first line, without the time. Denied, Io.
  static Result<RepairNote> open(const std::filesystem::path& data, Time now, std::string what);

  /// What repairs that were cut off had noted: they may have mended what would tell it again.
  const std::vector<std::string>& earlier() const { return earlier_; }
  /// Notes what is not noted yet; all of it is on the disk then. NoSpace, Io.
  Result<void> add(const std::vector<std::string>& lines);
  /// The repair is done: the file gets its lasting name, which this gives, or goes if nothing is
  /// `lost`. nullopt: there is none.
  Result<std::optional<std::filesystem::path>> finish(bool lost);

 private:
  RepairNote(std::filesystem::path data, Time now, std::string what)
      : data_(std::move(data)), now_(now), what_(std::move(what)) {}

  std::filesystem::path data_;
  Time now_;
  std::string what_;
  std::vector<std::string> earlier_;
  std::vector<std::string> lines_;
};

/// The names of the lasting notes in a data directory, the oldest first; REPAIRING.txt behind them
/// if a repair was cut off.
std::vector<std::string> repair_notes(const std::filesystem::path& data);
inline constexpr const char* kRepairing = "REPAIRING.txt";
/// Begins the lines of a note that name what is lost.
inline constexpr std::string_view kLostWord = "lost: ";
/// Where the note is, for whoever had it made.
inline constexpr Phrase kNoted{
    "What is lost stays written in {}, so that it can be told to the people whose mail it was. "
    "Remove that file when it has been.",
    "失われたものは {} "
    "に残してあります。メールの持ち主に伝えるためです。伝え終えたら、そのファイルを消してください"
    "。"};

}  // namespace hikyaku::app
