#include "app/missing_store.h"

#include <algorithm>
#include <ctime>
#include <functional>
#include <sys/stat.h>
#include <utility>

#include "app/next_steps.h"
#include "base/phrase.h"
#include "store/open.h"
#include "store/posix_file_system.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr Phrase kFinish{
    "there is no store in {}: a restore was cut off at its last step. To finish it: mv -T {} {}",
    "{} に保管庫がありません。復元が最後の段階で中断されています。完了させるには: mv -T {} {}"};
constexpr Phrase kAnew{
    "there is no store in {}: a restore was cut off. Begin it anew: hikyaku restore BACKUP{}",
    "{} に保管庫がありません。復元が中断されています。やり直すには: hikyaku restore "
    "バックアップ{}"};
constexpr Phrase kBack{". Or go back to the store that was set aside: mv -T {} {}",
                       "。または、脇へ移した保管庫に戻すには: mv -T {} {}"};
constexpr Phrase kDangling{
    "there is no store in {}: it leads to {}, which is not there. Is the disk mounted?",
    "{} に保管庫がありません。リンク先の {} "
    "がありません。ディスクはマウントされていますか?"};
constexpr Phrase kMissing{
    "there is no store in {}. Is its disk mounted? Otherwise restore a backup (hikyaku restore "
    "BACKUP{}), or begin with an empty store, without accounts: hikyaku serve --new-store{}",
    "{} に保管庫がありません。ディスクはマウントされていますか?"
    "そうでなければバックアップを復元するか(hikyaku restore バックアップ{})、"
    "アカウントのない空の保管庫で始めてください: hikyaku serve --new-store{}"};

fs::path with_suffix(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

enum class There { No, Yes, Unknown };
There look_at(const fs::path& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) == 0) return There::Yes;
  return errno == ENOENT || errno == ENOTDIR ? There::No : There::Unknown;
}

}  // namespace

fs::path restoring_beside(const fs::path& data) {
  return with_suffix(data, ".restoring");
}
fs::path restored_beside(const fs::path& data) {
  return with_suffix(data, ".restored");
}
fs::path former_beside(const fs::path& data) {
  return with_suffix(data, ".before-restore");
}

std::vector<fs::path> formers_beside(const fs::path& data) {
  struct Former {
    std::pair<std::time_t, long> renamed;
    fs::path path;
  };
  auto prefix = former_beside(data).filename().string();
  std::vector<Former> all;
  std::error_code error;
  for (fs::directory_iterator entry(data.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    struct stat facts{};
    if (!entry->path().filename().string().starts_with(prefix)) continue;
    if (::stat(entry->path().c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) continue;
    // Renaming is a change.
    all.push_back({{facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec}, entry->path()});
  }
  std::ranges::sort(all, std::greater(), &Former::renamed);
  std::vector<fs::path> paths;
  for (auto& one : all) paths.push_back(std::move(one.path));
  return paths;
}

std::optional<std::string> describe_missing_store(const Instance& placed, Language language) {
  const auto& data = placed.data;
  store::PosixFileSystem files;
  if (!store::is_missing(files, data.string()).value_or(false)) return std::nullopt;
  std::error_code error;
  if (fs::is_symlink(data, error) && look_at(data) == There::No)
    return say(language, kDangling, data.string(), fs::read_symlink(data, error).string());
  auto dir = dir_words(placed);
  auto place_is_free = look_at(data) == There::No;
  auto restored = look_at(restored_beside(data)) == There::Yes;
  auto formers = formers_beside(data);
  if (!restored && formers.empty() && look_at(restoring_beside(data)) != There::Yes)
    return say(language, kMissing, data.string(), dir, dir);
  auto text = restored && place_is_free ? say(language, kFinish, data.string(),
                                              restored_beside(data).string(), data.string())
                                        : say(language, kAnew, data.string(), dir);
  if (!formers.empty() && place_is_free)
    text += say(language, kBack, formers.front().string(), data.string());
  return text;
}

std::optional<Exit> report_missing_store(const Instance& placed, Terminal& terminal) {
  auto text = describe_missing_store(placed, terminal.language());
  if (!text) return std::nullopt;
  terminal.complain_text(*text);
  return Exit::NoInput;
}

}  // namespace hikyaku::app
