#include "store/store_files.h"

#include <algorithm>

#include "base/codec.h"
#include "crypto/random.h"
#include "store/crc32c.h"
#include "store/posix_file_system.h"
#include "store/rocks_index.h"
#include "store/rocks_table.h"

namespace hikyaku::store {
namespace {

constexpr const char* kStoreFile = kStoreName;
constexpr const char* kCleanFile = kCleanMark;
/// Of later versions too: their first line ends with a higher number, the file with the CRC of all
/// before it.
constexpr std::string_view kAnyStoreMagic = "HIKYAKU STORE ";
constexpr const char* kKept = "/checkpoint";
constexpr const char* kKeptBefore = "/checkpoint.old";
constexpr const char* kKeptNew = "/checkpoint.new";
constexpr const char* kDamaged = "/index.damaged";
/// Within the index. RocksDB leaves files alone whose names mean nothing to it.
constexpr const char* kDamageMark = "DAMAGED";
constexpr const char* kMade = "/index.new";
/// The same when it is whole: nothing else is needed of what was there before.
constexpr const char* kNext = "/index.next";
constexpr std::string_view kStoreMagic = "HIKYAKU STORE 1\n";
constexpr std::string_view kCleanMagic = "HIKYAKU CLEAN 1\n";

std::string with_crc(std::string bytes) {
  Encoder check;
  check.u32_be(crc32c(0, bytes));
  return bytes + check.bytes();
}

/// The bytes between magic and CRC; nullopt unless all is as it should be.
std::optional<std::string> without_crc(std::string_view bytes, std::string_view magic) {
  if (bytes.size() < magic.size() + 4 || !bytes.starts_with(magic)) return std::nullopt;
  auto body = bytes.substr(0, bytes.size() - 4);
  if (Decoder(bytes.substr(body.size())).u32_be() != crc32c(0, body)) return std::nullopt;
  return std::string(body.substr(magic.size()));
}

}  // namespace

Result<std::string> find_store_id(FileSystem& files, const std::string& directory) {
  TRY(auto bytes, read_file(files, directory + "/" + kStoreFile, 4096));
  auto id = without_crc(bytes, kStoreMagic);
  if (id && id->size() == 16) return *id;
  // A damaged first line is not a later version's.
  if (!bytes.starts_with(kStoreMagic) && without_crc(bytes, kAnyStoreMagic))
    return fail(ErrorCode::Unsupported,
                "the store {} was written by a newer version of this program; use that one, or "
                "restore a backup from before",
                directory);
  return fail(ErrorCode::Corrupt, "{}/{} is not a store's file", directory, kStoreFile);
}

namespace {

/// Whether there is a journal: of it, at least.
Result<bool> has_segments(FileSystem& files, const std::string& directory) {
  auto names = files.list(journal_directory(directory));
  if (!names && names.error().code == ErrorCode::NotFound) return false;
  if (!names) return std::unexpected(names.error());
  return std::ranges::any_of(*names,
                             [](auto& name) { return parse_segment_name(name).has_value(); });
}

}  // namespace

Result<bool> is_missing(FileSystem& files, const std::string& directory) {
  TRY(bool journal, has_segments(files, directory));
  if (journal) return false;
  auto name = find_store_id(files, directory);
  bool has_name = name || name.error().code != ErrorCode::NotFound;
  return !has_name || !has_index(files, index_directory(directory));
}

std::string lock_path(const std::string& directory) {
  return directory + "/LOCK";
}

Result<void> refuse_missing(FileSystem& files, const std::string& directory) {
  TRY(bool missing, is_missing(files, directory));
  if (missing) return fail(ErrorCode::NotFound, "there is no store in {}", directory);
  return {};
}

Result<void> clear_missing(FileSystem& files, const std::string& directory) {
  TRY(bool missing, is_missing(files, directory));
  if (missing) return remove_clean_mark(files, directory);
  return {};
}

Result<std::string> load_store_id(FileSystem& files, const std::string& directory) {
  auto found = find_store_id(files, directory);
  if (found || found.error().code != ErrorCode::NotFound) return found;
  TRY(bool journal, has_segments(files, directory));
  if (journal)
    return fail(ErrorCode::Corrupt, "{} has a journal but no file {}", directory, kStoreFile);
  auto id = crypto::SystemRandom().bytes(16);
  TRY_DO(write_store_id(files, directory, id));
  return id;
}

std::string encode_clean_mark(JournalPosition position) {
  Encoder out;
  out.raw(kCleanMagic);
  out.u64_be(position.lsn);
  out.u32_be(position.segment);
  out.u64_be(position.end);
  return with_crc(out.take());
}

Result<void> write_clean_mark(FileSystem& files, const std::string& directory,
                              JournalPosition position) {
  return replace_file(files, directory, kCleanFile, encode_clean_mark(position));
}

Result<std::optional<JournalPosition>> read_clean_mark(FileSystem& files,
                                                       const std::string& directory) {
  auto bytes = read_file(files, directory + "/" + kCleanFile, 4096);
  if (!bytes) {
    if (bytes.error().code == ErrorCode::NotFound) return std::nullopt;
    return std::unexpected(bytes.error());
  }
  auto body = without_crc(*bytes, kCleanMagic);
  if (!body) return std::nullopt;  // then recovery looks for itself
  Decoder in(*body);
  JournalPosition position;
  position.lsn = in.u64_be();
  position.segment = in.u32_be();
  position.end = in.u64_be();
  if (in.failed()) return std::nullopt;
  return position;
}

Result<void> remove_frozen(FileSystem& files, const std::string& directory,
                           const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (name.starts_with(kFrozenPrefix)) TRY_DO(remove_files(files, directory + "/" + name));
  return {};
}

bool has_index(FileSystem& files, const std::string& directory) {
  // RocksDB makes a new one where this file is missing.
  auto opened = files.open(directory + "/CURRENT", OpenMode::Read);
  return opened || opened.error().code != ErrorCode::NotFound;
}

namespace {

/// Tables of their own take so much of what is free at most: a part of so many.
constexpr std::uint64_t kRoomLeft = 3;
/// The end of a table names it: index, number, when it was made.
constexpr std::uint64_t kTableEnd = 4096;

Result<std::string> end_of_table(FileSystem& files, const std::string& path, std::uint64_t& size) {
  TRY(auto file, files.open(path, OpenMode::Read));
  TRY(size, file->size());
  auto length = std::min(size, kTableEnd);
  return read_exactly(*file, size - length, length);
}

/// What is damaged in the middle of one of them later is whole in the other.
bool is_same_table(FileSystem& files, const std::string& a, const std::string& b) {
  std::uint64_t size_of_a = 0, size_of_b = 0;
  auto end_of_a = end_of_table(files, a, size_of_a), end_of_b = end_of_table(files, b, size_of_b);
  return end_of_a && end_of_b && size_of_a == size_of_b && *end_of_a == *end_of_b;
}

struct SharedTables {
  std::vector<std::string> known;  ///< names; the copy before has them for itself
  std::vector<std::string> others;
  std::uint64_t bytes = 0;  ///< of the others
};

/// Those that the new copy in kKeptNew shares with the index.
Result<SharedTables> find_shared(FileSystem& files, const std::string& directory, bool anew) {
  SharedTables shared;
  TRY(auto names, files.list(directory + kKeptNew));
  for (const auto& name : names) {
    auto table = directory + kKeptNew + "/" + name, old = directory + kKept + "/" + name;
    if (!is_table(name) || !is_same_file(table, index_directory(directory) + "/" + name)) continue;
    if (!anew && !is_same_file(table, old) && is_same_table(files, table, old)) {
      shared.known.push_back(name);
      continue;
    }
    std::uint64_t size = 0;
    TRY_DO(end_of_table(files, table, size));
    shared.bytes += size;
    shared.others.push_back(name);
  }
  return shared;
}

/// They become the copy's own, so that no damage of the device hits both. A disk without room for
/// all of them leaves those shared that the copy before does not have.
Result<void> take_own_tables(FileSystem& files, const std::string& directory,
                             const KeptIndexRules& rules) {
  constexpr const char* kOwn = ".own";
  auto copy = directory + kKeptNew + "/", before = directory + kKept + "/";
  TRY(auto shared, find_shared(files, directory, rules.anew));
  for (const auto& name : shared.known) {
    TRY_DO(files.link(before + name, copy + name + kOwn));
    TRY_DO(files.rename(copy + name + kOwn, copy + name));
  }
  TRY(auto free, files.free_space(directory));
  auto room = free - std::min(free, rules.reserve);
  if (shared.bytes > room / kRoomLeft) shared.others.clear();
  for (const auto& name : shared.others) {
    auto made = copy_file(files, copy + name, copy + name + kOwn);
    if (!made && made.error().code == ErrorCode::NoSpace) {
      (void)files.unlink(copy + name + kOwn);
      break;
    }
    TRY_DO(std::move(made));
    TRY_DO(files.rename(copy + name + kOwn, copy + name));
  }
  return files.sync_directory(directory + kKeptNew);
}

}  // namespace

Result<JournalPosition> keep_rocks_index(Index& index, FileSystem& files,
                                         const std::string& directory, KeptIndexRules rules) {
  TRY_DO(remove_files(files, directory + kKeptNew));
  TRY(auto position, index.checkpoint(directory + kKeptNew));
  TRY_DO(take_own_tables(files, directory, rules));
  // At any moment one of the two is there, whole.
  if (has_index(files, directory + kKept)) {
    TRY_DO(remove_files(files, directory + kKeptBefore));
    TRY_DO(files.rename(directory + kKept, directory + kKeptBefore));
  } else {
    TRY_DO(remove_files(files, directory + kKept));
  }
  TRY_DO(files.rename(directory + kKeptNew, directory + kKept));
  TRY_DO(files.sync_directory(directory));
  TRY_DO(remove_files(files, directory + kKeptBefore));
  return position;
}

Result<void> forget_kept_indexes(FileSystem& files, const std::string& directory) {
  for (auto name : {kKept, kKeptBefore}) TRY_DO(remove_files(files, directory + name));
  return {};
}

std::vector<std::string> kept_indexes(FileSystem& files, const std::string& directory) {
  std::vector<std::string> kept;
  for (auto name : {kKept, kKeptBefore})
    if (has_index(files, directory + name)) kept.push_back(directory + name);
  return kept;
}

std::optional<std::string> kept_index(FileSystem& files, const std::string& directory) {
  auto kept = kept_indexes(files, directory);
  if (kept.empty()) return std::nullopt;
  return kept.front();
}

std::vector<IndexFile> kept_tables(FileSystem& files, const std::string& directory) {
  std::vector<IndexFile> tables;
  auto kept = kept_index(files, directory);
  if (!kept) return tables;
  auto names = files.list(*kept);
  if (!names) return tables;
  for (const auto& name : *names) {
    if (!is_table(name)) continue;
    auto file = files.open(*kept + "/" + name, OpenMode::Read);
    auto size = file ? (*file)->size() : std::unexpected(file.error());
    tables.push_back({*kept + "/" + name, size.value_or(0)});
  }
  return tables;
}

bool has_own_kept_index(FileSystem& files, const std::string& directory) {
  auto kept = kept_index(files, directory);
  auto names = kept ? files.list(*kept) : fail(ErrorCode::NotFound, "there is none");
  return names && std::ranges::none_of(*names, [&](const std::string& name) {
           return is_table(name) &&
                  is_same_file(*kept + "/" + name, index_directory(directory) + "/" + name);
         });
}

Result<void> remove_clean_mark(FileSystem& files, const std::string& directory) {
  auto removed = files.unlink(directory + "/" + kCleanFile);
  if (!removed && removed.error().code == ErrorCode::NotFound) return {};
  TRY_DO(std::move(removed));
  return files.sync_directory(directory);
}

Result<void> mark_index_damaged(FileSystem& files, const std::string& directory,
                                std::string_view what) {
  return replace_file(files, index_directory(directory), kDamageMark, std::string(what) + "\n");
}

std::optional<std::string> find_damage_mark(FileSystem& files, const std::string& directory) {
  auto text = read_file(files, index_directory(directory) + "/" + kDamageMark, 4096);
  // One that cannot be read is one, too.
  if (!text && text.error().code == ErrorCode::NotFound) return std::nullopt;
  return text && text->ends_with('\n') ? text->substr(0, text->size() - 1) : "it is marked so";
}

bool has_files(FileSystem& files, const std::string& directory) {
  auto names = files.list(directory);
  return names && std::ranges::any_of(*names, [](auto& name) { return name != "LOCK"; });
}

namespace {

/// Those that were put aside, the last one first.
Result<std::vector<std::string>> put_aside(FileSystem& files, const std::string& directory) {
  std::vector<std::string> found;
  for (int number = 1;; ++number) {
    auto path = directory + kDamaged + (number == 1 ? "" : "-" + std::to_string(number));
    auto listed = files.list(path);
    if (!listed && listed.error().code != ErrorCode::NotFound)
      return std::unexpected(listed.error());
    if (!listed || listed->empty()) break;
    found.insert(found.begin(), path);
  }
  return found;
}

}  // namespace

Result<void> put_index_aside(FileSystem& files, const std::string& directory) {
  auto from = index_directory(directory);
  if (!has_files(files, from)) return remove_files(files, from);
  TRY(auto before, put_aside(files, directory));
  auto to = directory + kDamaged;
  if (!before.empty()) to += "-" + std::to_string(before.size() + 1);
  TRY_DO(files.rename(from, to));
  return files.sync_directory(directory);
}

Result<void> forget_damaged_indexes(FileSystem& files, const std::string& directory) {
  TRY(auto all, put_aside(files, directory));
  if (all.size() < 2) return {};
  // From the end, so that a crash leaves no gap; the last one gets the plain name.
  for (std::size_t i = 1; i < all.size(); ++i) TRY_DO(remove_files(files, all[i]));
  TRY_DO(files.rename(all.front(), directory + kDamaged));
  return files.sync_directory(directory);
}

Result<void> copy_kept_index(FileSystem& files, const std::string& directory,
                             const std::string& kept) {
  return copy_rocks_index(files, kept, copied_index(directory));
}

std::string copied_index(const std::string& directory) {
  return directory + kMade;
}

Result<void> put_copied_index(FileSystem& files, const std::string& directory) {
  TRY_DO(remove_files(files, directory + kNext));
  TRY_DO(files.rename(copied_index(directory), directory + kNext));
  TRY_DO(files.sync_directory(directory));
  return finish_putting_index(files, directory);
}

Result<void> finish_putting_index(FileSystem& files, const std::string& directory) {
  if (!has_index(files, directory + kNext)) return {};
  TRY_DO(put_index_aside(files, directory));
  TRY_DO(files.rename(directory + kNext, index_directory(directory)));
  return files.sync_directory(directory);
}

Result<std::string> id_of_segments(FileSystem& files, const std::string& directory) {
  auto journal = journal_directory(directory);
  TRY(auto listed, files.list(journal));
  std::optional<std::string> perhaps;
  for (const auto& file : listed) {
    auto name = parse_segment_name(file);
    if (!name) continue;
    auto segment = open_segment(files, journal, {*name, {}}, OpenMode::Read);
    if (!segment) continue;
    // A copy that stands alone may be another store's.
    if (check_header_copies(**segment)) return (*segment)->header().store_id;
    if (!perhaps) perhaps = (*segment)->header().store_id;
  }
  if (perhaps) return *perhaps;
  return fail(ErrorCode::Corrupt, "no segment of the journal in {} can be read", journal);
}

Result<void> write_store_id(FileSystem& files, const std::string& directory, std::string_view id) {
  return replace_file(files, directory, kStoreFile, with_crc(std::string(kStoreMagic).append(id)));
}

}  // namespace hikyaku::store
