#include "store/index_salvage.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "store/key_ranges.h"
#include "store/log.h"
#include "store/rocks_index.h"
#include "store/rows.h"
#include "store/store_files.h"
#include "store/table_salvage.h"

namespace hikyaku::store {
namespace {

constexpr std::uint64_t kMemory = 16ull << 20;
/// Rows are put into the index so many bytes at a time.
constexpr std::uint64_t kBatch = 4ull << 20;
/// Blocks that go bad while all is read are lost like the others: then it is read once more, at
/// most so many times.
constexpr int kMostReadings = 5;

std::string behind(std::string_view key) {
  return std::string(key) + '\0';
}

/// The groups at the end of the journal between which none is missing.
struct LastRun {
  JournalPosition before;  ///< replaying from here reads all of it
  Lsn last = 0;            ///< 0: there are no groups

  bool has(const std::optional<JournalPosition>& position) const {
    return last != 0 && position && position->lsn >= before.lsn && position->lsn <= last;
  }
};

/// One of the store's indexes: what there is of it.
struct Source {
  bool own = false;  ///< no copy
  RocksTables tables;
  std::vector<KeyRanges> lost;  ///< of each table: what it cannot tell
  KeyRanges unreadable;         ///< all of them
  std::uint64_t rows = 0;
  std::optional<JournalPosition> position;

  /// Where it belongs among the groups. The store's own is ahead of its copies.
  Lsn lsn() const { return position ? position->lsn : own ? UINT64_MAX : 0; }
};

/// Tells of rows that come in no order which were written last.
class LastRows {
 public:
  bool is_last(const SalvagedRow& row) {
    auto key = std::hash<std::string_view>()(row.key);
    auto known = numbers_.find(key);
    if (known != numbers_.end() && known->second > row.number) return false;
    // At the bottom, where most rows are, they have no number: that needs no memory.
    if (row.number != 0) numbers_[key] = row.number;
    return true;
  }

 private:
  std::unordered_map<std::size_t, std::uint64_t> numbers_;
};

void add(Overlay& rows, std::string_view key, std::optional<std::string_view> value) {
  if (value)
    rows.put(key, *value);
  else
    rows.erase(key);
}

/// Adds what `writes` say of the keys in `of`.
void add_common(Overlay& to, const Overlay& writes, const KeyRanges& of) {
  if (of.empty()) return;
  KeyRanges erased;
  for (const auto& [begin, end] : writes.ranges()) erased.add({begin, end});
  for (const auto& range : erased.common_with(of).all()) to.erase_range(range);
  for (const auto& [key, value] : writes.entries())
    if (of.contains(key)) add(to, key, value);
}

/// What is said of keys that the newest source cannot tell.
struct Others {
  /// Behind some of it groups are missing, or nothing tells when it was written: better than
  /// nothing.
  Overlay doubtful;
  /// As of the journal's last run: what nothing later is known of.
  Overlay latest;
  /// Of copies that are as new as that source, which the journal's last run does not have.
  Overlay exact;
};

class IndexSalvage {
 public:
  IndexSalvage(const Options& options, FileSystem& files, const LogChain& chain, std::string to)
      : options_(options), files_(files), chain_(chain), to_(std::move(to)) {}

  Result<SalvagedIndex> run() {
    TRY_DO(each_group([&](const GroupRecord& group, JournalPosition before) {
      if (run_.last == 0 || group.header.lsn != run_.last + 1) run_.before = before;
      run_.last = group.header.lsn;
    }));
    TRY(auto sources, look_at_all());
    if (sources.empty()) return fail(ErrorCode::NotFound, "nothing of the index can be read");
    for (int readings = 0; readings < kMostReadings; ++readings) {
      lost_more_ = false;
      TRY_DO(make_of(sources));
      if (!lost_more_) return describe(sources);
    }
    return fail(ErrorCode::Io, "the tables of the index read differently each time: {}",
                options_.directory);
  }

  Result<std::optional<JournalPosition>> position_of_own() {
    std::optional<JournalPosition> position;
    auto own = index_directory(options_.directory);
    if (!has_files(files_, own)) return position;
    TRY(auto tables, list_tables(own));
    bool any = false;
    for (const auto& table : tables.all) {
      // It is the first row of all.
      auto visit = [&](const SalvagedRow& row) -> Result<void> {
        any = true;
        learn(row, position);
        return fail(ErrorCode::Shutdown, "enough");
      };
      (void)salvage_table(files_, table.path, visit);
    }
    return any && !position ? JournalPosition{} : position;
  }

