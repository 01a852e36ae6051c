#include "store/verify_index.h"

#include <fmt/format.h>

#include "store/group.h"
#include "store/index_source.h"
#include "store/rocks_index.h"
#include "store/store_files.h"

namespace hikyaku::store {

KeyRange all_keys() {
  return {std::string(5, '\0') + '\0', std::string(kMaxKey, '\xFF')};
}

bool VerifiedIndexes::has_copy() const {
  return !options_.open_index && kept_index(files_, options_.directory);
}

bool VerifiedIndexes::is_missing() const {
  auto directory = index_directory(options_.directory);
  if (options_.open_index || has_index(files_, directory)) return false;
  return has_copy() || has_files(files_, directory);
}

std::optional<std::string> VerifiedIndexes::find_damage() const {
  if (options_.open_index) return std::nullopt;
  constexpr std::uint64_t kMemory = 8ull << 20;  // each block is read once
  auto index = open_rocks_index_for_reading(
      {index_directory(options_.directory), kMemory, options_.log, options_.files});
  if (!index) return std::nullopt;
  auto tables = (*index)->files();
  std::string first;
  std::size_t damaged = 0;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (how_.progress) how_.progress("index", double(i) / double(tables.size()));
    auto checked = (*index)->check_file(tables[i].name);
    if (checked) continue;
    if (++damaged == 1) first = checked.error().describe();
  }
  if (damaged == 0) return std::nullopt;
  return damaged == 1 ? first : fmt::format("{} (one of {} damaged tables)", first, damaged);
}

Result<std::unique_ptr<Index>> VerifiedIndexes::open() const {
  if (options_.open_index) return options_.open_index();
  RocksIndexOptions how{index_directory(options_.directory), options_.index_memory, options_.log,
                        options_.files};
  return options_.for_reading ? open_rocks_index_for_reading(how) : open_rocks_index(how);
}

/// One that shares the damage (they share files) is better than nothing alone.
std::optional<std::string> VerifiedIndexes::best_copy(bool whole_journal) const {
  for (const auto& kept : kept_indexes(files_, options_.directory))
    if (check_rocks_index({kept, options_.index_memory, options_.log, options_.files})) return kept;
  return whole_journal ? std::nullopt : kept_index(files_, options_.directory);
}

Result<std::unique_ptr<Index>> VerifiedIndexes::make_again(bool whole_journal) const {
  auto directory = index_directory(options_.directory);
  auto copy = has_copy() ? best_copy(whole_journal) : std::nullopt;
  if (how_.remove_index) {
    TRY_DO(how_.remove_index());
  } else {
    if (copy) TRY_DO(copy_kept_index(files_, options_.directory, *copy));
    TRY_DO(copy ? put_copied_index(files_, options_.directory)
                : put_index_aside(files_, options_.directory));
  }
  auto opened = open();
  if (!opened && copy && whole_journal) {
    TRY_DO(remove_files(files_, directory));
    opened = open();
  }
  return opened;
}

JournalPosition VerifiedIndexes::position() const {
  if (options_.open_index) return {};
  return salvage_position(options_, files_).value_or(std::nullopt).value_or(JournalPosition{});
}

bool VerifiedIndexes::must_salvage(const LogChain& chain, Lsn least) const {
  if (options_.open_index) return false;
  if (!has_files(files_, index_directory(options_.directory)) && !has_copy()) return false;
  return !find_index_source(files_, options_.files != nullptr, options_.directory, chain, least);
}

Result<std::unique_ptr<Index>> VerifiedIndexes::open_salvaged(const LogChain& chain,
                                                              const std::string& directory,
                                                              SalvagedIndex& found) const {
  TRY(found, salvage_index(options_, files_, chain, directory));
  return open_rocks_index({directory, options_.index_memory, options_.log, options_.files});
}

Result<std::unique_ptr<Index>> VerifiedIndexes::salvage(const LogChain& chain,
                                                        SalvagedIndex& found) const {
  return open_salvaged(chain, copied_index(options_.directory), found);
}

Result<std::unique_ptr<Index>> VerifiedIndexes::use_salvaged() const {
  TRY_DO(put_copied_index(files_, options_.directory));
  return open();
}

Result<std::unique_ptr<Index>> VerifiedIndexes::open_scratch(const LogChain& chain,
                                                             SalvagedIndex& found) const {
  remove_scratch();
  return open_salvaged(chain, scratch_directory(), found);
}

Result<std::unique_ptr<Index>> VerifiedIndexes::open_scratch(Begin begin) const {
  remove_scratch();
  if (how_.open_scratch) return how_.open_scratch();
  if (begin == Begin::FromCopy)
    TRY_DO(copy_rocks_index(files_, *kept_index(files_, options_.directory), scratch_directory()));
  return open_rocks_index(
      {scratch_directory(), options_.index_memory, options_.log, options_.files});
}

void VerifiedIndexes::remove_scratch() const {
  if (how_.remove_scratch) return how_.remove_scratch();
  if (!how_.open_scratch) (void)remove_rocks_index(scratch_directory(), options_.files);
}

Result<std::optional<std::string>> VerifiedIndexes::fault_of_copy(const LogChain& chain,
                                                                  Lsn whole) const {
  try {
    auto opened = open_scratch(Begin::FromCopy);
    if (!opened && opened.error().code == ErrorCode::NoSpace)
      return std::unexpected(std::move(opened).error());
    if (!opened) return opened.error().describe();
    // A damaged list of its files may make it older than the journal that is left.
    auto nothing = [](const GroupRecord&, JournalPosition) -> Result<void> { return {}; };
    auto replayed = replay(chain, (*opened)->position(), nothing, whole);
    if (!replayed) return replayed.error().describe();
    if (replayed->damage) return replayed->damage->describe();
    auto view = (*opened)->view();
    auto cursor = view->cursor(all_keys(), Reach::Disk);
    for (cursor->seek(all_keys().begin); cursor->valid(); cursor->next()) {
    }
    return std::nullopt;
  } catch (const IndexError& error) {
    return error.what();
  }
}

Comparison compare(const IndexView& stored, const IndexView& replayed) {
  auto a = stored.cursor(all_keys(), Reach::Disk);
  auto b = replayed.cursor(all_keys(), Reach::Disk);
  a->seek(all_keys().begin);
  b->seek(all_keys().begin);
  Comparison found;
  while (a->valid() || b->valid()) {
    ++found.rows;
    int order = !a->valid() ? 1 : !b->valid() ? -1 : a->key().compare(b->key());
    if (order != 0 || a->value() != b->value()) ++found.different;
    if (order <= 0) a->next();
    if (order >= 0) b->next();
  }
  return found;
}

}  // namespace hikyaku::store
