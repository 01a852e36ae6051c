#include "store/index_opening.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "store/recovery.h"
#include "store/rocks_index.h"
#include "store/store_files.h"

namespace hikyaku::store {
namespace {

/// Whether the journal goes on where an index ends.
bool is_within(JournalPosition position, const LogChain& chain) {
  const auto& links = chain.links;
  if (position.segment == 0) return links.empty() || links.front().segment->header().first_lsn == 1;
  return std::ranges::any_of(
      links, [&](auto& link) { return link.segment->number() == position.segment; });
}

class IndexOpening {
 public:
  IndexOpening(const Options& options, FileSystem& files, const LogChain& chain)
      : options_(options),
        files_(files),
        chain_(chain),
        directory_(index_directory(options.directory)),
        kept_(kept_indexes(files, options.directory)) {}

  /// Opens what is there. Null: it is damaged, which is told, and can be made again.
  Result<std::unique_ptr<Index>> open_present();
  Result<std::unique_ptr<Index>> make_again();

 private:
  Result<std::unique_ptr<Index>> open_once() const { return open_rocks_index(at(directory_)); }
  RocksIndexOptions at(const std::string& directory) const {
    return {directory, options_.index_memory, options_.log, options_.files};
  }
  void tell(const Error& why) const {
    options_.log.error("store.index_made_again", {{"err", why.describe()}});
  }
  Result<std::unique_ptr<Index>> damaged(const Error& why) const;
  bool has_come_further(const std::string& kept, JournalPosition position) const;
  Result<void> make_way();

  const Options& options_;
  FileSystem& files_;
  const LogChain& chain_;
  std::string directory_;
  std::vector<std::string> kept_;
  bool put_aside_ = false;
};

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
  if (is_within(position, chain_)) return opened;
  for (const auto& kept : kept_) {
    if (!has_come_further(kept, position)) continue;
    opened->reset();
    return damaged(
        {ErrorCode::Corrupt,
         fmt::format("the index ends at group {}, behind which groups are gone", position.lsn),
         {}});
  }
  return opened;
}

/// What was there before stays beside the index; what this has put there itself goes.
Result<void> IndexOpening::make_way() {
  if (std::exchange(put_aside_, true)) return remove_files(files_, directory_);
  return put_index_aside(files_, options_.directory);
}

Result<std::unique_ptr<Index>> IndexOpening::make_again() {
  for (const auto& kept : kept_) {
    TRY_DO(copy_kept_index(files_, options_.directory, kept));
    TRY_DO(make_way());
    TRY_DO(put_copied_index(files_, options_.directory));
    auto opened = open_once();
    if (opened || opened.error().code != ErrorCode::Corrupt) return opened;
    tell(opened.error());
  }
  if (!is_within({}, chain_))
    return fail(ErrorCode::Corrupt,
                "the index of {} cannot be read, and parts of the journal that it could be made "
                "from are gone",
                options_.directory);
  TRY_DO(make_way());
  return open_once();
}

}  // namespace

Result<std::unique_ptr<Index>> open_index(const Options& options, FileSystem& files,
                                          Segments& segments) {
  if (options.open_index) return options.open_index();
  TRY(auto chain, open_log_chain(segments));
  IndexOpening opening(options, files, chain);
  TRY(auto present, opening.open_present());
  if (present) return present;
  return opening.make_again();
}

}  // namespace hikyaku::store
