#include "store/segment_scrub.h"

#include <algorithm>

#include "base/codec.h"
#include "store/crc32c.h"

namespace hikyaku::store {
namespace {

constexpr std::uint64_t kPiece = 128 << 10;

/// Frames stand behind the header, or before it.
std::uint64_t begin_of(const BodyPlace& place) {
  if (place.contiguous) return place.header_offset;
  auto frames = place.stored - std::min<std::uint64_t>(place.stored, place.header_length);
  return place.header_offset - std::min(place.header_offset, frames);
}

}  // namespace

SegmentScrub::SegmentScrub(std::shared_ptr<Segment> segment, std::vector<PlacedBody> bodies,
                           std::optional<ScrubRecords> records)
    : segment_(std::move(segment)), bodies_(std::move(bodies)), records_(std::move(records)) {
  if (records_) at_ = records_->begin;
  std::ranges::sort(bodies_, {}, [](const PlacedBody& body) { return begin_of(body.place); });
}

std::uint64_t SegmentScrub::read_some(const ScrubFindings& findings) {
  bool body_first = next_body_ < bodies_.size() &&
                    (!records_ || header_ || begin_of(bodies_[next_body_].place) < at_);
  if (body_first) return header_ ? read_frame(findings) : read_body(findings);
  if (!records_) return 0;
  if (searching_) return search_record();
  return group_header_ ? read_operations(findings) : read_record(findings);
}

void SegmentScrub::broken_body(const ScrubFindings& findings, const Error& error) {
  header_.reset();
  findings.body(bodies_[next_body_++], error);
}

void SegmentScrub::give_up(const Error& error, const ScrubFindings& findings) {
  records_.reset();
  while (next_body_ < bodies_.size()) broken_body(findings, error);
}

std::uint64_t SegmentScrub::read_body(const ScrubFindings& findings) {
  const auto& place = bodies_[next_body_].place;
  auto header = read_body_header(*segment_, place);
  if (!header) {
    broken_body(findings, header.error());
  } else {
    header_ = std::move(*header);
    next_frame_ = 0;
    if (header_->frames.empty()) {
      header_.reset();
      ++next_body_;
    }
  }
  return place.header_length;
}

namespace {

Result<void> check_frame_of(const Segment& segment, const Frame& frame) {
  TRY(auto stored, read_exactly(segment.file(), frame.offset, frame.stored));
  return check_frame(frame, stored);
}

}  // namespace

std::uint64_t SegmentScrub::read_frame(const ScrubFindings& findings) {
  auto frame = header_->frames[next_frame_];
  if (auto good = check_frame_of(*segment_, frame); !good) {
    broken_body(findings, good.error());
  } else if (++next_frame_ == header_->frames.size()) {
    header_.reset();
    ++next_body_;
  }
  return frame.stored;
}

std::uint64_t SegmentScrub::read_record(const ScrubFindings& findings) {
  // The last of several that were gone over reaches to where groups can be read.
  auto skipped = records_->skipped.upper_bound(at_);
  if (skipped != records_->skipped.begin() && std::prev(skipped)->second > at_) {
    at_ = std::prev(skipped)->second;
    return 0;
  }
  if (records_->end && at_ >= *records_->end) {
    records_.reset();
    return 0;
  }
  auto header = [&]() -> Result<GroupHeader> {
    TRY(auto bytes, read_exactly(segment_->file(), at_, GroupHeader::kSize));
    TRY(auto decoded, decode_group_header(bytes, *segment_, at_));
    if (records_->end && decoded.length() > *records_->end - at_)
      return fail(ErrorCode::Corrupt, "the group is longer than its segment");
    return decoded;
  }();
  if (!header && !records_->end) {
    records_.reset();
  } else if (!header) {
    findings.record(at_, header.error());
    searching_ = true;
    ++at_;
  } else {
    group_ = at_;
    group_header_ = *header;
    at_ += GroupHeader::kSize + header->bodies_length;
    operations_left_ = header->operations_length;
    Encoder place;
    place.u64_be(at_);
    crc_ = crc32c(segment_->header().seed, place.bytes());
  }
  return GroupHeader::kSize;
}

std::uint64_t SegmentScrub::read_operations(const ScrubFindings& findings) {
  auto length = std::min(operations_left_, kPiece);
  auto bytes = read_exactly(segment_->file(), at_, static_cast<std::size_t>(length));
  if (bytes) crc_ = crc32c(crc_, *bytes);
  at_ += length;
  operations_left_ -= length;
  if (bytes && operations_left_ != 0) return length;
  bool good = bytes && crc_ == group_header_->operations_crc;
  if (!good) {
    auto what = fail(ErrorCode::Corrupt, "the operations of group {} have a wrong checksum",
                     group_header_->lsn);
    findings.record(group_, bytes ? what.error() : bytes.error());
  }
  at_ += operations_left_;
  group_header_.reset();
  return length;
}

/// The bytes from `at_` on, until there is the header of a group.
std::uint64_t SegmentScrub::search_record() {
  auto mark = segment_mark(*segment_);
  auto left = *records_->end - std::min(at_, *records_->end);
  std::string window(static_cast<std::size_t>(std::min(left, kPiece)), '\0');
  auto got = segment_->file().read(at_, window);
  auto text = std::string_view(window).substr(0, got ? *got : 0);
  auto begin = at_;
  // A window ends with what may be the beginning of a mark.
  at_ += window.size() > mark.size() && left > kPiece ? window.size() - mark.size() + 1 : left;
  for (auto place = text.find(mark); place != text.npos; place = text.find(mark, place + 1)) {
    auto header = read_exactly(segment_->file(), begin + place, GroupHeader::kSize);
    if (!header || !decode_group_header(*header, *segment_, begin + place)) continue;
    at_ = begin + place;
    searching_ = false;
    break;
  }
  if (at_ >= *records_->end) records_.reset();
  return window.size();
}

Result<void> check_placed_body(const Segment& segment, const BodyPlace& place) {
  TRY(auto header, read_body_header(segment, place));
  for (const auto& frame : header.frames) TRY_DO(check_frame_of(segment, frame));
  return {};
}

Result<void> check_record(std::shared_ptr<Segment> segment, std::uint64_t offset) {
  TRY(auto bytes, read_exactly(segment->file(), offset, GroupHeader::kSize));
  TRY(auto header, decode_group_header(bytes, *segment, offset));
  std::optional<Error> error;
  ScrubFindings findings;
  findings.record = [&](std::uint64_t, const Error& found) { error = found; };
  SegmentScrub one(std::move(segment), {}, ScrubRecords{offset, offset + header.length()});
  while (!one.done()) one.read_some(findings);
  if (error) return std::unexpected(*error);
  return {};
}

}  // namespace hikyaku::store
