#include "dmarc/gzip.h"

#include <array>
#include <new>
#include <zlib.h>

namespace hikyaku::dmarc {

struct GzipWriter::State {
  z_stream stream{};
  std::function<void(std::string_view)> sink;
  std::array<char, 16 * 1024> out;

  explicit State(std::function<void(std::string_view)> to) : sink(std::move(to)) {
    // 31: a gzip header, without a time or name.
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~State() { deflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void run(std::string_view bytes, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      deflate(&stream, flush);
      if (auto size = out.size() - stream.avail_out) sink({out.data(), size});
    } while (stream.avail_out == 0);
  }
};

GzipWriter::GzipWriter(std::function<void(std::string_view)> sink)
    : state_(std::make_unique<State>(std::move(sink))) {}
GzipWriter::~GzipWriter() = default;
GzipWriter::GzipWriter(GzipWriter&&) noexcept = default;
GzipWriter& GzipWriter::operator=(GzipWriter&&) noexcept = default;

void GzipWriter::feed(std::string_view bytes) {
  // zlib counts in 32 bits.
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kPiece)))
    state_->run(bytes.substr(0, kPiece), Z_NO_FLUSH);
}

void GzipWriter::finish() {
  state_->run({}, Z_FINISH);
}

}  // namespace hikyaku::dmarc
