#include <fmt/format.h>

#include "runs.h"
#include "store/blob.h"
#include "store/epoch.h"
#include "store/log.h"
#include "store/rocks_index.h"
#include "store/rows.h"
#include "store/store_files.h"
#include "store/verify.h"
#include "world.h"

namespace hikyaku::torture {
namespace {

using store::BlobId;

/// Of the index.
constexpr const char* kCopy = "/store/checkpoint";
constexpr int kFlips = 12;  ///< of one world that are looked at, before one is repaired

template <class... Args>
[[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) {
  throw Broken(fmt::format(format, std::forward<Args>(args)...));
}

/// What stands in a range of a journal segment.
struct Piece {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  BlobId body = 0;  ///< 0: the header or the operations of a group
  bool owned = false;
  store::Lsn group = 0;
  /// The last group of its segment, and the segment that said where this one ends was reclaimed:
  /// then it looks like the torn end of a crash. The index has it.
  bool unsure = false;
  std::set<std::uint64_t> transactions;  ///< of the group
};
/// By path.
using Map = std::map<std::string, std::vector<Piece>>;

class FlipRun {
 public:
  FlipRun(std::uint64_t seed, Break broken) : world_(seed, broken) {}

  RunReport run() {
    MailWork work(world_);
    for (int i = 0; i < 3; ++i) {
      world_.open(false);
      work.run(3, 12);
      world_.close();
    }
    world_.open(false);
    world_.check();
    read_map();
    world_.close();
    for (int i = 0; i < kFlips; ++i) look_only();
    // The index is whole again on the disk.
    world_.open(false);
    world_.close();
    repair_one();
    return {.transactions = world_.history(),
            .flips = flips_,
            .backups = world_.backups,
            .segments_removed = world_.segments_removed,
            .operations = world_.watched.take_operations()};
  }

 private:
  struct Flip {
    std::string path;
    std::uint64_t offset = 0;
    int bit = 0;
    const Piece* piece = nullptr;  ///< what is hit in the journal, if anything
    bool journal = false;
  };

  // --- what is where ---------------------------------------------------------------------------

  void read_map() {
    auto id = store::load_store_id(world_.watched, "/store").value();
    store::Segments segments(world_.watched, world_.loop, "/store/journal", id);
    if (!segments.load(false)) broken("the journal cannot be listed");
    std::string last_log;
    for (auto name : segments.names()) {
      auto segment = segments.open(name.number).value();
      path_of_[name.number] = "/store/journal/" + store::segment_name(name.number, name.kind);
      if (name.kind != store::SegmentKind::Log) continue;
      if (!last_log.empty() && path_of_[segment->header().previous] != last_log)
        doubt_end(last_log);
      last_log = path_of_[name.number];
      read_groups(*segment);
    }
    for (const auto& [blob, row] : rows_of_bodies()) read_body(segments, blob, row);
  }

  /// Header and operations of the last group of a segment.
  void doubt_end(const std::string& path) {
    auto& pieces = map_[path];
    for (auto piece = pieces.rbegin();
         piece != pieces.rend() && piece->group == pieces.back().group; ++piece)
      piece->unsure = true;
  }

  void read_groups(const store::Segment& segment) {
    auto size = segment.file().size().value();
    for (auto at = store::kSegmentStart;;) {
      auto group = store::read_group(segment, at, size);
      if (!group) return;
      Piece piece;
      piece.group = group->header.lsn;
      for (const auto& [key, value] : group->writes.entries())
        if (value && key.starts_with(store::Key(store::kInstance, kHistory).bytes()))
          piece.transactions.insert(std::stoull(*value));
      auto operations = group->end - group->header.operations_length;
      add(segment.number(), at, at + store::GroupHeader::kSize, piece);
      add(segment.number(), operations, group->end, piece);
      at = group->end;
    }
  }

  std::vector<std::pair<BlobId, std::string>> rows_of_bodies() {
    return world_.loop.run(world_.store().read([](store::Reader& reader) {
      std::vector<std::pair<BlobId, std::string>> rows;
      reader.scan(store::Key(store::kInstance, store::kPlaceTable).children(),
                  [&](std::string_view key, std::string_view value) {
                    rows.emplace_back(store::key_fields(key).u64_be(), value);
                    return true;
                  });
      return rows;
    }));
  }

  void read_body(store::Segments& segments, BlobId blob, const std::string& row) {
    auto place = store::decode_body_place(row).value();
    auto segment = segments.open(place.segment).value();
    auto header = store::read_body_header(*segment, place).value();
    Piece piece;
    piece.body = blob;
    piece.owned = !world_.model().bodies().at(blob).owners.empty();
    add(place.segment, place.header_offset, place.header_offset + place.header_length, piece);
    for (const auto& frame : header.frames)
      add(place.segment, frame.offset, frame.offset + frame.stored, piece);
  }

  void add(store::SegmentNumber segment, std::uint64_t begin, std::uint64_t end, Piece piece) {
    piece.begin = begin;
    piece.end = end;
    map_[path_of_[segment]].push_back(std::move(piece));
  }

  // --- flipping --------------------------------------------------------------------------------

  Flip choose(bool journal_only) {
    std::vector<std::string> paths;
    for (const char* directory : {"/store", "/store/journal", "/store/index", kCopy}) {
      if (journal_only && directory != std::string_view("/store/journal")) continue;
      auto names = world_.watched.list(directory);
      if (!names && directory == std::string_view(kCopy)) continue;  // nothing was reclaimed
      if (!names) broken("{} cannot be listed", directory);
      for (const auto& name : *names) paths.push_back(std::string(directory) + "/" + name);
    }
    while (true) {
      Flip flip;
      flip.path = paths[world_.number(paths.size())];
      auto size = world_.watched.open(flip.path, store::OpenMode::Read).value()->size().value();
      if (size == 0) continue;
      flip.offset = world_.number(size);
      flip.bit = static_cast<int>(world_.number(8));
      flip.journal = flip.path.starts_with("/store/journal/");
      for (const auto& piece : map_[flip.path])
        if (flip.offset >= piece.begin && flip.offset < piece.end) flip.piece = &piece;
      return flip;
    }
  }

  void turn(const Flip& flip) {
    world_.watched.flip_bit(flip.path, flip.offset, flip.bit);
    ++flips_;
  }

  store::VerifyReport verify(bool repair) {
    store::VerifyOptions how;
    how.repair = repair;
    auto report = store::verify_store(world_.options(), how);
    if (!report) broken("verify: {}", report.error().describe());
    return std::move(*report);
  }

  /// In one of the two copies of a segment's header.
  static bool in_header(std::uint64_t offset) {
    return offset < store::kSegmentStart && offset % (store::kSegmentStart / 2) < 128;
  }

  /// Exactly what was hit is told, and nothing else.
  void judge(const Flip& flip, const store::VerifyReport& report) {
    auto where = fmt::format("bit {} of byte {} of {}", flip.bit, flip.offset, flip.path);
    if (!flip.journal) {
      // An index that says nothing wrong is the same row by row: the flip hit what nobody reads.
      if (!report.lost.empty() || report.lost_groups != 0) broken("{}: something is lost", where);
      if (flip.path == "/store/STORE" && report.good()) broken("{}: not seen", where);
      return;
    }
    if (flip.piece && flip.piece->unsure && report.good()) return;
    bool hit =
        in_header(flip.offset) || (flip.piece && (flip.piece->body == 0 || flip.piece->owned));
    if (hit == report.good())
      broken("{}: {}", where, hit ? "not seen" : "seen, and hit nothing: " + report.problems[0]);
    std::set<BlobId> lost;
    for (const auto& body : report.lost) lost.insert(body.id);
    std::set<BlobId> wanted;
    if (flip.piece && hit && flip.piece->body != 0) wanted.insert(flip.piece->body);
    if (lost != wanted) broken("{}: {} bodies are told as lost", where, lost.size());
  }

  void look_only() {
    auto flip = choose(false);
    auto index = contents("/store/index");
    turn(flip);
    judge(flip, verify(false));
    // Opening the index changes its files.
    if (!flip.path.starts_with("/store/index/"))
      world_.watched.flip_bit(flip.path, flip.offset, flip.bit);
    put_back("/store/index", index);
  }

  std::map<std::string, std::string> contents(const std::string& directory) {
    std::map<std::string, std::string> all;
    for (const auto& name : world_.watched.list(directory).value())
      all[name] = store::read_file(world_.watched, directory + "/" + name, SIZE_MAX).value();
    return all;
  }
  void put_back(const std::string& directory, const std::map<std::string, std::string>& all) {
    if (!store::remove_files(world_.watched, directory)) broken("{} cannot be removed", directory);
    for (const auto& [name, bytes] : all)
      if (!store::replace_file(world_.watched, directory, name, bytes))
        broken("{}/{} cannot be written", directory, name);
  }

  /// The last group that the copy of the index has.
  store::Lsn copied_group() {
    auto kept = store::kept_index(world_.watched, "/store");
    if (!kept) return 0;
    auto copy = store::open_rocks_index_for_reading({*kept, 8 << 20, {}, &world_.watched});
    if (!copy) broken("the copy of the index: {}", copy.error().describe());
    return (*copy)->position().lsn;
  }

  void repair_one() {
    // Without an index the journal alone says what was; a damaged group is lost then.
    bool without_index = world_.one_in(2);
    auto flip = choose(without_index);
    if (without_index && !store::remove_rocks_index("/store/index", &world_.watched))
      broken("the index cannot be removed");
    auto copied = copied_group();
    turn(flip);
    auto report = verify(true);
    bool group = flip.piece && flip.piece->body == 0;
    bool lost_group = group && without_index && flip.piece->group > copied;
    if (lost_group) {
      if (report.lost_groups != 1) broken("{} groups are lost, and not one", report.lost_groups);
      if (store::Epoch::of(report.epoch).turn != 2)
        broken("something was lost, and the epoch is {}: {}; {}", report.epoch,
               fmt::join(report.problems, "; "), fmt::join(report.repairs, "; "));
    } else if (report.lost_groups != 0 || report.epoch != 1) {
      broken("{} byte {} ({}): {} groups are lost, the epoch is {}: {}", flip.path, flip.offset,
             without_index ? "without index" : "with index", report.lost_groups, report.epoch,
             fmt::join(report.problems, "; "));
    }
    auto why = world_.try_open();
    if (!why.empty()) broken("after the repair: {}", why);
    std::set<BlobId> unreadable;
    if (flip.piece && flip.piece->body != 0) unreadable.insert(flip.piece->body);
    auto lost = lost_group ? flip.piece->transactions : std::set<std::uint64_t>{};
    // A body that was given up by what is lost may have been reclaimed since.
    auto gone = unreadable;
    for (const auto& [id, body] : world_.model().bodies())
      if (lost_group && body.owners.empty()) gone.insert(id);
    world_.compare(world_.model_without(lost), gone);
    world_.close();
    auto again = verify(false);
    if (again.good() != unreadable.empty() && !(again.good() && !flip.piece->owned))
      broken("after the repair: {}", again.good() ? "the loss is forgotten" : again.problems[0]);
  }

  World world_;
  std::map<store::SegmentNumber, std::string> path_of_;
  Map map_;
  std::uint64_t flips_ = 0;
};

}  // namespace

RunReport flip_run(std::uint64_t seed, Break broken) {
  return FlipRun(seed, broken).run();
}

}  // namespace hikyaku::torture
