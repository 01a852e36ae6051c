// What a repair of a store has lost, kept for the time after the terminal is closed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hikyaku::app {

/// A file in the data directory: REPAIRING.txt while the repair goes on, REPAIRED-DATE.txt for
/// good. One that was cut off is gone on with.
class RepairNote {
 public:
  /// `data`: the directory of the store. Denied, Io.
  static Result<RepairNote> open(const std::filesystem::path& data, Time now);

  /// What repairs that were cut off had noted: they may have mended what would tell it again.
  const std::vector<std::string>& earlier() const { return earlier_; }
  /// Notes what is not noted yet; all of it is on the disk then. NoSpace, Io.
  Result<void> add(const std::vector<std::string>& lines);
  /// The repair is done: the file gets its lasting name, which this gives, or goes if nothing is
  /// `lost`. nullopt: there is none.
  Result<std::optional<std::filesystem::path>> finish(bool lost);

 private:
  RepairNote(std::filesystem::path data, Time now) : data_(std::move(data)), now_(now) {}

  std::filesystem::path data_;
  Time now_;
  std::vector<std::string> earlier_;
  std::vector<std::string> lines_;
};

/// The names of the lasting notes in a data directory, the oldest first; REPAIRING.txt behind them
/// if a repair was cut off.
std::vector<std::string> repair_notes(const std::filesystem::path& data);
inline constexpr const char* kRepairing = "REPAIRING.txt";

}  // namespace hikyaku::app
