#include "app/backup_files.h"

#include <algorithm>
#include <fmt/core.h>
#include <ranges>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "app/backup_sums.h"
#include "app/copy_files.h"
#include "app/core.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/terminal.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "store/posix_file_system.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr Phrase kPassedOver{"{} is passed over: {}. Remove it, or mend its BACKUP.json.",
                             "{} は飛ばします: {}。削除するか BACKUP.json を直してください。"};
constexpr Phrase kMadeOfDamaged{
    "{} was made of a damaged store on {}. Known then: {}.",
    "{} は {} に、壊れた保管庫から作られました。そのとき分かっていたこと: "
    "{}。"};
constexpr const char* kInfoName = "BACKUP.json";
constexpr const char* kRestoredName = "RESTORED";
constexpr const char* kRottenName = "ROTTEN";
constexpr std::string_view kPartial = ".partial-";
/// Locked while a backup is made.
constexpr const char* kLockName = ".lock";
/// What of two files of the same name and size is compared: the header of a segment has a secret
/// number that no other has, the end of an index file says which one it is.
constexpr std::size_t kCompared = 4096;

/// For its owner only; Exists when there is anything, be it a link.
Result<void> make_new_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  return std::unexpected(errno_error("cannot make " + path.string(), errno));
}

/// What is made is for its owner only; what is there stays as it is.
Result<void> make_directories(const fs::path& path) {
  std::error_code error;
  bool made = fs::create_directories(path, error);
  if (error) return failed("cannot make " + path.string(), error);
  if (made) ::chmod(path.c_str(), 0700);
  return {};
}

/// "20261122T031500Z", "20261122T031500Z-2".
bool is_backup_name(std::string_view name) {
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.size() < 16 || name[8] != 'T' || name[15] != 'Z') return false;
  auto number = name.substr(16);
  if (!number.empty() && (number.size() == 1 || number.front() != '-')) return false;
  return std::ranges::all_of(name.substr(0, 8), is_digit) &&
         std::ranges::all_of(name.substr(9, 6), is_digit) &&
         (number.empty() || std::ranges::all_of(number.substr(1), is_digit));
}

/// One file, whatever it is called.
using FileId = std::pair<dev_t, ino_t>;
struct FileFacts {
  FileId id{};
  timespec changed{};  ///< its bytes
  std::uint64_t size = 0;
  std::string begin, end;  ///< kCompared bytes at most
};

std::string some_of(const net::UniqueFd& file, std::uint64_t from) {
  std::string bytes(kCompared, '\0');
  auto got = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return bytes;
}

/// Of a file that is no link; `length` bytes of it count.
std::optional<FileFacts> facts_of(const FileBelow& path, std::uint64_t length = 0) {
  auto file = open_below(path);
  struct stat facts{};
  if (!file || ::fstat(file->get(), &facts) != 0) return std::nullopt;
  auto end = length - std::min<std::uint64_t>(length, kCompared);
  return FileFacts{{facts.st_dev, facts.st_ino},
                   facts.st_mtim,
                   static_cast<std::uint64_t>(facts.st_size),
                   some_of(*file, 0),
                   some_of(*file, end)};
}

/// Whether a file of an earlier backup was this one, as far as a look at both ends tells.
bool looks_the_same(const FileFacts& before, const FileFacts& now, std::uint64_t length) {
  return before.size == length && before.begin == now.begin && before.end == now.end;
}

/// The newest backup, to whose files those of the next are linked if they have not changed.
class Before {
 public:
  Before(const BackupInfo& info, const std::vector<BackupInfo>& all) : path_(info.path) {
    if (auto sums = BackupSums::read(info)) sums_ = std::move(*sums);
    if (auto facts = facts_of({path_, kInfoName})) made_ = facts->changed;
    for (auto& one : all) {
      // By both ends they look like the store's, and have the sums of what they are.
      for (auto& zeroed : one.damage.zeroed)
        if (auto facts = facts_of({one.path, zeroed})) rotten_.insert(facts->id);
      auto text = read_below({one.path, kRottenName}, kMostRotten);
      if (!text) continue;
      for (auto line : split(*text, '\n'))
        if (auto facts = facts_of({one.path, std::string(line)})) rotten_.insert(facts->id);
    }
  }

