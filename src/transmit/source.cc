#include "transmit/source.h"

namespace hikyaku::transmit {
namespace {
constexpr std::uint64_t kPiece = 128 * 1024;
}

Task<Result<std::string>> QueuedSource::next() {
  if (!prefix_.empty()) co_return std::exchange(prefix_, {});
  if (!blob_) {
    CO_TRY(blob_, co_await store_.open_blob(blob_id_));
  }
  if (offset_ >= blob_->size()) co_return std::string();
  CO_TRY(auto piece, co_await blob_->read(offset_, kPiece));
  offset_ += piece.size();
  co_return piece;
}

Task<Result<void>> check_body(store::Store& store, const queue::Message& message) {
  CO_TRY(auto blob, co_await store.open_blob(message.blob));
  co_return co_await blob->check(0, blob->size());
}

Task<Result<std::string>> read_beginning(store::Store& store, const queue::Message& message,
                                         std::size_t most) {
  QueuedSource source(store, message);
  std::string bytes;
  while (bytes.size() < most) {
    CO_TRY(auto piece, co_await source.next());
    if (piece.empty()) break;
    bytes += piece;
  }
  if (bytes.size() > most) bytes.resize(most);
  co_return bytes;
}

}  // namespace hikyaku::transmit
