#include "store/log.h"

#include <algorithm>

#include "store/operations.h"

namespace hikyaku::store {
namespace {

/// Longer lists are no lists: a group holds little more than one transaction may write.
constexpr std::uint64_t kMaxOperations = 4 * kMaxTransaction;
/// The least room in a new segment.
constexpr std::uint64_t kLeastRoom = 128 << 10;

}  // namespace

Result<GroupRecord> read_group(const Segment& segment, std::uint64_t offset, std::uint64_t limit) {
  if (offset > limit || limit - offset < GroupHeader::kSize)
    return fail(ErrorCode::Corrupt, "no space for a group header at {}", offset);
  TRY(auto header_bytes, read_exactly(segment.file(), offset, GroupHeader::kSize));
  GroupRecord group;
  TRY(group.header, decode_group_header(header_bytes, segment, offset));
  auto room = limit - offset - GroupHeader::kSize;
  const auto& header = group.header;
  if (header.bodies_length > room || header.operations_length > room - header.bodies_length ||
      header.operations_length > kMaxOperations)
    return fail(ErrorCode::Corrupt, "the group at {} is longer than its segment", offset);
  group.offset = offset;
  group.end = offset + header.length();
  auto place = offset + GroupHeader::kSize + header.bodies_length;
  TRY(auto operations, read_exactly(segment.file(), place, header.operations_length));
  if (segment.checksum(place, operations) != header.operations_crc)
    return fail(ErrorCode::Corrupt, "the operations of group {} have a wrong checksum", header.lsn);
  TRY(group.writes, decode_operations(operations));
  return group;
}

Result<void> check_group_bodies(const Segment& segment, const GroupRecord& group,
                                std::vector<std::pair<std::uint64_t, BodyHeader>>* bodies) {
  auto at = group.offset + GroupHeader::kSize;
  auto end = at + group.header.bodies_length;
  for (std::uint32_t i = 0; i < group.header.body_count; ++i) {
    auto room = static_cast<std::size_t>(std::min<std::uint64_t>(
        end - at, BodyHeader::kFixedSize + kMaxSalvage + 64 * Frame::kSize));
    TRY(auto bytes, read_exactly(segment.file(), at, room));
    if (auto whole = body_header_length(bytes, segment);
        whole > bytes.size() && whole <= end - at) {
      TRY(bytes, read_exactly(segment.file(), at, whole));
    }
    TRY(auto header, decode_body_header(bytes, segment, at));
    auto place = at;
    at += header.encoded_size();
    for (const auto& frame : header.frames) {
      if (frame.offset != at || frame.stored > end - at)
        return fail(ErrorCode::Corrupt, "a body of group {} is out of place", group.header.lsn);
      TRY(auto stored, read_exactly(segment.file(), at, frame.stored));
      TRY_DO(decode_frame(frame, std::move(stored)));
      at += frame.stored;
    }
    if (bodies) bodies->emplace_back(place, std::move(header));
  }
  if (at != end)
    return fail(ErrorCode::Corrupt, "the bodies of group {} do not fill their space",
                group.header.lsn);
  return {};
}

namespace {

/// Calls `found(offset)` for every occurrence of the segment's mark until it returns false.
Result<void> each_mark(const Segment& segment, std::uint64_t from, std::uint64_t limit,
                       const std::function<Result<bool>(std::uint64_t)>& found) {
  constexpr std::size_t kPiece = 1 << 20;
  auto mark = segment_mark(segment);
  std::string window(kPiece + mark.size() - 1, '\0');
  for (auto at = from; at < limit; at += kPiece) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(window.size(), limit - at));
    TRY(auto got, segment.file().read(at, std::span(window.data(), wanted)));
    auto text = std::string_view(window).substr(0, got);
    for (std::size_t place = text.find(mark); place != text.npos;
         place = text.find(mark, place + 1)) {
      if (place >= kPiece) break;  // the next window begins with it
      TRY(bool more, found(at + place));
      if (!more) return {};
    }
    if (got < wanted) break;
  }
  return {};
}

}  // namespace

Result<std::optional<std::uint64_t>> find_group(const Segment& segment, std::uint64_t from,
                                                std::uint64_t limit, Lsn least) {
  std::optional<std::uint64_t> first;
  TRY_DO(each_mark(segment, from, limit, [&](std::uint64_t offset) -> Result<bool> {
    auto group = read_group(segment, offset, limit);
    if (!group) {
      if (group.error().code != ErrorCode::Corrupt) return std::unexpected(group.error());
      return true;
    }
    if (group->header.lsn < least) return true;
    first = offset;
    return false;
  }));
  return first;
}