  FileBelow file(const std::string& name) const { return {path_, name}; }

  /// The sum of a file that can be linked to, or nothing. `now` is the store's own.
  std::optional<std::string> usable(const std::string& name, const FileBelow& now,
                                    const store::Frozen::File& frozen) const {
    auto length = frozen.length;
    auto mine = facts_of(file(name), length);
    auto theirs = facts_of(now, length);
    if (!mine || !theirs || !looks_the_same(*mine, *theirs, length)) return std::nullopt;
    auto read = [length](const FileBelow& file) {
      return sum_of_file(file, length, [](std::uint64_t) {}).value_or("");
    };
    auto sum = sums_.of(name);
    auto touched = std::pair(mine->changed.tv_sec, mine->changed.tv_nsec) >
                   std::pair(made_.tv_sec, made_.tv_nsec);
    if (mine->id == theirs->id) {
      if (!frozen.sealed) return std::nullopt;  // the server goes on writing to it
      // A copy would be no better.
      if (sum.empty() || touched) sum = read(now);
    } else if (rotten_.contains(mine->id)) {
      return std::nullopt;
    } else if (sum.empty()) {  // made by a version that kept none: once
      sum = read(file(name));
      if (sum != read(now)) return std::nullopt;
    } else if (touched && sum != read(file(name))) {
      return std::nullopt;
    }
    if (sum.empty()) return std::nullopt;
    // Both ends tell whether a sealed file is the same; of one that may be written to, all must.
    if (!frozen.sealed && sum != read(now)) return std::nullopt;
    return sum;
  }

 private:
  static constexpr std::size_t kMostRotten = 16 << 20;

  fs::path path_;
  BackupSums sums_;
  timespec made_{};
  std::set<FileId> rotten_;
};

class Maker {
 public:
  Maker(const store::Frozen& frozen, const BackupPlan& plan) : frozen_(frozen), plan_(plan) {}

  Result<BackupInfo> run() {
    if (is_within(plan_.repository, plan_.data))
      return fail(ErrorCode::Invalid, "{} is in the store itself", plan_.repository.string());
    TRY_DO(make_directories(plan_.repository));
    TRY(auto lock, store::PosixFileSystem().lock((plan_.repository / kLockName).string(),
                                                 store::LockScope::File));
    remove_partial();
    TRY(auto earlier, list_backups(plan_.repository));
    auto id = to_hex(frozen_.store_id);
    for (auto& one : earlier.backups | std::views::reverse) {
      if (one.store_id != id) continue;
      before_.emplace(one, earlier.backups);
      break;
    }
    info_ = {.path = {},
             .made = format_rfc3339(plan_.now),
             .store_id = id,
             .key = plan_.key,
             .epoch = frozen_.epoch,
             .with_config = plan_.with_config,
             .sums = {},
             .damage = plan_.damage};
    auto name = directory_name();
    auto partial = plan_.repository / (std::string(kPartial) + name);
    info_.path = partial;
    auto made = fill();
    std::error_code error;
    if (made) {
      fs::rename(partial, plan_.repository / name, error);
      if (error) made = failed("cannot name " + (plan_.repository / name).string(), error);
    }
    if (!made) {
      fs::remove_all(partial, error);
      return std::unexpected(made.error());
    }
    sync_directory(plan_.repository);
    info_.path = plan_.repository / name;
    return info_;
  }

 private:
  /// "20261122T031500Z"; another within the same second has a number behind it.
  std::string directory_name() const {
    std::string name = info_.made.substr(0, 19);
    std::erase_if(name, [](char c) { return c == '-' || c == ':'; });
    name += 'Z';
    for (int i = 2; fs::exists(plan_.repository / name); ++i)
      name = fmt::format("{}-{}", name.substr(0, 16), i);
    return name;
  }

