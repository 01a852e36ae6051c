// Gzip (RFC 1952): written piece by piece, for reports that go out.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace hikyaku::dmarc {

/// Compresses in memory that does not grow with the input; the same input gives the same bytes.
class GzipWriter {
 public:
  /// `sink` gets the compressed bytes in pieces.
  explicit GzipWriter(std::function<void(std::string_view)> sink);
  ~GzipWriter();
  GzipWriter(GzipWriter&&) noexcept;
  GzipWriter& operator=(GzipWriter&&) noexcept;

  void feed(std::string_view bytes);
  /// Writes the end; nothing may be fed after it.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hikyaku::dmarc
