#include "store/recovery.h"

#include <algorithm>
#include <fmt/format.h>

namespace hikyaku::store {

std::string DamagedRange::describe() const {
  return fmt::format("journal segment {}, bytes {} to {}: {}", segment, begin, end, what);
}

Result<LogChain> open_log_chain(Segments& segments) {
  LogChain chain;
  for (const auto& name : segments.names()) {
    if (name.kind != SegmentKind::Log) continue;
    auto opened = segments.open(name.number);
    if (!opened) {
      if (opened.error().code == ErrorCode::Io) return std::unexpected(opened.error());
      chain.problems.push_back({name.number + 1, opened.error().describe()});
      continue;
    }
    auto segment = std::move(*opened);
    const auto& header = segment->header();
    if (!chain.links.empty()) {
      auto& before = chain.links.back();
      before.end = header.previous_end;
      if (header.previous != before.segment->number()) {
        chain.problems.push_back(
            {header.number,
             fmt::format("journal segment {}, which segment {} continues, is missing",
                         header.previous, header.number),
             header.previous});
        before.end.reset();
      }
    }
    chain.links.push_back({std::move(segment), std::nullopt});
  }
  return chain;
}

namespace {

class Replayer {
 public:
  Replayer(const LogChain& chain, JournalPosition from,
           const std::function<Result<void>(const GroupRecord&, JournalPosition)>& apply, Lsn whole)
      : chain_(chain), apply_(apply), whole_(whole) {
    result_.last = from;
  }

  Result<ReplayResult> run() {
    auto from = result_.last.segment;
    auto is_from = [&](const LogChain::Link& link) { return link.segment->number() == from; };
    if (from != 0 && std::ranges::none_of(chain_.links, is_from)) {
      result_.damage = DamagedRange{from, 0, result_.last.end, "the segment is missing"};
      return std::move(result_);
    }
    for (std::size_t i = 0; i < chain_.links.size(); ++i) {
      const auto& link = chain_.links[i];
      if (link.segment->number() < result_.last.segment) continue;
      TRY_DO(replay_segment(link, i + 1 == chain_.links.size()));
      if (result_.damage) return std::move(result_);
    }
    return std::move(result_);
  }

 private:
  Result<void> replay_segment(const LogChain::Link& link, bool last) {
    const auto& segment = *link.segment;
    TRY(auto size, segment.file().size());
    auto limit = link.end.value_or(size);
    auto at = segment.number() == result_.last.segment ? result_.last.end : kSegmentStart;
    if (limit > size || at > limit) return damaged(segment, size, limit, "the file is too short");
    while (last ? limit - at >= GroupHeader::kSize : at < limit) {
      auto group = read_group(segment, at, limit);
      if (group && group->header.lsn != result_.last.lsn + 1)
        group = fail(ErrorCode::Corrupt, "group {} stands where {} should", group->header.lsn,
                     result_.last.lsn + 1);
      if (!group) {
        if (group.error().code != ErrorCode::Corrupt) return std::unexpected(group.error());
        return last ? end_or_damage(segment, at, limit, group.error().text)
                    : damaged(segment, at, limit, group.error().text);
      }
      if (last) {
        // Only the very last group may have been in the middle of being written.
        TRY(bool torn, is_torn(segment, *group, limit));
        if (torn) return {};
      }
      JournalPosition position{group->header.lsn, segment.number(), group->end};
      TRY_DO(apply_(*group, position));
      result_.last = position;
      result_.last_begin = at;
      ++result_.groups;
      at = group->end;
    }
    return {};
  }

  Result<bool> is_torn(const Segment& segment, const GroupRecord& group, std::uint64_t limit) {
    if (group.header.body_count == 0 || group.header.lsn <= whole_) return false;
    if (read_group(segment, group.end, limit)) return false;
    auto bodies = check_group_bodies(segment, group);
    if (bodies) return false;
    if (bodies.error().code != ErrorCode::Corrupt) return std::unexpected(bodies.error());
    // Behind a torn group there is nothing; if there is, it was whole once.
    TRY(auto later, find_group(segment, group.end, limit, group.header.lsn + 1));
    return !later;
  }

  /// No group stands at `at` of the last segment: is that the end, or is something lost?
  Result<void> end_or_damage(const Segment& segment, std::uint64_t at, std::uint64_t limit,
                             const std::string& what) {
    TRY(auto later, find_group(segment, at + 1, limit, result_.last.lsn + 1));
    if (later) return damaged(segment, at, *later, what);
    return {};
  }

  Result<void> damaged(const Segment& segment, std::uint64_t begin, std::uint64_t end,
                       std::string what) {
    result_.damage = DamagedRange{segment.number(), begin, end, std::move(what)};
    return {};
  }

  const LogChain& chain_;
  const std::function<Result<void>(const GroupRecord&, JournalPosition)>& apply_;
  Lsn whole_;
  ReplayResult result_;
};

}  // namespace

Result<ReplayResult> replay(
    const LogChain& chain, JournalPosition from,
    const std::function<Result<void>(const GroupRecord&, JournalPosition)>& apply, Lsn whole) {
  return Replayer(chain, from, apply, whole).run();
}

Result<std::optional<Resumption>> behind_damage(const LogChain& chain, const DamagedRange& damage,
                                                Lsn last) {
  for (const auto& link : chain.links) {
    const auto& segment = *link.segment;
    if (segment.number() < damage.segment) continue;
    TRY(auto size, segment.file().size());
    auto limit = std::min(size, link.end.value_or(size));
    auto from = segment.number() == damage.segment ? damage.begin : kSegmentStart;
    TRY(auto found, find_group(segment, from, limit, last + 1));
    if (!found) continue;
    TRY(auto group, read_group(segment, *found, limit));
    return Resumption{{group.header.lsn - 1, segment.number(), *found}, group.header.lsn};
  }
  return std::nullopt;
}

Result<void> write_last_group_again(Segments& segments, const ReplayResult& result) {
  if (result.last_begin == 0) return {};
  TRY(auto segment, segments.open_for_writing(result.last.segment));
  for (auto at = result.last_begin; at < result.last.end;) {
    auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(result.last.end - at, 4 << 20));
    TRY(auto bytes, read_exactly(segment->file(), at, piece));
    TRY_DO(write_all(segment->file(), at, bytes));
    at += piece;
  }
  return segment->file().sync_data();
}

}  // namespace hikyaku::store
