#include "store/freeze.h"

#include <fmt/format.h>
#include <optional>

#include "store/damage.h"
#include "store/store_files.h"

namespace hikyaku::store {
namespace {

struct Hold {
  std::shared_ptr<void> reclaiming;
  FileSystem& files;
  std::string directory;  ///< the files of the index
  ~Hold() { (void)remove_files(files, directory); }
};

Result<void> add_name(Frozen& frozen, const FreezeContext& store) {
  TRY(auto bytes, read_file(store.files, store.directory + "/" + kStoreName, 4096));
  frozen.files.push_back({std::string(kStoreName), std::string(kStoreName), bytes.size(), false});
  return {};
}

/// `name`: the directory into which the index has put its files.
Result<void> add_index(Frozen& frozen, const FreezeContext& store, const std::string& name) {
  auto directory = store.directory + "/" + name;
  TRY(auto files, store.files.list(directory));
  for (const auto& file : files) {
    TRY(auto opened, store.files.open(directory + "/" + file, OpenMode::Read));
    TRY(auto length, opened->size());
    frozen.files.push_back({name + "/" + file, "index/" + file, length, file.ends_with(".sst")});
  }
  return {};
}

/// How much of a segment there is to copy; nullopt: none of it is there. What damage there is, is
/// told by find_lost_segments() and by scrubbing: a copy of a damaged file may be mended later.
Result<std::optional<std::uint64_t>> length_of(const FreezeContext& store, SegmentNumber number,
                                               const std::string& file) {
  auto length = store.segments.size(number);
  if (length) return *length;
  if (length.error().code == ErrorCode::NotFound) return std::nullopt;
  if (!is_damage(length.error())) return std::unexpected(std::move(length).error());
  // Its header cannot be read.
  TRY(auto opened, store.files.open(store.directory + "/" + file, OpenMode::Read));
  TRY(auto bytes, opened->size());
  return bytes;
}

/// The journal up to `position`.
Result<void> add_journal(Frozen& frozen, const FreezeContext& store, JournalPosition position) {
  for (auto segment : store.segments.names()) {
    bool log = segment.kind == SegmentKind::Log;
    if (log && segment.number > position.segment) continue;
    auto file = "journal/" + segment_name(segment.number, segment.kind);
    // First: the length of one that is written may grow until it is sealed.
    bool sealed =
        log ? segment.number < position.segment : !store.segments.is_written(segment.number);
    TRY(auto length, length_of(store, segment.number, file));
    if (!length) continue;
    if (log && segment.number == position.segment) length = position.end;
    frozen.files.push_back({file, file, *length, sealed});
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Frozen>> freeze_files(FreezeContext context,
                                                   std::shared_ptr<void> reclaiming) {
  auto name = fmt::format("{}{}", kFrozenPrefix, context.number);
  auto directory = context.directory + "/" + name;
  auto frozen = std::make_shared<Frozen>();
  frozen->hold = std::make_shared<Hold>(std::move(reclaiming), context.files, directory);
  TRY(auto position, context.index.checkpoint(directory));
  TRY(frozen->store_id, find_store_id(context.files, context.directory));
  frozen->last_group = position.lsn;
  frozen->epoch = context.segments.epoch();
  frozen->mark_name = kCleanMark;
  frozen->mark = encode_clean_mark(position);
  TRY_DO(add_name(*frozen, context));
  TRY_DO(add_index(*frozen, context, name));
  TRY_DO(add_journal(*frozen, context, position));
  return frozen;
}

}  // namespace hikyaku::store
