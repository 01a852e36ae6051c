#include "store/blob.h"

#include <algorithm>
#include <span>

#include "base/async.h"

namespace hikyaku::store {
namespace {

constexpr std::uint64_t kMostAtOnce = 1 << 20;
/// A small body is read whole with its header.
constexpr std::uint64_t kReadWhole = 160 * 1024;

/// Bodies with no more than this between them are read at once: it costs less than another call.
constexpr std::uint64_t kSmallGap = 4096;

/// Some bytes of a segment in memory. Shared by the bodies that were read at once.
struct Extent {
  std::shared_ptr<Segment> segment;
  std::uint64_t begin = 0;
  std::shared_ptr<const std::string> bytes;

  /// Nothing if it does not have all of them.
  std::optional<std::string_view> find(std::uint64_t offset, std::uint64_t length) const {
    if (offset < begin || offset - begin > bytes->size() ||
        length > bytes->size() - (offset - begin))
      return std::nullopt;
    return std::string_view(*bytes).substr(static_cast<std::size_t>(offset - begin),
                                           static_cast<std::size_t>(length));
  }
};

/// Bytes that are in memory are read at once, others on a worker.
Task<Result<std::string>> read_segment(std::shared_ptr<Segment> segment, WorkerPool& workers,
                                       std::uint64_t offset, std::size_t length) {
  std::string bytes;
  bool cached = false;
  // (libstdc++ 12 gives as the size what it has allocated, which may be more.)
  bytes.resize_and_overwrite(length, [&](char* into, std::size_t) {
    cached = segment->file().read_cached(offset, {into, length}).has_value();
    return cached ? length : 0;
  });
  if (cached) co_return bytes;
  co_return co_await run_on(workers, [segment = std::move(segment), offset, length] {
    return read_exactly(segment->file(), offset, length);
  });
}

class StoredBlob final : public Blob {
 public:
  StoredBlob(BlobId id, Extent extent, const BodySource& source, BodyHeader header)
      : id_(id),
        extent_(std::move(extent)),
        workers_(source.workers),
        unreadable_(source.unreadable),
        header_(std::move(header)) {
    starts_.reserve(header_.frames.size());
    std::uint64_t at = 0;
    for (const auto& frame : header_.frames) {
      starts_.push_back(at);
      at += frame.length;
    }
  }

  std::uint64_t size() const override { return header_.size; }
  const std::string& sha256() const override { return header_.sha256; }

  Task<Result<std::string>> read(std::uint64_t offset, std::uint64_t length) override {
    length = std::min(length, kMostAtOnce);
    std::string result;
    if (offset >= size() || length == 0) co_return result;
    auto end = std::min(size(), offset + length);
    result.reserve(static_cast<std::size_t>(end - offset));
    for (auto index = frame_at(offset); offset < end; ++index) {
      if (index != kept_index_) {
        kept_index_ = SIZE_MAX;
        auto kept = co_await keep(header_.frames[index]);
        if (!kept) co_return broken(std::move(kept).error());
        kept_index_ = index;
      }
      auto from = static_cast<std::size_t>(offset - starts_[index]);
      auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(end - offset, header_.frames[index].length - from));
      result.append(kept_.substr(from, count));
      offset += count;
    }
    co_return result;
  }

  Task<Result<void>> check(std::uint64_t offset, std::uint64_t length) override {
    if (offset >= size() || length == 0) co_return Result<void>{};
    auto end = offset + std::min(length, size() - offset);
    for (auto index = frame_at(offset); index < starts_.size() && starts_[index] < end; ++index) {
      // By its stored bytes alone: nothing is unpacked for this.
      auto frame = header_.frames[index];
      if (index == kept_index_) continue;
      std::string read;
      auto stored = extent_.find(frame.offset, frame.stored);
      if (!stored) {
        auto got = co_await read_segment(extent_.segment, workers_, frame.offset, frame.stored);
        if (!got) co_return broken(std::move(got).error());
        read = std::move(*got);
        stored = read;
      }
      if (auto good = check_frame(frame, *stored); !good) co_return broken(std::move(good).error());
    }
    co_return Result<void>{};
  }