  /// What is left of backups that were cut off: nobody else makes one now. What others may have put
  /// there is not ours.
  void remove_partial() const {
    std::error_code error;
    for (fs::directory_iterator entry(plan_.repository, error), end; !error && entry != end;
         entry.increment(error)) {
      auto name = entry->path().filename().string();
      std::error_code ignored;
      if (name.starts_with(kPartial) && is_backup_name(name.substr(kPartial.size())) &&
          entry->is_directory(ignored) && !entry->is_symlink(ignored))
        fs::remove_all(entry->path(), ignored);
    }
  }

  Result<void> fill() {
    TRY_DO(make_new_directory(info_.path));
    for (auto& file : frozen_.files) total_ += file.length;
    for (auto& file : frozen_.files) {
      TRY_DO(make_directories((info_.store() / file.to).parent_path()));
      auto sum = take(file);
      if (!sum) sum = take_damaged(file, std::move(sum).error());
      if (!sum) return std::unexpected(std::move(sum).error());
      if (sum->empty()) continue;
      sums_.add("store/" + file.to, std::move(*sum));
      taken_.push_back(&file);
      ++info_.files;
      info_.bytes += file.length;
    }
    TRY_DO(write_synced(info_.store() / frozen_.mark_name, frozen_.mark));
    sums_.add("store/" + frozen_.mark_name,
              to_hex(crypto::digest(crypto::Hash::Sha256, frozen_.mark)));
    if (plan_.with_config) TRY_DO(take_config());
    TRY_DO(check_all_there());
    for (auto& directory : {info_.store() / "index", info_.store() / "journal", info_.store()})
      sync_directory(directory);
    TRY(info_.sums, sums_.write(info_.path));
    TRY_DO(write_synced(info_.path / kInfoName, boost::json::serialize(describe(info_)) + '\n'));
    sync_directory(info_.path);
    return {};
  }

  /// Whoever cleans up there while we work must not leave half a backup that passes for a whole.
  Result<void> check_all_there() const {
    for (auto* file : taken_) {
      std::error_code error;
      auto length = fs::file_size(info_.store() / file->to, error);
      if (error || length < file->length)
        return fail(ErrorCode::Corrupt, "{} is gone while the backup was made",
                    (info_.store() / file->to).string());
    }
    return {};
  }

  CountBytes advance() {
    return [this](std::uint64_t bytes) {
      done_ += bytes;
      if (plan_.progress) plan_.progress(done_, total_);
    };
  }

  /// Gives its sum.
  Result<std::string> take(const store::Frozen::File& file) {
    FileBelow source{plan_.data, file.from};
    auto target = info_.store() / file.to;
    auto advance = this->advance();
    auto name = "store/" + file.to;
    if (auto sum = before_ ? before_->usable(name, source, file) : std::nullopt) {
      if (link_file(before_->file(name), target)) {
        advance(file.length);
        return *sum;
      }
    }
    // One that may be written to is never shared with the store. Another file system has no links.
    if (file.sealed && link_file(source, target))
      return sum_of_file({info_.path, name}, std::nullopt, advance);
    info_.copied += file.length;
    return copy_file(source, target, file.length, advance);
  }

  /// What can be had of a file that take() could not: its sum, or "" of one that is not there. As
  /// `why` if that is not the fault of the store.
  Result<std::string> take_damaged(const store::Frozen::File& file, Error why) {
    FileBelow source{plan_.data, file.from};
    auto target = info_.store() / file.to;
    auto there = open_below(source);
    bool missing = !there && there.error().code == ErrorCode::NotFound;
    if (!plan_.is_held() || (missing && !file.to.starts_with("journal/")))
      return std::unexpected(std::move(why));
    if (missing) {
      info_.damage.files.push_back(file.to + " is missing");
      return "";
    }
    auto read = sum_of_file(source, file.length, [](std::uint64_t) {});
    if (read || (read.error().code != ErrorCode::Io && read.error().code != ErrorCode::Corrupt))
      return std::unexpected(std::move(why));
    std::error_code error;
    fs::remove(target, error);
    TRY(auto copy, copy_readable(source, target, file.length, advance()));
    info_.copied += file.length;
    info_.damage.files.push_back(fmt::format("{} bytes of {} bytes of {} could not be read",
                                             copy.unread, file.length, file.to));
    info_.damage.zeroed.push_back("store/" + file.to);
    return std::move(copy.sum);
  }

