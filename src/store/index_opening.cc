#include "store/index_opening.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "store/index_salvage.h"
#include "store/index_source.h"
#include "store/recovery.h"
#include "store/rocks_index.h"
#include "store/store_files.h"

namespace hikyaku::store {
namespace {

class IndexOpening {
 public:
  IndexOpening(const Options& options, FileSystem& files, const LogChain& chain,
               std::shared_ptr<IndexDamage>& damage)
      : options_(options),
        files_(files),
        chain_(chain),
        damage_(damage),
        directory_(index_directory(options.directory)),
        kept_(kept_indexes(files, options.directory)) {}

  /// Opens what is there. Null: it is damaged, which is told, and can be made again.
  Result<std::unique_ptr<Index>> open_present();
  Result<std::unique_ptr<Index>> make_again();

 private:
  Result<std::unique_ptr<Index>> open_once() const;
  Result<IndexSource> find_source(Lsn least) const {
    return find_index_source(files_, options_.files != nullptr, options_.directory, chain_, least);
  }
  Result<std::unique_ptr<Index>> make_from(const IndexSource& source);
  Result<std::unique_ptr<Index>> make_of_what_is_left();
  Result<std::unique_ptr<Index>> replace_if_marked(std::unique_ptr<Index> index);
  RocksIndexOptions at(const std::string& directory) const {
    return {directory, options_.index_memory, options_.log, options_.files};
  }
  void tell(const Error& why) const {
    options_.log.error("store.index_made_again", {{"err", why.describe()}});
  }
  Result<std::unique_ptr<Index>> damaged(const Error& why) const;
  bool has_come_further(const std::string& kept, JournalPosition position) const;
  Result<void> put_copy(const std::string& kept);
  Result<void> make_way();

