#include "store/index_salvage.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

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

/// Ranges of keys, disjoint and ascending.
class KeyRanges {
 public:
  void add(KeyRange range) {
    if (range.begin >= range.end) return;
    auto first = std::ranges::lower_bound(ranges_, range.begin, {}, &KeyRange::end);
    auto last = first;
    for (; last != ranges_.end() && last->begin <= range.end; ++last) {
      range.begin = std::min(range.begin, last->begin);
      range.end = std::max(range.end, last->end);
    }
    ranges_.insert(ranges_.erase(first, last), std::move(range));
  }
  bool contains(std::string_view key) const {
    auto behind = std::ranges::upper_bound(
        ranges_, key, {}, [](const KeyRange& range) { return std::string_view(range.end); });
    return behind != ranges_.end() && behind->begin <= key;
  }
  KeyRanges common_with(const KeyRanges& others) const {
    KeyRanges common;
    for (const auto& a : ranges_)
      for (const auto& b : others.ranges_)
        common.add({std::max(a.begin, b.begin), std::min(a.end, b.end)});
    return common;
  }
  KeyRanges without(const KeyRanges& others) const {
    KeyRanges left;
    for (const auto& range : ranges_) {
      auto begin = range.begin;
      for (const auto& other : others.ranges_) {
        if (other.end <= begin || other.begin >= range.end) continue;
        left.add({begin, other.begin});
        begin = other.end;
      }
      left.add({begin, range.end});
    }
    return left;
  }
  bool empty() const { return ranges_.empty(); }
  const std::vector<KeyRange>& all() const { return ranges_; }

 private:
  std::vector<KeyRange> ranges_;
};

std::string behind(std::string_view key) {
  return std::string(key) + '\0';
}

/// What one of the store's indexes had.
struct Source {
  std::uint64_t rows = 0;
  std::optional<JournalPosition> position;
  KeyRanges unreadable;
};

/// The groups at the end of the journal between which none is missing.
struct LastRun {
  JournalPosition before;  ///< replaying from here reads all of it
  Lsn last = 0;            ///< 0: there are no groups
};

class IndexSalvage {
 public:
  IndexSalvage(const Options& options, FileSystem& files, const LogChain& chain, std::string to)
      : options_(options), files_(files), chain_(chain), to_(std::move(to)) {}

  Result<SalvagedIndex> run() {
    TRY_DO(remove_files(files_, to_));
    TRY_DO(files_.make_directory(to_));
    TRY(index_, open_rocks_index({to_, options_.index_memory, options_.log, options_.files}));
    auto sources = kept_indexes(files_, options_.directory);
    auto own = index_directory(options_.directory);
    if (has_files(files_, own)) sources.insert(sources.begin(), own);
    if (sources.empty()) return fail(ErrorCode::NotFound, "there is no index to read");
    Overlay rows;
    TRY(auto source, read(sources.front(), [&](std::string_view key, auto value) -> Result<void> {
          add(rows, key, value);
          if (rows.encoded_bound() < kBatch) return {};
          return put(rows);
        }));
    TRY_DO(put(rows));
    if (source.rows == 0) return fail(ErrorCode::NotFound, "nothing of the index can be read");
    TRY(auto older, look_at_journal(source.unreadable));
    for (auto copy = sources.begin() + 1; copy != sources.end(); ++copy)
      TRY_DO(fill_from(*copy, source));
    TRY_DO(fill_from(older));
    TRY_DO(index_->apply({}, position_for(source)));
    TRY_DO(index_->flush());
    return SalvagedIndex{source.rows, source.unreadable.all()};
  }

 private:
  static void add(Overlay& rows, std::string_view key, std::optional<std::string_view> value) {
    if (value)
      rows.put(key, *value);
    else
      rows.erase(key);
  }

  Result<void> put(Overlay& rows) {
    if (rows.empty()) return {};
    TRY_DO(index_->apply(rows, {}));
    rows.clear();
    return {};
  }