  Result<void> take_config() {
    auto& instance = *plan_.instance;
    TRY_DO(make_directories(info_.config()));
    std::error_code error;
    for (auto& path : {instance.config, instance.tls, instance.dkim}) {
      if (!fs::exists(path, error)) continue;
      auto name = "config/" + path.filename().string();
      CopyRules rules;
      rules.links = Links::Follow;  // as those who renew certificates like to leave them
      rules.summed = [&](const std::string& below, const std::string& sum) {
        sums_.add(below.empty() ? name : name + '/' + below, sum);
      };
      TRY_DO(copy_tree(path, info_.config() / path.filename(), rules));
    }
    return {};
  }

  const store::Frozen& frozen_;
  const BackupPlan& plan_;
  std::optional<Before> before_;
  BackupSums sums_;
  std::vector<const store::Frozen::File*> taken_;
  BackupInfo info_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

Result<BackupInfo> read_info(const fs::path& path) {
  TRY(auto text, read_below({path, kInfoName}));
  boost::json::error_code error;
  auto value = boost::json::parse(text, error);
  if (error || !value.is_object())
    return fail(ErrorCode::Corrupt, "{} is no backup's", (path / kInfoName).string());
  auto& object = value.get_object();
  if (auto format = number_in(object, "format"); format != 1)
    return fail(ErrorCode::Unsupported,
                "{} was made by a newer version of this program (format {})", path.string(),
                format);
  auto made = text_in(object, "made");
  auto id = text_in(object, "store");
  if (!parse_rfc3339(made) || id.empty() || !from_hex(id))
    return fail(ErrorCode::Corrupt, "{} is no backup's", (path / kInfoName).string());
  StoreDamage damage;
  if (auto* told = object.if_contains("damage"); told && told->is_object())
    damage = damage_in(told->get_object());
  return BackupInfo{.path = path,
                    .made = std::move(made),
                    .store_id = std::move(id),
                    .key = text_in(object, "key"),
                    .epoch = static_cast<std::uint32_t>(number_in(object, "epoch")),
                    .files = number_in(object, "files"),
                    .bytes = number_in(object, "bytes"),
                    .copied = number_in(object, "copied"),
                    .with_config = flag_in(object, "config"),
                    .sums = text_in(object, "sums"),
                    .damage = std::move(damage)};
}

}  // namespace

bool is_within(const fs::path& path, const fs::path& directory) {
  std::error_code error;
  auto inner = fs::weakly_canonical(path, error);
  auto outer = error ? fs::path() : fs::weakly_canonical(directory, error);
  if (error) return false;
  auto rest = inner.lexically_relative(outer);
  return !rest.empty() && *rest.begin() != "..";
}

boost::json::object describe(const BackupInfo& info) {
  boost::json::object object{
      {"format", 1},         {"made", info.made},     {"store", info.store_id},
      {"key", info.key},     {"epoch", info.epoch},   {"files", info.files},
      {"bytes", info.bytes}, {"copied", info.copied}, {"config", info.with_config},
      {"sums", info.sums}};
  if (info.damage.any()) object["damage"] = to_json(info.damage);
  return object;
}

Result<BackupList> list_backups(const fs::path& repository) {
  BackupList list;
  std::error_code error;
  for (fs::directory_iterator entry(repository, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) continue;
    std::error_code ignored;
    if (!fs::exists(entry->path() / kInfoName, ignored)) continue;
    // One that is damaged says nothing about the others.
    if (auto info = read_info(entry->path()))
      list.backups.push_back(std::move(*info));
    else
      list.unreadable.push_back({entry->path(), std::move(info).error()});
  }
  if (error) return failed("cannot list " + repository.string(), error);
  std::ranges::sort(list.backups, {}, [](auto& one) { return std::pair(one.made, one.path); });
  std::ranges::sort(list.unreadable, {}, &UnreadableBackup::path);
  return list;
}

