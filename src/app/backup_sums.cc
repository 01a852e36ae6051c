#include "app/backup_sums.h"

#include <algorithm>
#include <utility>

#include "app/core.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "store/store_files.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSumsName = "SUMS";
constexpr std::size_t kMostSums = 64 << 20;
constexpr std::size_t kSumLength = 64;

constexpr Phrase kMissing{"{} is missing", "{} がありません"};
constexpr Phrase kChanged{"{} is not what it was when the backup was made",
                          "{} はバックアップ時のものではありません"};
constexpr Phrase kUnreadable{"{} cannot be read", "{} を読めません"};
constexpr Phrase kUnknown{"{} was not there when the backup was made",
                          "{} はバックアップ時にはありませんでした"};
constexpr Phrase kTooFew{"{} of {} [file is|files are] missing",
                         "{1} ファイルのうち {0} がありません"};
constexpr Phrase kTooShort{"{} of {} bytes are missing", "{1} バイトのうち {0} がありません"};
constexpr Phrase kSumsLost{
    "SUMS is missing or not what it was: whether the other files are cannot be told by it",
    "SUMS がないか、書いたとおりではありません。ほかのファイルをこれで確かめることはできません"};

bool is_below(const std::string& path, const std::string& only) {
  return only.empty() || path == only || path.starts_with(only + '/');
}

/// What opening a backup's index for reading leaves there.
bool is_left_by_readers(const std::string& path) {
  return path.starts_with("store/index/LOG") || path == "store/index/LOCK";
}

/// Everything in a backup's directories that is no directory, links too. What cannot be listed goes
/// to `unreadable`.
std::vector<std::string> names_in(const BackupInfo& info, std::set<std::string>& unreadable) {
  std::vector<std::string> names;
  for (auto& top : {info.store(), info.config()}) {
    auto base = top.filename();
    std::error_code error;
    auto type = fs::symlink_status(top, error).type();
    if (type != fs::file_type::directory && type != fs::file_type::not_found)
      names.push_back(base.string());
    if (type != fs::file_type::directory) continue;
    for (fs::recursive_directory_iterator entry(top, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code ignored;
      if (entry->symlink_status(ignored).type() != fs::file_type::directory)
        names.push_back((base / entry->path().lexically_relative(top)).string());
    }
    if (error) unreadable.insert(base.string());
  }
  return names;
}

/// Of a backup that has no sums, what can be told by counting.
void count_files(const BackupInfo& info, FilesReport& report) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(info.store(), error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->symlink_status(ignored).type() != fs::file_type::regular ||
        entry->path().filename() == store::kCleanMark)
      continue;
    ++report.files;
    report.bytes += entry->file_size(ignored);
  }
  report.missing_files = info.files - std::min(info.files, report.files);
  report.missing_bytes = info.bytes - std::min(info.bytes, report.bytes);
  report.files = info.files;
  report.bytes = info.bytes;
}

}  // namespace

std::string BackupSums::of(const std::string& path) const {
  auto found = sums_.find(path);
  return found == sums_.end() ? "" : found->second;
}

std::string BackupSums::text() const {
  std::string text;
  for (auto& [path, sum] : sums_) text += sum + "  " + path + '\n';
  return text;
}

Result<std::string> BackupSums::write(const fs::path& backup) const {
  auto bytes = text();
  TRY_DO(write_synced(backup / kSumsName, bytes));
  return to_hex(crypto::digest(crypto::Hash::Sha256, bytes));
}

Result<BackupSums> BackupSums::parse(std::string_view text) {
  BackupSums sums;
  while (!text.empty()) {
    auto end = text.find('\n');
    auto line = text.substr(0, end);
    auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (end == text.npos || line.size() < kSumLength + 3 || line.substr(kSumLength, 2) != "  " ||
        !std::ranges::all_of(line.substr(0, kSumLength), is_hex))
      return fail(ErrorCode::Corrupt, "{} is not a list of checksums", kSumsName);
    auto path = line.substr(kSumLength + 2);
    if (!stays_below(path)) return fail(ErrorCode::Corrupt, "{} names a file elsewhere", kSumsName);
    sums.add(std::string(path), std::string(line.substr(0, kSumLength)));
    text.remove_prefix(end + 1);
  }
  return sums;
}