  /// Calls row(key, value) for all that can be read, what was written first before the rest.
  template <class Row>
  Result<Source> read(const std::string& directory, Row row) {
    Source source;
    TRY(auto tables, list_rocks_tables({directory, kMemory, options_.log, options_.files}, files_));
    for (const auto& table : tables) {
      auto visit = [&](std::string_view key,
                       std::optional<std::string_view> value) -> Result<void> {
        if (!is_position_key(key)) return row(key, value);
        if (value) source.position = decode_position(*value);
        return {};
      };
      auto salvaged = salvage_table(files_, table.path, visit);
      if (!salvaged && salvaged.error().code == ErrorCode::NotFound) {
        source.unreadable.add({table.first, behind(table.last)});
        continue;
      }
      TRY_DO(salvaged);
      source.rows += salvaged->rows;
      for (const auto& keys : salvaged->unreadable)
        source.unreadable.add({keys.after.empty() ? table.first : behind(keys.after),
                               behind(keys.up_to ? *keys.up_to : table.last)});
    }
    return source;
  }

  /// Finds the last run of groups, and gives what those before it say of keys that are lost.
  Result<Overlay> look_at_journal(const KeyRanges& lost) {
    Overlay run, older;
    for (const auto& link : chain_.links) {
      const auto& segment = *link.segment;
      TRY(auto size, segment.file().size());
      auto limit = std::min(size, link.end.value_or(size));
      for (auto at = kSegmentStart; at < limit;) {
        auto group = read_group(segment, at, limit);
        if (!group && group.error().code == ErrorCode::Corrupt) {
          TRY(auto next, find_group(segment, at, limit, run_.last + 1));
          if (!next) break;
          at = *next;
          continue;
        }
        TRY_DO(group);
        if (run_.last == 0 || group->header.lsn != run_.last + 1) {
          older.merge(run);
          run.clear();
          run_.before = {group->header.lsn - 1, segment.number(), at};
        }
        run_.last = group->header.lsn;
        add_common(run, group->writes, lost);
        at = group->end;
      }
    }
    return older;
  }

  static void add_common(Overlay& to, const Overlay& writes, const KeyRanges& lost) {
    if (lost.empty()) return;
    for (const auto& [begin, end] : writes.ranges()) {
      KeyRanges erased;
      erased.add({begin, end});
      for (const auto& range : erased.common_with(lost).all()) to.erase_range(range);
    }
    for (const auto& [key, value] : writes.entries())
      if (lost.contains(key)) add(to, key, value);
  }

  /// A copy from which the journal leads on has the rows that were there then; what came later is
  /// replayed.
  Result<void> fill_from(const std::string& copy, Source& source) {
    if (source.unreadable.empty()) return {};
    Overlay rows;
    TRY(auto kept, read(copy, [&](std::string_view key, auto value) -> Result<void> {
          if (source.unreadable.contains(key)) add(rows, key, value);
          return {};
        }));
    if (!kept.position || !is_in_run(*kept.position)) return {};
    Overlay exact;
    for (const auto& range : source.unreadable.without(kept.unreadable).all())
      exact.erase_range(range);
    exact.merge(rows);
    source.unreadable = source.unreadable.common_with(kept.unreadable);
    return put(exact);
  }

  /// What is older than a gap in the journal may have been changed in it: it is better than
  /// nothing.
  Result<void> fill_from(const Overlay& older) {
    auto view = index_->view();
    Overlay rows;
    for (const auto& [key, value] : older.entries())
      if (value && !view->get(key, Reach::Disk)) rows.put(key, *value);
    return put(rows);
  }

  bool is_in_run(JournalPosition position) const {
    return run_.last != 0 && position.lsn >= run_.before.lsn && position.lsn <= run_.last;
  }
  /// Groups that the index has already do no harm when none behind them is missing.
  JournalPosition position_for(const Source& source) const {
    return !source.position || is_in_run(*source.position) ? run_.before : *source.position;
  }

  const Options& options_;
  FileSystem& files_;
  const LogChain& chain_;
  std::string to_;
  std::unique_ptr<Index> index_;
  LastRun run_;
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

std::string describe_keys(const KeyRange& range) {
  auto first = describe_key(range.begin), last = describe_key(range.end);
  return first == last ? fmt::format("some rows of {}", first)
                       : fmt::format("rows from {} to {}", first, last);
}

}  // namespace hikyaku::store
