// Reads through overlays down to the index.
#pragma once

#include <array>
#include <memory>

#include "store/index.h"
#include "store/overlay.h"
#include "store/rows.h"
#include "store/store.h"

namespace hikyaku::store {

/// A Reader over an index view and up to two overlays above it (a step's, and its group's). What it
/// is given must outlive it. It may be written to the upper overlay while a scan is going on.
class LayeredReader {
 public:
  LayeredReader(const Overlay* upper, const Overlay* lower, const IndexView& view, Reach reach)
      : upper_(upper), lower_(lower), view_(view), reach_(reach) {}

  std::optional<std::string> get(std::string_view key) const;
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  void scan_forward(const KeyRange& range, const Visit& visit) const;
  void scan_backward(const KeyRange& range, const Visit& visit) const;

  /// A read has thrown ColdRead.
  bool went_cold() const { return cold_; }

 private:
  /// The erased range above the index that `key` lies in.
  std::optional<Overlay::Range> erased_around(std::string_view key) const;

  const Overlay* upper_;
  const Overlay* lower_;
  const IndexView& view_;
  Reach reach_;
  mutable bool cold_ = false;
};

/// Reads of one state without writes above it.
class ViewReader final : public Reader {
 public:
  ViewReader(const IndexView& view, Reach reach, std::uint32_t epoch)
      : layers_(nullptr, nullptr, view, reach), epoch_(epoch) {}
  std::optional<std::string> get(std::string_view key) override { return layers_.get(key); }
  using Reader::scan;
  void scan(const KeyRange& range, Direction direction, const LayeredReader::Visit& visit) override;
  std::optional<std::uint64_t> blob_size(BlobId blob) override;
  std::uint32_t epoch() const override { return epoch_; }
  bool went_cold() const { return layers_.went_cold(); }

 private:
  LayeredReader layers_;
  std::uint32_t epoch_;
};

}  // namespace hikyaku::store