 private:
  /// The first of `sources` is the newest.
  Result<void> make_of(std::span<Source> sources) {
    auto& newest = sources.front();
    TRY(auto others, ask(newest, sources.subspan(1)));
    if (lost_more_) return {};
    index_.reset();
    TRY_DO(remove_files(files_, to_));
    TRY_DO(files_.make_directory(to_));
    TRY(index_, open_rocks_index({to_, options_.index_memory, options_.log, options_.files}));
    TRY_DO(write(newest, others));
    TRY_DO(index_->apply({}, position_of(newest)));
    return index_->flush();
  }

  SalvagedIndex describe(std::span<const Source> sources) const {
    const auto& newest = sources.front();
    auto unreadable = newest.unreadable;
    for (const auto& source : sources.subspan(1))
      if (leads_to(newest, source)) unreadable = unreadable.common_with(source.unreadable);
    auto has_more = [&](const Source& source) {
      return source.lsn() > std::max(newest.lsn(), run_.last);
    };
    bool certain = newest.tables.listed && std::ranges::none_of(sources, has_more);
    return {newest.rows, unreadable.all(), certain};
  }

  // --- the journal -----------------------------------------------------------------------------

  /// Calls visit(group, the position before it) for every group that can be read.
  template <class Visit>
  Result<void> each_group(Visit visit) {
    Lsn last = 0;
    for (const auto& link : chain_.links) {
      const auto& segment = *link.segment;
      TRY(auto size, segment.file().size());
      auto limit = std::min(size, link.end.value_or(size));
      for (auto at = kSegmentStart; at < limit;) {
        auto group = read_group(segment, at, limit);
        if (!group && group.error().code == ErrorCode::Corrupt) {
          TRY(auto next, find_group(segment, at, limit, last + 1));
          if (!next) break;
          at = *next;
          continue;
        }
        TRY_DO(group);
        last = group->header.lsn;
        visit(*group, JournalPosition{last - 1, segment.number(), at});
        at = group->end;
      }
    }
    return {};
  }

  /// Whether all that came between the two is in the journal.
  bool leads_to(const Source& newest, const Source& from) const {
    if (!from.tables.listed || !from.position || !newest.position) return false;
    return from.lsn() == newest.lsn() || (run_.has(from.position) && run_.has(newest.position));
  }

  // --- what there is ---------------------------------------------------------------------------

  Result<RocksTables> list_tables(const std::string& directory) {
    return list_rocks_tables({directory, kMemory, options_.log, options_.files}, files_);
  }

  static void learn(const SalvagedRow& row, std::optional<JournalPosition>& position) {
    if (!is_position_key(row.key) || !row.value) return;
    auto found = decode_position(*row.value);
    if (found && (!position || position->lsn < found->lsn)) position = found;
  }

  /// Those of which something can be read, the newest first. Which rows are in tables without a
  /// list is not known, so a copy is better that has a list, and from which something leads to all
  /// that any of them has.
  Result<std::vector<Source>> look_at_all() {
    std::vector<Source> sources;
    auto own = index_directory(options_.directory);
    if (has_files(files_, own)) TRY_DO(look_at(own, true, sources));
    for (const auto& kept : kept_indexes(files_, options_.directory))
      TRY_DO(look_at(kept, false, sources));
    Lsn furthest = 0;
    for (const auto& source : sources)
      if (source.position) furthest = std::max(furthest, source.position->lsn);
    std::ranges::stable_sort(sources, std::greater(), [&](const Source& source) {
      bool leads_on =
          source.lsn() == furthest || (furthest <= run_.last && run_.has(source.position));
      return std::tuple(source.tables.listed && (source.own || leads_on), source.lsn());
    });
    return sources;
  }

  static KeyRanges lost_of(const RocksTable& table, const Result<TableSalvage>& salvaged) {
    KeyRanges lost;
    if (!salvaged) {
      lost.add({table.first, behind(table.last)});
      return lost;
    }
    for (const auto& keys : salvaged->unreadable)
      lost.add({keys.after.empty() ? table.first : behind(keys.after),
                behind(keys.up_to ? *keys.up_to : table.last)});
    return lost;
  }

