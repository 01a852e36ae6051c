#include "store/verify_bodies.h"

#include <fmt/format.h>
#include <map>
#include <utility>

#include "crypto/digest.h"
#include "store/blob.h"
#include "store/layered_reader.h"
#include "store/rows.h"

namespace hikyaku::store {
namespace {

constexpr std::string_view kWaiting = "waiting for reclaiming";

/// A table whose keys begin with a number, row by row.
struct Rows {
  Rows(const IndexView& view, store::Table table)
      : range(Key(kInstance, table).children()), cursor(view.cursor(range, Reach::Disk)) {
    cursor->seek(range.begin);
  }
  bool valid() const { return cursor->valid(); }
  std::uint64_t number() const { return key_fields(cursor->key()).u64_be(); }

  KeyRange range;
  std::unique_ptr<IndexCursor> cursor;
};

class BodyCheck {
 public:
  BodyCheck(Index& index, Segments& segments, const Clock& clock, Findings& findings)
      : index_(index), segments_(segments), clock_(clock), findings_(findings) {}

  Result<Overlay> run() {
    auto view = index_.view();
    if (auto row = view->get(next_blob_key(), Reach::Disk)) next_ = decode_number(*row);
    auto next = next_;
    Rows owners(*view, kOwnerTable);
    Rows freed(*view, kFreedAtTable);
    std::map<SegmentNumber, SegmentUse> uses;
    for (Rows places(*view, kPlaceTable); places.valid(); places.cursor->next()) {
      auto id = places.number();
      findings_.progress("bodies", id, next);
      use_number(id);
      bool owned = pass(owners, id, "owned");
      bool waiting = pass(freed, id, kWaiting);
      if (owned == waiting) {
        fix_waiting(id, owned);
        findings_.problem(fmt::format("body {} {}", id,
                                      owned ? "is owned but waits for reclaiming"
                                            : "has no owner and does not wait for reclaiming"));
      }
      auto place = decode_body_place(places.cursor->value());
      if (!place) {
        findings_.problem(fmt::format("body {}: {}", id, place.error().text));
        continue;
      }
      auto& use = uses[place->segment];
      (owned ? use.live : use.retained) += place->stored;
      if (!owned) ++findings_.report.waiting;
      TRY_DO(check_body_at(id, *place, owned));
    }
    pass(owners, UINT64_MAX, "owned");
    pass(freed, UINT64_MAX, kWaiting);
    check_uses(*view, uses);
    if (next_ != next) fix_put(next_blob_key(), encode_number(next_));
    return std::move(fixes_);
  }

 private:
  /// Nobody else's mail may get the number of a body that anything names.
  void use_number(BlobId id) {
    if (id < next_ || id == UINT64_MAX) return;
    findings_.problem(fmt::format("body {} has a number not yet given out", id));
    next_ = id + 1;
  }

  /// Goes over the rows up to body `id`; those before it belong to no body. Whether it has any.
  bool pass(Rows& table, BlobId id, std::string_view what) {
    bool any = false;
    for (; table.valid() && table.number() <= id; table.cursor->next()) {
      use_number(table.number());
      if (table.number() < id) {
        findings_.problem(fmt::format("body {} is {} but not there", table.number(), what));
        fix_erase(table.cursor->key());
        if (what == kWaiting)
          fix_erase(freed_key(
              Time(milliseconds(static_cast<std::int64_t>(decode_number(table.cursor->value())))),
              table.number()));
      } else {
        any = true;
      }
    }
    return any;
  }

