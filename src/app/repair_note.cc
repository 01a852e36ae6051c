#include "app/repair_note.h"

#include <algorithm>
#include <set>
#include <unistd.h>

#include "base/text.h"
#include "store/posix_file_system.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRepaired = "REPAIRED-";
constexpr std::size_t kMostNoted = 256 << 20;
constexpr std::size_t kMostLine = 4096;

/// "REPAIRED-20261122T031500Z", with -2, -3 … where that is taken.
fs::path free_name(const fs::path& data, Time now) {
  auto date = format_rfc3339(now).substr(0, 19);
  std::erase_if(date, [](char c) { return c == '-' || c == ':'; });
  auto name = std::string(kRepaired) + date + "Z";
  std::error_code error;
  auto path = data / (name + ".txt");
  for (int i = 2; fs::exists(fs::symlink_status(path, error)); ++i)
    path = data / (name + "-" + std::to_string(i) + ".txt");
  return path;
}

}  // namespace

Result<RepairNote> RepairNote::open(const fs::path& data, Time now, std::string what) {
  RepairNote note(data, now, std::move(what));
  store::PosixFileSystem files;
  auto text = store::read_file(files, data / kRepairing, kMostNoted);
  if (!text && text.error().code == ErrorCode::NotFound) return note;
  if (!text) return std::unexpected(text.error());
  for (auto line : split(*text, '\n'))
    if (!line.empty()) note.earlier_.emplace_back(line);
  note.lines_ = note.earlier_;
  return note;
}

Result<void> RepairNote::add(const std::vector<std::string>& lines) {
  std::set<std::string_view> known(lines_.begin(), lines_.end());
  std::vector<std::string> news;
  for (auto& line : lines)
    if (auto shown = printable(line, kMostLine); !known.contains(shown))
      news.push_back(std::move(shown));
  if (news.empty()) return {};
  if (lines_.empty()) lines_.push_back(what_ + ", " + format_rfc3339(now_));
  lines_.insert(lines_.end(), news.begin(), news.end());
  store::PosixFileSystem files;
  return store::replace_file(files, data_, kRepairing, join(lines_, "\n") + "\n");
}

Result<std::optional<fs::path>> RepairNote::finish(bool lost) {
  if (lines_.empty()) return std::nullopt;
  store::PosixFileSystem files;
  auto to = free_name(data_, now_);
  if (lost) {
    TRY_DO(files.rename(data_ / kRepairing, to));
  } else {
    TRY_DO(files.unlink(data_ / kRepairing));
  }
  TRY_DO(files.sync_directory(data_));
  if (!lost) return std::nullopt;
  return to;
}

std::vector<std::string> repair_notes(const fs::path& data) {
  store::PosixFileSystem files;
  auto names = files.list(data).value_or(std::vector<std::string>());
  std::erase_if(names, [](auto& name) {
    return name != kRepairing && !(name.starts_with(kRepaired) && name.ends_with(".txt"));
  });
  std::ranges::partition(names, [](auto& name) { return name != kRepairing; });
  return names;
}

}  // namespace hikyaku::app