  Result<void> look_at(const std::string& directory, bool own, std::vector<Source>& sources) {
    Source source;
    source.own = own;
    TRY(source.tables, list_tables(directory));
    for (const auto& table : source.tables.all) {
      auto salvaged =
          salvage_table(files_, table.path, [&](const SalvagedRow& row) -> Result<void> {
            learn(row, source.position);
            return {};
          });
      if (salvaged) source.rows += salvaged->rows;
      source.lost.push_back(lost_of(table, salvaged));
      source.unreadable.add(source.lost.back());
    }
    if (source.rows != 0) sources.push_back(std::move(source));
    return {};
  }

  /// Calls row(key, value) for all that can be read, so that the last call for a key counts, and
  /// behind(i) when the i-th table has been read. What could be read before, and cannot be any
  /// more, is added to what is lost.
  template <class Row, class Behind>
  Result<void> read(Source& source, Row row, Behind behind) {
    LastRows last_rows;
    for (std::size_t i = 0; i < source.tables.all.size(); ++i) {
      const auto& table = source.tables.all[i];
      Result<void> taken;
      auto visit = [&](const SalvagedRow& found) -> Result<void> {
        if (is_position_key(found.key)) return {};
        if (!source.tables.listed && !last_rows.is_last(found)) return {};
        return taken = row(found.key, found.value);
      };
      auto salvaged = salvage_table(files_, table.path, visit);
      TRY_DO(std::move(taken));
      if (auto more = lost_of(table, salvaged).without(source.lost[i]); !more.empty()) {
        lost_more_ = true;
        source.lost[i].add(more);
        source.unreadable.add(more);
      }
      TRY_DO(behind(i));
    }
    return {};
  }

  // --- what others say -------------------------------------------------------------------------

  /// What `sources` and the groups say of the keys that the newest source has lost, each in its
  /// turn, so that what is later counts.
  Result<Others> ask(const Source& newest, std::span<Source> sources) {
    Others said;
    const auto& keys = newest.unreadable;
    if (keys.empty()) return said;
    std::vector<Source*> in_turn;
    for (auto& source : sources) in_turn.push_back(&source);
    std::ranges::stable_sort(in_turn, {}, &Source::lsn);
    auto next = in_turn.begin();
    auto ask_next = [&]() -> Result<void> {
      auto& source = **next++;
      return ask(source, keys, overlay_of(newest, source, said), said.doubtful);
    };
    Result<void> asked;
    TRY_DO(each_group([&](const GroupRecord& group, JournalPosition) {
      while (asked && next != in_turn.end() && (*next)->lsn() < group.header.lsn)
        asked = ask_next();
      add_common(at(group.header.lsn, said), group.writes, keys);
    }));
    TRY_DO(std::move(asked));
    while (next != in_turn.end()) TRY_DO(ask_next());
    return said;
  }

  Overlay& at(Lsn lsn, Others& said) const {
    bool in_run = run_.last != 0 && lsn > run_.before.lsn;
    return in_run ? said.latest : said.doubtful;
  }

  Overlay& overlay_of(const Source& newest, const Source& from, Others& said) const {
    if (run_.has(from.position)) return said.latest;
    return leads_to(newest, from) ? said.exact : at(from.lsn(), said);
  }

  Result<void> ask(Source& source, const KeyRanges& keys, Overlay& here, Overlay& doubtful) {
    for (const auto& range : keys.without(source.unreadable).all()) here.erase_range(range);
    auto take = [&](std::string_view key, std::optional<std::string_view> value) -> Result<void> {
      // What it cannot tell either may have been written once more.
      if (keys.contains(key)) add(source.unreadable.contains(key) ? doubtful : here, key, value);
      return {};
    };
    return read(source, take, [](std::size_t) { return Result<void>(); });
  }

  // --- the new one -----------------------------------------------------------------------------