 private:
  std::size_t frame_at(std::uint64_t offset) const {
    auto after = std::ranges::upper_bound(starts_, offset);
    return static_cast<std::size_t>(after - starts_.begin()) - 1;
  }

  std::unexpected<Error> broken(Error error) const {
    auto told = wrap(std::move(error), "body {} in journal segment {} cannot be read", id_,
                     extent_.segment->number());
    unreadable_->found(id_, told.error());
    return told;
  }

  Task<Result<void>> keep(Frame frame) {
    CO_TRY(auto found, keep_from_memory(frame));
    if (found) co_return Result<void>{};
    co_return co_await keep_from_file(frame);
  }

  /// False: it is not in memory.
  Result<bool> keep_from_memory(const Frame& frame) {
    auto stored = extent_.find(frame.offset, frame.stored);
    if (!stored) return false;
    if (frame.codec == Codec::Raw) {
      TRY_DO(check_frame(frame, *stored));
      kept_ = *stored;
    } else {
      TRY(unpacked_, decode_frame(frame, std::string(*stored)));
      kept_ = unpacked_;
    }
    return true;
  }

  Task<Result<void>> keep_from_file(Frame frame) {
    CO_TRY(auto bytes,
           co_await read_segment(extent_.segment, workers_, frame.offset, frame.stored));
    CO_TRY(unpacked_, decode_frame(frame, std::move(bytes)));
    kept_ = unpacked_;
    co_return Result<void>{};
  }

  BlobId id_;
  Extent extent_;  ///< where the header was, perhaps with frames
  WorkerPool& workers_;
  std::shared_ptr<UnreadableBodies> unreadable_;
  BodyHeader header_;
  std::vector<std::uint64_t> starts_;
  /// The frame that was read last, checked: readers come in order, in pieces smaller than a frame.
  std::size_t kept_index_ = SIZE_MAX;
  std::string_view kept_;  ///< in `unpacked_` or in `extent_`
  std::string unpacked_;
};

class StagedReader final : public Blob {
 public:
  StagedReader(const StagedBody& state, std::shared_ptr<StagedFrames> frames)
      : size_(state.size), sha256_(state.sha256), frames_(std::move(frames)) {}

  std::uint64_t size() const override { return size_; }
  const std::string& sha256() const override { return sha256_; }
  Task<Result<std::string>> read(std::uint64_t offset, std::uint64_t length) override {
    std::string result;
    length = std::min(length, kMostAtOnce);
    for (const auto& encoded : frames_->frames) {
      std::string_view bytes = encoded.bytes;  // the writer leaves frames raw
      if (offset < bytes.size()) {
        result += bytes.substr(static_cast<std::size_t>(offset),
                               static_cast<std::size_t>(length - result.size()));
        offset = bytes.size();
      }
      offset -= bytes.size();
      if (result.size() == length) break;
    }
    co_return result;
  }
  Task<Result<void>> check(std::uint64_t, std::uint64_t) override { co_return Result<void>{}; }

 private:
  std::uint64_t size_;
  std::string sha256_;
  std::shared_ptr<StagedFrames> frames_;
};

}  // namespace

std::unique_ptr<Blob> open_in_memory(const StagedBody& state,
                                     std::shared_ptr<StagedFrames> frames) {
  return std::make_unique<StagedReader>(state, std::move(frames));
}

Result<BodyHeader> read_body_header(const Segment& segment, const BodyPlace& place) {
  TRY(auto bytes, read_exactly(segment.file(), place.header_offset, place.header_length));
  TRY(auto header, decode_body_header(bytes, segment, place.header_offset));
  if (header.size != place.size)
    return fail(ErrorCode::Corrupt, "a body's size is not what the index says");
  return header;
}

