#include "store/blob.h"

#include <algorithm>

#include "base/async.h"

namespace hikyaku::store {
namespace {

constexpr std::uint64_t kMostAtOnce = 1 << 20;
/// A small body is read whole with its header.
constexpr std::uint64_t kReadWhole = 160 * 1024;

std::optional<std::string> read_in_memory(const Segment& segment, std::uint64_t offset,
                                          std::size_t length) {
  std::string bytes(length, '\0');
  if (!segment.file().read_cached(offset, bytes)) return std::nullopt;
  return bytes;
}

class StoredBlob final : public Blob {
 public:
  StoredBlob(std::shared_ptr<Segment> segment, WorkerPool& workers, BodyHeader header,
             std::uint64_t begin, std::string whole)
      : segment_(std::move(segment)),
        workers_(workers),
        header_(std::move(header)),
        begin_(begin),
        whole_(std::move(whole)) {
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
    auto after = std::ranges::upper_bound(starts_, offset);
    for (auto index = static_cast<std::size_t>(after - starts_.begin()) - 1; offset < end;
         ++index) {
      if (index != kept_index_) {
        CO_TRY(kept_, co_await frame(header_.frames[index]));
        kept_index_ = index;
      }
      auto from = static_cast<std::size_t>(offset - starts_[index]);
      auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(end - offset, header_.frames[index].length - from));
      result.append(kept_, from, count);
      offset += count;
    }
    co_return result;
  }

 private:
  Task<Result<std::string>> frame(Frame frame) {
    if (frame.offset >= begin_ && frame.offset - begin_ + frame.stored <= whole_.size())
      co_return decode_frame(
          frame, whole_.substr(static_cast<std::size_t>(frame.offset - begin_), frame.stored));
    auto bytes = read_in_memory(*segment_, frame.offset, frame.stored);
    if (!bytes) {
      CO_TRY(bytes, co_await run_on(workers_, [segment = segment_, frame] {
               return read_exactly(segment->file(), frame.offset, frame.stored);
             }));
    }
    co_return decode_frame(frame, std::move(*bytes));
  }

  std::shared_ptr<Segment> segment_;
  WorkerPool& workers_;
  BodyHeader header_;
  std::uint64_t begin_;  ///< where `whole_` stands in the segment
  std::string whole_;
  std::vector<std::uint64_t> starts_;
  /// The frame that was read last: readers come in order, in pieces smaller than a frame.
  std::size_t kept_index_ = SIZE_MAX;
  std::string kept_;
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

Task<Result<std::unique_ptr<Blob>>> open_body(Segments& segments, WorkerPool& workers,
                                              BodyPlace place) {
  auto segment = segments.opened(place.segment);
  if (!segment) {
    CO_TRY(segment, co_await run_on(workers, [&segments, number = place.segment] {
             return segments.open(number);
           }));
  }
  auto length = static_cast<std::size_t>(
      place.contiguous && place.stored <= kReadWhole ? place.stored : place.header_length);
  auto bytes = read_in_memory(*segment, place.header_offset, length);
  if (!bytes) {
    CO_TRY(bytes, co_await run_on(workers, [segment, offset = place.header_offset, length] {
             return read_exactly(segment->file(), offset, length);
           }));
  }
  CO_TRY(auto header, decode_body_header(*bytes, *segment, place.header_offset));
  if (header.size != place.size || header.encoded_size() != place.header_length)
    co_return fail(ErrorCode::Corrupt, "a body is not what the index says");
  co_return std::make_unique<StoredBlob>(std::move(segment), workers, std::move(header),
                                         place.header_offset, std::move(*bytes));
}

}  // namespace hikyaku::store