  /// Table by table, and behind each what the others say of its lost keys: what later tables have
  /// of these was written after it. Without a list there are none later.
  Result<void> write(Source& source, const Others& others) {
    erased_.clear();
    bool ahead = is_ahead(source);
    Overlay rows;
    auto row = [&](std::string_view key, std::optional<std::string_view> value) -> Result<void> {
      add(rows, key, value);
      if (ahead && source.unreadable.contains(key)) note_erased(key, !value);
      return rows.encoded_bound() < kBatch ? Result<void>() : put(rows);
    };
    bool ordered = source.tables.listed;
    TRY_DO(read(source, row, [&](std::size_t table) -> Result<void> {
      if (!ordered || source.lost[table].empty()) return {};
      TRY_DO(put(rows));
      return fill(source, source.lost[table], others);
    }));
    TRY_DO(put(rows));
    return ordered ? Result<void>() : fill(source, source.unreadable, others);
  }

  /// What has been read of an index that is ahead of the journal may be newer than all of that.
  bool is_ahead(const Source& source) const {
    return source.position && source.position->lsn > run_.last;
  }

  /// Of such an index also what a row says that is not there.
  void note_erased(std::string_view key, bool is_erased) {
    if (is_erased)
      erased_.emplace(key);
    else if (auto known = erased_.find(key); known != erased_.end())
      erased_.erase(known);
  }

  Result<void> fill(const Source& source, const KeyRanges& keys, const Others& others) {
    TRY_DO(fill_absent(keys, others.doubtful));
    if (is_ahead(source)) {
      TRY_DO(fill_absent(keys, others.latest));
      return fill_over(keys, others.exact);
    }
    TRY_DO(fill_over(keys, others.exact));
    return fill_over(keys, others.latest);
  }

  Result<void> fill_absent(const KeyRanges& keys, const Overlay& said) {
    Overlay rows;
    auto view = index_->view();
    for (const auto& [key, value] : said.entries()) {
      if (!value || !keys.contains(key) || erased_.contains(key)) continue;
      if (!view->get(key, Reach::Disk)) rows.put(key, *value);
      if (rows.encoded_bound() >= kBatch) TRY_DO(put(rows));
    }
    return put(rows);
  }

  Result<void> fill_over(const KeyRanges& keys, const Overlay& said) {
    Overlay rows;
    KeyRanges erased;
    for (const auto& [begin, end] : said.ranges()) erased.add({begin, end});
    for (const auto& range : erased.common_with(keys).all()) rows.erase_range(range);
    TRY_DO(put(rows));
    for (const auto& [key, value] : said.entries()) {
      if (keys.contains(key)) add(rows, key, value);
      if (rows.encoded_bound() >= kBatch) TRY_DO(put(rows));
    }
    return put(rows);
  }

  Result<void> put(Overlay& rows) {
    if (rows.empty()) return {};
    TRY_DO(index_->apply(rows, {}));
    rows.clear();
    return {};
  }

  /// Where replaying goes on. Groups that the index has already do no harm when none behind them is
  /// missing.
  JournalPosition position_of(const Source& source) const {
    return !source.position || run_.has(source.position) ? run_.before : *source.position;
  }

  const Options& options_;
  FileSystem& files_;
  const LogChain& chain_;
  std::string to_;
  std::unique_ptr<Index> index_;
  LastRun run_;
  bool lost_more_ = false;  ///< since it was read first
  /// Lost keys of which a row of an index that is ahead says that they are erased.
  std::set<std::string, std::less<>> erased_;
};

std::string describe_key(std::string_view key) {
  if (key.size() < 5) return "the first";
  Decoder in(key);
  auto account = in.u32_be();
  auto table = in.u8();
  return account == kInstance ? fmt::format("the store's table {:#04x}", table)
                              : fmt::format("account {}, table {:#04x}", account, table);
}

}  // namespace

Result<SalvagedIndex> salvage_index(const Options& options, FileSystem& files,
                                    const LogChain& chain, const std::string& to) {
  return IndexSalvage(options, files, chain, to).run();
}

Result<std::optional<JournalPosition>> salvage_position(const Options& options, FileSystem& files) {
  LogChain none;
  return IndexSalvage(options, files, none, "").position_of_own();
}

std::string describe_keys(const KeyRange& range) {
  auto first = describe_key(range.begin), last = describe_key(range.end);
  return first == last ? fmt::format("some rows of {}", first)
                       : fmt::format("rows from {} to {}", first, last);
}

}  // namespace hikyaku::store