  const Options& options_;
  FileSystem& files_;
  const LogChain& chain_;
  std::shared_ptr<IndexDamage>& damage_;
  std::string directory_;
  std::vector<std::string> kept_;
  bool put_aside_ = false;
};

Result<std::unique_ptr<Index>> IndexOpening::open_once() const {
  auto how = at(directory_);
  how.damage = damage_;
  // What is marked takes writes as long as nothing is merged.
  how.compacts = !find_damage_mark(files_, options_.directory);
  return open_rocks_index(how);
}

Result<std::unique_ptr<Index>> IndexOpening::damaged(const Error& why) const {
  if (kept_.empty() && !is_within({}, chain_)) return std::unexpected(why);
  tell(why);
  return nullptr;
}

bool IndexOpening::has_come_further(const std::string& kept, JournalPosition position) const {
  auto copy = open_rocks_index_for_reading(at(kept));
  return copy && (*copy)->position().lsn > position.lsn && is_within((*copy)->position(), chain_);
}

Result<std::unique_ptr<Index>> IndexOpening::open_present() {
  if (!has_index(files_, directory_)) {
    bool is_new = kept_.empty() && !has_files(files_, directory_);
    if (!is_new) return damaged({ErrorCode::Corrupt, directory_ + "/CURRENT is missing", {}});
  }
  auto opened = open_once();
  if (!opened && opened.error().code == ErrorCode::Corrupt) return damaged(opened.error());
  if (!opened) return std::unexpected(opened.error());
  // A list that was cut short may open as an index of long ago: a copy that has come further takes
  // its place. One that has not would lose what only the index knows when the journal's end is
  // gone.
  auto position = (*opened)->position();
  if (is_within(position, chain_)) return replace_if_marked(std::move(*opened));
  for (const auto& kept : kept_) {
    if (!has_come_further(kept, position)) continue;
    opened->reset();
    return damaged(
        {ErrorCode::Corrupt,
         fmt::format("the index ends at group {}, behind which groups are gone", position.lsn),
         {}});
  }
  return replace_if_marked(std::move(*opened));
}

/// A part of it could not be read when somebody asked for it, or when it was started before. It
/// stays where nothing as good can be made: most of it serves.
Result<std::unique_ptr<Index>> IndexOpening::replace_if_marked(std::unique_ptr<Index> index) {
  auto mark = find_damage_mark(files_, options_.directory);
  if (!mark) return index;
  auto source = find_source(index->position().lsn);
  if (!source && source.error().code != ErrorCode::Corrupt) return std::unexpected(source.error());
  if (!source) {
    auto why = fmt::format("{}; it cannot be made again from the journal: {}", *mark,
                           source.error().describe());
    options_.log.error("store.index_unreadable", {{"err", why}});
    damage_->stays(std::move(why));
    return index;
  }
  index.reset();
  tell({ErrorCode::Corrupt, *mark, {}});
  return make_from(*source);
}

Result<std::unique_ptr<Index>> IndexOpening::make_from(const IndexSource& source) {
  TRY_DO(source.copy ? put_copy(*source.copy) : make_way());
  damage_ = watch_index(options_, files_);
  return open_once();
}

Result<void> IndexOpening::put_copy(const std::string& kept) {
  TRY_DO(copy_kept_index(files_, options_.directory, kept));
  if (std::exchange(put_aside_, true)) TRY_DO(remove_files(files_, directory_));
  return put_copied_index(files_, options_.directory);
}

/// What was there before stays beside the index; what this has put there itself goes.
Result<void> IndexOpening::make_way() {
  if (std::exchange(put_aside_, true)) return remove_files(files_, directory_);
  return put_index_aside(files_, options_.directory);
}

Result<std::unique_ptr<Index>> IndexOpening::make_again() {
  TRY(auto had, salvage_position(options_, files_));
  auto source = find_source(had.value_or(JournalPosition{}).lsn);
  if (source) return make_from(*source);
  if (source.error().code != ErrorCode::Corrupt) return std::unexpected(source.error());
  // Nothing has as much as the index itself: most of it may be readable, and only where it stands
  // is it looked for. What the end of the journal has lost would look like a group that a crash
  // has torn.
  if (had)
    return fail(ErrorCode::Corrupt,
                "the index of {} cannot be opened, and {}: hikyaku verify --repair saves what can "
                "be read of it",
                options_.directory, source.error().describe());
  return make_of_what_is_left();
}

/// Of the index itself nothing can be read. What else there is opens for reading, and says what is
/// missing.
Result<std::unique_ptr<Index>> IndexOpening::make_of_what_is_left() {
  for (const auto& kept : kept_) {
    TRY_DO(put_copy(kept));
    auto opened = open_once();
    if (opened || opened.error().code != ErrorCode::Corrupt) return opened;
    tell(opened.error());
  }
  if (!is_within({}, chain_))
    return fail(ErrorCode::Corrupt,
                "the index of {} cannot be read, and parts of the journal that it could be made "
                "from are gone: hikyaku verify --repair saves what can be read of it",
                options_.directory);
  TRY_DO(make_way());
  return open_once();
}

}  // namespace

std::shared_ptr<IndexDamage> watch_index(const Options& options, FileSystem& files) {
  std::function<Result<void>(std::string_view)> mark;
  if (!options.for_reading && !options.open_index)
    mark = [&files, directory = options.directory](std::string_view what) {
      return mark_index_damaged(files, directory, what);
    };
  return std::make_shared<IndexDamage>(options.log, std::move(mark));
}

Result<std::unique_ptr<Index>> open_index(const Options& options, FileSystem& files,
                                          Segments& segments,
                                          std::shared_ptr<IndexDamage>& damage) {
  if (options.open_index) return options.open_index();
  TRY_DO(finish_putting_index(files, options.directory));
  TRY(auto chain, open_log_chain(segments));
  IndexOpening opening(options, files, chain, damage);
  TRY(auto present, opening.open_present());
  if (present) return present;
  return opening.make_again();
}

}  // namespace hikyaku::store