Result<BackupInfo> find_backup(const fs::path& path, std::vector<UnreadableBackup>* unreadable) {
  std::error_code error;
  auto absolute = fs::absolute(path, error).lexically_normal();
  if (error) return failed("cannot find " + path.string(), error);
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  if (fs::exists(absolute / kInfoName, error)) return read_info(absolute);
  TRY(auto all, list_backups(absolute));
  if (unreadable) *unreadable = all.unreadable;
  if (all.backups.empty() && !all.unreadable.empty())
    return std::unexpected(std::move(all.unreadable.back().why));
  if (all.backups.empty())
    return fail(ErrorCode::NotFound, "there is no backup in {}", path.string());
  return std::move(all.backups.back());
}

void complain_of(const std::vector<UnreadableBackup>& unreadable, Terminal& terminal) {
  for (auto& one : unreadable)
    terminal.complain(kPassedOver, one.path.string(), one.why.describe());
}

void tell_of_damage(const BackupInfo& info, Terminal& terminal) {
  if (!info.damage.any()) return;
  terminal.say(kMadeOfDamaged, info.path.string(), minute_in_utc(info.made),
               printable(join(info.damage.describe(terminal.language()), "; ")));
}

void note_rotten(const BackupInfo& info, const std::vector<std::string>& files) {
  std::error_code ignored;
  if (files.empty()) {
    fs::remove(info.path / kRottenName, ignored);
    return;
  }
  std::string text;
  for (auto& file : files) text += file + '\n';
  (void)write_synced(info.path / kRottenName, text);
}

bool is_rotten(const BackupInfo& info) {
  std::error_code ignored;
  return fs::exists(info.path / kRottenName, ignored);
}

Result<BackupInfo> make_backup(const store::Frozen& frozen, const BackupPlan& plan) {
  return Maker(frozen, plan).run();
}

Result<std::vector<fs::path>> remove_old_backups(const BackupInfo& newest, std::size_t keep) {
  if (newest.damage.any()) return std::vector<fs::path>();
  auto repository = newest.path.parent_path();
  TRY(auto lock,
      store::PosixFileSystem().lock((repository / kLockName).string(), store::LockScope::File));
  TRY(auto list, list_backups(repository));
  std::vector<fs::path> removed;  // newest first
  std::size_t kept = 1;
  for (auto& one : list.backups | std::views::reverse) {
    if (one.store_id != newest.store_id || one.path == newest.path || one.made > newest.made ||
        !is_backup_name(one.path.filename().string()))
      continue;
    if (kept >= keep)
      removed.push_back(one.path);
    else if (!is_rotten(one) && !one.damage.any())
      ++kept;
  }
  std::ranges::reverse(removed);
  for (auto& path : removed) {
    std::error_code error;
    auto leaving = repository / (std::string(kPartial) + path.filename().string());
    fs::rename(path, leaving, error);
    if (!error) sync_directory(repository);
    if (!error) fs::remove_all(leaving, error);
    if (error) return failed("cannot remove " + path.string(), error);
  }
  return removed;
}

std::uint32_t noted_restore(const BackupInfo& info) {
  auto text = read_below({info.path, kRestoredName}, 64);
  auto epoch = text ? parse_decimal(trim(*text), UINT32_MAX) : std::nullopt;
  return static_cast<std::uint32_t>(epoch.value_or(0));
}

std::filesystem::path restore_note(const BackupInfo& info) {
  return info.path / kRestoredName;
}

void note_restore(const BackupInfo& info, std::uint32_t epoch) {
  (void)write_synced(restore_note(info), std::to_string(epoch) + "\n");
}

}  // namespace hikyaku::app
