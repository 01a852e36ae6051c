#include "imapd/content.h"

#include <algorithm>
#include <utility>

#include "base/async.h"
#include "imapd/limits.h"
#include "mailbox/digest.h"

namespace hikyaku::imapd {

Task<Result<store::Blob*>> Content::body() {
  if (blob_ && !*blob_) blob_ = co_await store_.open_blob(record_.blob);
  if (!blob_) co_return std::unexpected(blob_.error());
  co_return blob_->get();
}

Task<Result<void>> Content::check_body(std::uint64_t offset, std::uint64_t length) {
  CO_TRY(auto blob, co_await body());
  co_return co_await blob->check(offset, length);
}

Task<Result<std::string>> Content::read_body(std::uint64_t offset, std::uint64_t length) {
  CO_TRY(auto blob, co_await body());
  auto bytes = co_await blob->read(offset, length);
  if (bytes && bytes->size() != length)
    co_return fail(ErrorCode::Corrupt, "body {} is shorter than its message", record_.blob);
  co_return bytes;
}

Task<Result<std::string>> Content::read_all(const mailbox::SectionBytes& bytes) {
  SectionReader reader(*this, bytes);
  std::string all;
  while (!reader.done()) {
    CO_TRY(auto piece, co_await reader.next());
    if (all.empty())
      all = std::move(piece);
    else
      all += piece;
  }
  co_return all;
}

Task<Result<std::string>> Content::whole_body(std::uint64_t limit, std::string_view before) {
  auto size =
      std::min(record_.size - std::min<std::uint64_t>(record_.size, record_.prefix.size()), limit);
  std::string bytes;
  bytes.reserve(before.size() + size);
  bytes += before;
  for (std::uint64_t at = 0; at < size; at = bytes.size() - before.size()) {
    CO_TRY(auto piece, co_await read_body(at, std::min<std::uint64_t>(size - at, kReadPiece)));
    bytes += piece;
  }
  co_return bytes;
}

Task<Result<void>> SectionReader::prepare() {
  bool first = true;
  for (auto& piece : bytes_.pieces) {
    if (piece.from != mailbox::Piece::From::Body) continue;
    auto read = first ? std::min<std::uint64_t>(piece.length, kReadPiece) : 0;
    if (std::exchange(first, false)) {
      CO_TRY(prepared_, co_await content_.read_body(piece.offset, read));
    }
    if (read < piece.length)
      CO_TRY_DO(co_await content_.check_body(piece.offset + read, piece.length - read));
  }
  co_return Result<void>{};
}

Task<Result<std::string>> SectionReader::next() {
  auto& piece = bytes_.pieces[piece_];
  auto begin = piece.offset + read_;
  auto length = std::min<std::uint64_t>(piece.length - read_, kReadPiece);
  std::string bytes;
  switch (piece.from) {
    case mailbox::Piece::From::Prefix:
      bytes = content_.record().prefix.substr(begin, length);
      break;
    case mailbox::Piece::From::Literal:
      bytes = piece.text.substr(read_, length);
      break;
    case mailbox::Piece::From::Body:
      if (!prepared_.empty()) {
        bytes = std::exchange(prepared_, {});
      } else {
        CO_TRY(bytes, co_await content_.read_body(begin, length));
      }
      break;
  }
  read_ += bytes.size();
  if (read_ >= piece.length) {
    ++piece_;
    read_ = 0;
  }
  co_return bytes;
}

Task<Result<void>> complete_digest(Services services, Content& content,
                                   mailbox::MessageRecord& record) {
  CO_TRY(auto body, co_await content.whole_body(UINT64_MAX));
  record.digest = co_await run_on(
      services.workers, [&] { return mailbox::make_digest(record.prefix, body, SIZE_MAX); });
  co_return Result<void>{};
}

}  // namespace hikyaku::imapd
