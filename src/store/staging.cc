#include "store/staging.h"

#include <algorithm>

#include "base/async.h"
#include "crypto/digest.h"

namespace hikyaku::store {
namespace {

/// Larger bodies go to a bulk segment.
constexpr std::uint64_t kMaxInMemory = 256 * 1024;
/// The frames of a body that got no memory from the limit.
constexpr std::size_t kSmallFrame = 16 * 1024;

}  // namespace

bool StagedMemory::try_take(std::uint64_t bytes) {
  auto used = used_.load();
  do {
    if (used + bytes > limit_) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes));
  return true;
}

bool MemoryShare::grow(std::uint64_t bytes) {
  if (!memory_->try_take(bytes)) return false;
  taken_ += bytes;
  return true;
}

void MemoryShare::release() {
  memory_->give_back(std::exchange(taken_, 0));
}

std::shared_ptr<StagedFrames> StagedBody::frames() const {
  std::lock_guard lock(mutex_);
  return frames_;
}

std::optional<BodyPlace> StagedBody::place() const {
  std::lock_guard lock(mutex_);
  return place_;
}

void StagedBody::set_place(const BodyPlace& place) {
  std::shared_ptr<StagedFrames> frames;
  std::lock_guard lock(mutex_);
  place_ = place;
  frames.swap(frames_);
}

std::shared_ptr<StagedBody> staged_body(const StagedBlob& blob) {
  return std::dynamic_pointer_cast<StagedBody>(blob.state());
}

Result<std::uint64_t> BulkSegment::append(std::string_view bytes) {
  auto offset = reserve(bytes.size());
  TRY_DO(write_all(segment_->file(), offset, bytes));
  return offset;
}

Result<void> BulkSegment::sync() {
  std::lock_guard lock(syncing_);
  if (failed_) return fail(ErrorCode::Io, "journal segment {} has failed", segment_->number());
  auto synced = segment_->file().sync_data();
  if (!synced) failed_ = true;
  return synced;
}

Result<std::shared_ptr<BulkSegment>> BulkStore::segment() {
  WritesUnderWay::Write write(writes_);
  std::lock_guard lock(mutex_);
  // Bodies that began in a full segment end in it; it may grow a little over its size.
  if (!current_ || current_->end() >= segment_size_) {
    SegmentHeader header;
    header.kind = SegmentKind::Bulk;
    TRY(auto made, segments_.create(header, kSegmentStart));
    current_ = std::make_shared<BulkSegment>(std::move(made));
  }
  return current_;
}

SegmentNumber BulkStore::current() {
  std::lock_guard lock(mutex_);
  return current_ ? current_->segment().number() : 0;
}

void BulkStore::seal() {
  std::lock_guard lock(mutex_);
  current_.reset();
}

Result<Frame> BulkStore::append(BulkSegment& segment, std::string bytes) {
  WritesUnderWay::Write write(writes_);
  auto encoded = encode_frame(std::move(bytes), Codec::Raw);
  // A write that fails takes only this body with it: nothing of it was promised.
  TRY(encoded.frame.offset, segment.append(encoded.bytes));
  return encoded.frame;
}

Result<BodyPlace> BulkStore::finish(BulkSegment& segment, const BodyHeader& header) {
  WritesUnderWay::Write write(writes_);
  BodyPlace place;
  place.segment = segment.segment().number();
  place.header_length = static_cast<std::uint32_t>(header.encoded_size());
  place.header_offset = segment.reserve(place.header_length);
  place.size = header.size;
  place.stored = place.header_length;
  place.contiguous = false;
  for (const auto& frame : header.frames) place.stored += frame.stored;
  auto bytes = encode_body_header(header, segment.segment(), place.header_offset);
  TRY_DO(write_all(segment.segment().file(), place.header_offset, bytes));
  if (auto synced = segment.sync(); !synced) {
    failed_(synced.error());
    return std::unexpected(synced.error());
  }
  return place;
}

namespace {

class StagingWriter final : public BlobWriter {
 public:
  StagingWriter(StagingContext& context, std::string salvage)
      : context_(context), state_(std::make_shared<StagedBody>(context.memory)) {
    salvage.resize(std::min(salvage.size(), kMaxSalvage));
    state_->salvage = std::move(salvage);
  }

