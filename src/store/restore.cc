#include "store/restore.h"

#include <algorithm>

#include "store/log.h"
#include "store/posix_file_system.h"
#include "store/reclaim.h"
#include "store/recovery.h"
#include "store/rocks_index.h"
#include "store/rows.h"
#include "store/store_files.h"

namespace hikyaku::store {

Result<std::uint32_t> raise_epoch(const Options& options, std::uint32_t least) {
  PosixFileSystem files;
  const auto& directory = options.directory;
  TRY(auto lock, files.lock(lock_path(directory), LockScope::Directory));
  TRY(auto id, find_store_id(files, directory));
  Segments segments(files, options.clock, journal_directory(directory), id);
  TRY_DO(segments.load(true));
  TRY(auto index,
      open_rocks_index({index_directory(directory), options.index_memory, options.log}));
  TRY(auto clean, read_clean_mark(files, directory));
  TRY(auto chain, open_log_chain(segments));
  if (!clean || *clean != index->position() || chain.links.empty())
    return fail(ErrorCode::Corrupt, "{} is not whole: its index and its journal end apart",
                directory);
  segments.number_above(clean->segment);
  TRY_DO(finish_reclaiming(segments, *index->view()));
  number_above_used(segments, *index->view());
  const auto& last = *chain.links.back().segment;
  segments.set_epoch(last.header().epoch);
  if (last.header().epoch < least) {
    segments.set_epoch(least);
  } else {
    TRY_DO(segments.begin_epoch());
  }
  // From here on it is no longer the copy that it was; a crash leaves one that is not whole.
  TRY_DO(remove_clean_mark(files, directory));
  LogWriter log(segments, {options.smallest_segment, options.largest_segment});
  log.continue_behind(last.number(), clean->segment == last.number() ? clean->end : kSegmentStart);
  TRY_DO(log.roll(clean->lsn + 1, 0));
  Writes group;
  group.rows.put(schema_key(), encode_number(options.schema));
  TRY(auto position, log.append(group, clean->lsn + 1, options.clock.now()));
  TRY_DO(index->apply(group.rows, position));
  TRY_DO(index->flush());
  TRY_DO(log.close());
  TRY_DO(write_clean_mark(files, directory, position));
  return segments.epoch();
}

SeenEpoch epoch_of(const std::string& directory) {
  PosixFileSystem files;
  SeenEpoch seen;
  auto journal = journal_directory(directory);
  auto listed = files.list(journal);
  if (!listed && listed.error().code != ErrorCode::NotFound) return {.file = {}, .certain = false};
  bool any = false;
  for (auto& file : listed.value_or(std::vector<std::string>())) {
    auto name = parse_segment_name(file);
    if (!name) continue;
    any = true;
    auto segment = open_segment(files, journal, {*name, {}}, OpenMode::Read);
    if (!segment) {
      seen.certain = false;
    } else if ((*segment)->header().epoch > seen.epoch) {
      seen.epoch = (*segment)->header().epoch;
      seen.file = journal + '/' + file;
    }
  }
  if (any) return seen;
  // Its journal is gone.
  auto id = find_store_id(files, directory);
  bool has_name = id || id.error().code != ErrorCode::NotFound;
  seen.certain = !has_name && !has_index(files, index_directory(directory));
  return seen;
}

}  // namespace hikyaku::store