  void check_uses(const IndexView& view, const std::map<SegmentNumber, SegmentUse>& uses) {
    auto problems_before = findings_.report.problem_count;
    auto left = uses;
    auto range = Key(kInstance, kSegmentTable).children();
    auto cursor = view.cursor(range, Reach::Disk);
    for (cursor->seek(range.begin); cursor->valid(); cursor->next()) {
      auto number = key_fields(cursor->key()).u32_be();
      auto use = decode_segment_use(cursor->value());
      if (use) use_number(use->last);
      bool same = use && use->same_bytes(std::exchange(left[number], {}));
      if (!same)
        findings_.problem(
            fmt::format("segment {}: its counters are not the sum of its bodies", number));
      // Those of the others are written below.
      if (!same && !uses.contains(number)) fix_erase(cursor->key());
    }
    for (const auto& [number, use] : left)
      if (!use.empty()) findings_.problem(fmt::format("segment {} has no counters", number));
    if (problems_before == findings_.report.problem_count) return;
    for (const auto& [number, use] : uses) fix_put(segment_use_key(number), encode(use));
  }

  void fix_put(std::string_view key, std::string_view value) {
    if (findings_.how.repair) fixes_.put(key, value);
  }
  void fix_erase(std::string_view key) {
    if (findings_.how.repair) fixes_.erase(key);
  }
  /// A body without owners waits from now on; one that is owned does not.
  void fix_waiting(BlobId id, bool owned) {
    if (owned) {
      if (auto since = index_.view()->get(freed_at_key(id), Reach::Disk))
        fix_erase(
            freed_key(Time(milliseconds(static_cast<std::int64_t>(decode_number(*since)))), id));
      return fix_erase(freed_at_key(id));
    }
    auto now = clock_.now();
    fix_put(freed_at_key(id),
            encode_number(static_cast<std::uint64_t>(now.time_since_epoch().count())));
    fix_put(freed_key(now, id), {});
  }

  Result<void> check_body_at(BlobId id, const BodyPlace& place, bool owned) {
    ++findings_.report.bodies;
    findings_.report.body_bytes += place.size;
    auto checked = check_body(place);
    if (checked) return {};
    if (checked.error().code == ErrorCode::Io) return checked;
    if (!owned) {
      findings_.damaged_while_waiting(id);
      findings_.report.body_bytes -= place.size;  // of those that can be read
      return {};
    }
    findings_.problem(fmt::format("body {}: {}", id, checked.error().describe()));
    findings_.lost(describe_lost(id, place));
    return {};
  }

  Result<void> check_body(const BodyPlace& place) {
    TRY(auto segment, segments_.open(place.segment));
    TRY(auto header, read_body_header(*segment, place));
    crypto::Digest digest(crypto::Hash::Sha256);
    for (const auto& frame : header.frames) {
      TRY(auto stored, read_exactly(segment->file(), frame.offset, frame.stored));
      TRY(auto bytes, decode_frame(frame, std::move(stored)));
      digest.update(bytes);
    }
    if (digest.finish() != header.sha256)
      return fail(ErrorCode::Corrupt, "its SHA-256 is not what it was");
    return {};
  }

  LostBody describe_lost(BlobId id, const BodyPlace& place) {
    LostBody body;
    body.id = id;
    body.size = place.size;
    auto view = index_.view();
    auto range = owners_key(id).children();
    auto cursor = view->cursor(range, Reach::Disk);
    for (cursor->seek(range.begin); cursor->valid(); cursor->next())
      body.owners.emplace_back(cursor->key().substr(owners_key(id).bytes().size()));
    if (auto segment = segments_.open(place.segment))
      if (auto header = read_body_header(**segment, place)) {
        body.staged = header->staged;
        body.salvage = header->salvage;
      }
    if (findings_.how.name) {
      ViewReader reader(*view, Reach::Disk, segments_.epoch());
      body.name = findings_.how.name(reader, body);
    }
    return body;
  }

  Index& index_;
  Segments& segments_;
  const Clock& clock_;
  Findings& findings_;
  BlobId next_ = 1;  ///< the number of the next body
  Overlay fixes_;
};

}  // namespace

Result<Overlay> check_bodies(Index& index, Segments& segments, const Clock& clock,
                             Findings& findings) {
  return BodyCheck(index, segments, clock, findings).run();
}

}  // namespace hikyaku::store