Result<BackupSums> BackupSums::read(const BackupInfo& info) {
  if (info.sums.empty())
    return fail(ErrorCode::NotFound, "{} was made without checksums", info.path.string());
  auto text = read_below({info.path, kSumsName}, kMostSums);
  if (!text && text.error().code == ErrorCode::NotFound)
    return fail(ErrorCode::Corrupt, "{} is missing", (info.path / kSumsName).string());
  if (!text) return std::unexpected(std::move(text).error());
  if (to_hex(crypto::digest(crypto::Hash::Sha256, *text)) != info.sums)
    return fail(ErrorCode::Corrupt, "{} is not what was written", (info.path / kSumsName).string());
  return parse(*text);
}

std::string RottenFile::describe(Language language) const {
  auto phrase = [&]() -> const Phrase& {
    switch (what) {
      case What::Missing:
        return kMissing;
      case What::Changed:
        return kChanged;
      case What::Unreadable:
        return kUnreadable;
      case What::Unknown:
        return kUnknown;
    }
    std::unreachable();
  };
  return say(language, phrase(), path);
}

std::vector<std::string> FilesReport::describe(Language language) const {
  std::vector<std::string> all;
  for (auto& one : rotten) all.push_back(one.describe(language));
  if (missing_files != 0) all.push_back(say(language, kTooFew, missing_files, files));
  if (missing_bytes != 0) all.push_back(say(language, kTooShort, missing_bytes, bytes));
  if (sums_lost) all.push_back(say(language, kSumsLost));
  return all;
}

KnownFiles::KnownFiles(const BackupInfo& info) {
  if (auto sums = BackupSums::read(info)) sums_ = std::move(*sums);
}

FilesReport compare_files(const BackupInfo& info, const std::string& only,
                          const std::map<std::string, std::string>& found,
                          const std::set<std::string>& unreadable) {
  FilesReport report;
  for (auto& path : unreadable)
    if (is_below(path, only)) report.rotten.push_back({path, RottenFile::What::Unreadable});
  auto sums = BackupSums::read(info);
  if (!sums) {
    report.sums_lost = sums.error().code != ErrorCode::NotFound;
    if (is_below("store", only)) count_files(info, report);
    return report;
  }
  for (auto& [path, sum] : sums->all()) {
    if (!is_below(path, only) || unreadable.contains(path)) continue;
    auto file = found.find(path);
    if (file == found.end())
      report.rotten.push_back({path, RottenFile::What::Missing});
    else if (file->second != sum)
      report.rotten.push_back({path, RottenFile::What::Changed});
  }
  for (auto& [path, sum] : found)
    if (is_below(path, only) && sums->of(path).empty() && !is_left_by_readers(path))
      report.rotten.push_back({path, RottenFile::What::Unknown});
  return report;
}

FilesReport check_files(const BackupInfo& info, const std::string& only, const CountBytes& read) {
  std::map<std::string, std::string> found;
  std::set<std::string> unreadable;
  auto sums = BackupSums::read(info);
  if (sums) {
    for (auto& path : names_in(info, unreadable))
      if (sums->of(path).empty()) found.emplace(path, "");
    for (auto& [path, sum] : sums->all()) {
      if (!is_below(path, only)) continue;
      auto now = sum_of_file({info.path, path}, std::nullopt, read);
      if (now)
        found.emplace(path, *now);
      else if (now.error().code != ErrorCode::NotFound)
        unreadable.insert(path);
    }
  }
  return compare_files(info, only, found, unreadable);
}

}  // namespace hikyaku::app