Result<std::vector<std::pair<std::uint64_t, BodyHeader>>> find_body_headers(const Segment& segment,
                                                                            std::uint64_t from,
                                                                            std::uint64_t limit) {
  std::vector<std::pair<std::uint64_t, BodyHeader>> all;
  TRY_DO(each_mark(segment, from, limit, [&](std::uint64_t offset) -> Result<bool> {
    auto fixed = read_exactly(segment.file(), offset, BodyHeader::kFixedSize);
    if (!fixed) return true;
    auto length = body_header_length(*fixed, segment);
    if (length == 0 || length > limit - offset) return true;
    auto bytes = read_exactly(segment.file(), offset, length);
    if (!bytes) return true;
    if (auto header = decode_body_header(*bytes, segment, offset))
      all.emplace_back(offset, std::move(*header));
    return true;
  }));
  return all;
}

void LogWriter::continue_in(std::shared_ptr<Segment> segment, std::uint64_t end,
                            std::uint64_t capacity) {
  number_ = segment->number();
  segment_ = std::move(segment);
  end_ = end;
  capacity_ = capacity;
}

void LogWriter::continue_behind(SegmentNumber number, std::uint64_t end) {
  number_ = number;
  end_ = end;
}

Result<void> LogWriter::roll(Lsn next, std::uint64_t bytes) {
  SegmentHeader chain;
  chain.kind = SegmentKind::Log;
  chain.first_lsn = next;
  chain.previous = number_;
  chain.previous_end = end_;
  auto least = kSegmentStart + std::max(bytes, std::min(kLeastRoom, sizes_.smallest));
  auto size = std::max(segments_.next_size(sizes_.smallest, sizes_.largest), least);
  // The reserve of a full disk is not for empty segments.
  if (auto free = segments_.free_space())
    size = std::clamp(size, least, std::max(least, *free / 4));
  auto segment = segments_.create(chain, size);
  // On a disk that is nearly full a smaller one will do, for what frees space must be written too.
  while (!segment && segment.error().code == ErrorCode::NoSpace && size > least) {
    size = std::max(size / 4, least);
    segment = segments_.create(chain, size);
  }
  TRY(auto made, std::move(segment));
  // The old one is sealed now; its unused space is worth having back, no more than that.
  if (segment_) (void)segment_->file().truncate(end_);
  continue_in(std::move(made), kSegmentStart, size);
  return {};
}

Result<bool> LogWriter::close() {
  if (!segment_) return false;
  TRY_DO(segment_->file().truncate(end_));
  TRY_DO(segment_->file().sync_data());
  return true;
}

Result<JournalPosition> LogWriter::append(Writes& group, Lsn lsn, Time now) {
  // Pieces are views into strings that stay where they are until the write.
  std::vector<std::string_view> pieces(1);
  std::vector<std::string> headers;
  headers.reserve(group.bodies.size());
  std::vector<std::pair<const NewBody*, BodyPlace>> places;
  auto at = end_ + GroupHeader::kSize;
  GroupHeader header;
  for (const auto& body : group.bodies) {
    const auto& state = *body.state;
    if (state.bulk_segment) {
      group.rows.put(place_key(body.id), encode(*state.place()));
      continue;
    }
    auto small = state.frames();
    BodyHeader body_header{state.size, state.staged, state.sha256, state.salvage, {}};
    BodyPlace place{segment_->number(), at, 0, state.size, state.stored, true};
    at += BodyHeader::encoded_size(state.salvage.size(), small->frames.size());
    place.header_length = static_cast<std::uint32_t>(at - place.header_offset);
    for (const auto& encoded : small->frames) {
      body_header.frames.push_back(encoded.frame);
      body_header.frames.back().offset = at;
      at += encoded.bytes.size();
    }
    headers.push_back(encode_body_header(body_header, *segment_, place.header_offset));
    pieces.push_back(headers.back());
    for (const auto& encoded : small->frames) pieces.push_back(encoded.bytes);
    group.rows.put(place_key(body.id), encode(place));
    places.emplace_back(&body, place);
    ++header.body_count;
  }

  auto operations = encode_operations(group.rows);
  header.lsn = lsn;
  header.operations_length = static_cast<std::uint32_t>(operations.size());
  header.operations_crc = segment_->checksum(at, operations);
  header.bodies_length = at - end_ - GroupHeader::kSize;
  header.written = now;
  pieces.push_back(operations);
  auto first = encode_group_header(header, *segment_, end_);
  pieces[0] = first;

  TRY_DO(write_all(segment_->file(), end_, pieces));
  TRY_DO(segment_->file().sync_data());
  end_ = at + operations.size();
  for (const auto& [body, place] : places) body->state->set_place(place);
  return JournalPosition{lsn, segment_->number(), end_};
}

}  // namespace hikyaku::store