  Task<Result<void>> append(std::string_view bytes) override {
    if (size_ == 0) CO_TRY_DO(context_.space());
    if (size_ + bytes.size() > kMaxBody)
      co_return fail(ErrorCode::TooLarge, "a body may have {} bytes", kMaxBody);
    hash_.update(bytes);
    size_ += bytes.size();
    if (!bulk_ && (size_ > kMaxInMemory || !small_->share.grow(bytes.size())))
      CO_TRY_DO(co_await begin_bulk());
    while (!bytes.empty()) {
      auto part = bytes.substr(0, frame_size_ - std::min(frame_size_, buffer_.size()));
      buffer_ += part;
      bytes.remove_prefix(part.size());
      if (buffer_.size() >= frame_size_) CO_TRY_DO(co_await end_frame());
    }
    co_return Result<void>{};
  }

  std::uint64_t size() const override { return size_; }

  Task<Result<StagedBlob>> finish() override {
    CO_TRY_DO(context_.space());
    if (!buffer_.empty()) CO_TRY_DO(co_await end_frame());
    state_->size = size_;
    state_->sha256 = hash_.finish();
    state_->staged = context_.clock.now();
    if (bulk_) {
      BodyHeader header{size_, state_->staged, state_->sha256, state_->salvage, frames_};
      CO_TRY(auto place, co_await run_on(context_.workers, [&bulk = context_.bulk, segment = bulk_,
                                                            header = std::move(header)] {
               return bulk.finish(*segment, header);
             }));
      state_->bulk_segment = place.segment;
      state_->bulk = bulk_;
      state_->stored = place.stored;
      state_->set_place(place);
    } else {
      state_->stored = BodyHeader::encoded_size(state_->salvage.size(), small_->frames.size());
      for (const auto& encoded : small_->frames) state_->stored += encoded.bytes.size();
    }
    small_.reset();
    co_return StagedBlob(std::move(state_));
  }

 private:
  /// From here on frames go to the disk one by one; those in memory first.
  Task<Result<void>> begin_bulk() {
    CO_TRY(bulk_,
           co_await run_on(context_.workers, [&bulk = context_.bulk] { return bulk.segment(); }));
    auto before = std::exchange(small_->frames, {});
    for (auto& encoded : before) CO_TRY_DO(co_await write_frame(std::move(encoded.bytes)));
    if (!buffer_.empty()) CO_TRY_DO(co_await write_frame(std::exchange(buffer_, {})));
    small_->share.release();
    // At the limit of memory a body goes through a small buffer that is not counted: slower, but it
    // waits for nobody who waits for somebody else.
    frame_size_ = small_->share.grow(kMaxFrame) ? kMaxFrame : kSmallFrame;
    co_return Result<void>{};
  }

  Task<Result<void>> end_frame() {
    auto bytes = std::exchange(buffer_, {});
    if (bulk_) {
      CO_TRY_DO(co_await write_frame(std::move(bytes)));
    } else {
      bytes.shrink_to_fit();
      small_->frames.push_back(encode_frame(std::move(bytes), Codec::Raw));
    }
    co_return Result<void>{};
  }

  Task<Result<void>> write_frame(std::string bytes) {
    CO_TRY(auto frame, co_await run_on(context_.workers, [&bulk = context_.bulk, segment = bulk_,
                                                          bytes = std::move(bytes)]() mutable {
             return bulk.append(*segment, std::move(bytes));
           }));
    frames_.push_back(frame);
    co_return Result<void>{};
  }

  StagingContext& context_;
  std::shared_ptr<StagedBody> state_;
  std::shared_ptr<StagedFrames> small_ = state_->frames();
  crypto::Digest hash_{crypto::Hash::Sha256};
  std::uint64_t size_ = 0;
  std::string buffer_;
  std::size_t frame_size_ = kMaxFrame;
  std::shared_ptr<BulkSegment> bulk_;
  std::vector<Frame> frames_;
};

}  // namespace

std::unique_ptr<BlobWriter> make_blob_writer(StagingContext& context, std::string salvage) {
  return std::make_unique<StagingWriter>(context, std::move(salvage));
}

}  // namespace hikyaku::store