namespace {

std::uint64_t first_read(const BodyPlace& place) {
  return place.contiguous && place.stored <= kReadWhole ? place.stored : place.header_length;
}

Task<Result<Extent>> read_extent(const BodySource& source, SegmentNumber number,
                                 std::uint64_t begin, std::uint64_t length) {
  auto& segments = source.segments;
  Extent extent;
  extent.begin = begin;
  extent.segment = segments.opened(number);
  if (!extent.segment) {
    CO_TRY(extent.segment,
           co_await run_on(source.workers, [&segments, number] { return segments.open(number); }));
  }
  CO_TRY(auto bytes, co_await read_segment(extent.segment, source.workers, begin,
                                           static_cast<std::size_t>(length)));
  extent.bytes = std::make_shared<const std::string>(std::move(bytes));
  co_return extent;
}

Result<std::unique_ptr<Blob>> body_in(Extent extent, const BodySource& source, BlobId id,
                                      const BodyPlace& place) {
  auto bytes = extent.find(place.header_offset, place.header_length);
  if (!bytes) return fail(ErrorCode::Corrupt, "a body is shorter than the index says");
  TRY(auto header, decode_body_header(*bytes, *extent.segment, place.header_offset));
  if (header.size != place.size || header.encoded_size() != place.header_length)
    return fail(ErrorCode::Corrupt, "a body is not what the index says");
  return std::make_unique<StoredBlob>(id, std::move(extent), source, std::move(header));
}

/// Bodies that are read at once.
struct Neighbours {
  std::size_t count = 1;
  std::uint64_t length = 0;  ///< from the first one's begin
};

Neighbours neighbours(std::span<const PlacedBody> bodies) {
  const auto& first = bodies.front().place;
  Neighbours run{1, first_read(first)};
  for (const auto& [id, place] : bodies.subspan(1)) {
    if (place.segment != first.segment || place.header_offset < first.header_offset) break;
    auto distance = place.header_offset - first.header_offset;
    if (distance > std::min(kReadWhole, run.length + kSmallGap)) break;
    auto length = std::max(run.length, distance + first_read(place));
    if (length > kReadWhole) break;
    run.length = length;
    ++run.count;
  }
  return run;
}

}  // namespace

std::vector<std::optional<std::string>> find_place_rows(Reader& reader,
                                                        const std::vector<BlobId>& blobs) {
  // Ids close together are found by a walk over their rows, of which they pass over few.
  constexpr BlobId kLongGap = 8;
  constexpr std::size_t kWalk = 4;
  std::vector<std::optional<std::string>> rows(blobs.size());
  for (std::size_t begin = 0; begin < blobs.size();) {
    auto end = begin + 1;
    while (end < blobs.size() && blobs[end] > blobs[end - 1] &&
           blobs[end] - blobs[end - 1] <= kLongGap)
      ++end;
    if (end - begin < kWalk) {
      for (; begin < end; ++begin) rows[begin] = reader.get(place_key(blobs[begin]));
      continue;
    }
    reader.scan({place_key(blobs[begin]).bytes(), place_key(blobs[end - 1]).bytes() + '\0'},
                [&](std::string_view key, std::string_view value) {
                  auto id = key_fields(key).u64_be();
                  while (begin < end && blobs[begin] < id) ++begin;
                  if (begin < end && blobs[begin] == id) rows[begin++] = std::string(value);
                  return begin < end;
                });
    begin = end;
  }
  return rows;
}

Task<Result<std::unique_ptr<Blob>>> open_body(BodySource source, BlobId body, BodyPlace place) {
  CO_TRY(auto extent,
         co_await read_extent(source, place.segment, place.header_offset, first_read(place)));
  co_return body_in(std::move(extent), source, body, place);
}

Task<std::vector<Result<std::unique_ptr<Blob>>>> open_bodies(BodySource source,
                                                             std::vector<PlacedBody> bodies) {
  std::vector<Result<std::unique_ptr<Blob>>> opened;
  opened.reserve(bodies.size());
  while (opened.size() < bodies.size()) {
    auto left = std::span(bodies).subspan(opened.size());
    auto run = neighbours(left);
    const auto& first = left.front().place;
    auto extent = co_await read_extent(source, first.segment, first.header_offset, run.length);
    for (const auto& [id, place] : left.first(run.count)) {
      if (extent)
        opened.push_back(body_in(*extent, source, id, place));
      else if (run.count > 1)  // one that cannot be read says nothing about its neighbours
        opened.push_back(co_await open_body(source, id, place));
      else
        opened.push_back(std::unexpected(extent.error()));
    }
  }
  co_return opened;
}

}  // namespace hikyaku::store
