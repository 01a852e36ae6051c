// CountingReader: for reads that end after so many rows.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "store/store.h"

namespace hikyaku::store {

/// Counts the rows that a function over it looks at, those that are not there included. `reader`
/// outlives it.
class CountingReader final : public Reader {
 public:
  explicit CountingReader(Reader& reader) : reader_(reader) {}
  std::size_t rows() const { return rows_; }

  std::optional<std::string> get(std::string_view key) override {
    ++rows_;
    return reader_.get(key);
  }
  void scan(const KeyRange& range, Direction direction,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    reader_.scan(range, direction, [&](std::string_view key, std::string_view value) {
      ++rows_;
      return visit(key, value);
    });
  }
  std::optional<std::uint64_t> blob_size(BlobId blob) override { return reader_.blob_size(blob); }
  std::uint32_t epoch() const override { return reader_.epoch(); }

 private:
  Reader& reader_;
  std::size_t rows_ = 0;
};

}  // namespace hikyaku::store
