// BDAT (RFC 3030 §2): the message in counted chunks.
#include <algorithm>

#include "smtp/replies.h"
#include "smtpd/session.h"

namespace hikyaku::smtpd {

namespace replies = smtp::replies;

Task<smtp::Reply> Session::handle(smtp::Bdat command) {
  auto& transaction = *state_.transaction();
  if (!transaction.chunks_begun) {
    transaction.chunks_begun = true;
    auto binary = transaction.parameters.body == smtp::Body::BinaryMime;
    chunks_.emplace(state_.settings().max_size,
                    binary ? smtp::ContentCheck::Kind::Binary : smtp::ContentCheck::Kind::Text);
    incoming_ = services_.receiver.begin(peer(), transaction);
    data_until_ = std::chrono::steady_clock::now() + settings_.transaction_timeout;
    octets_ = 0;
  }
  chunks_->begin_chunk(command.size, command.last);
  if (chunks_->hopeless()) co_return co_await give_up(smtp::DataProblem::TooLarge);
  stream_.set_timeout(settings_.data_timeout);
  stream_.end_by(*data_until_);
  std::string piece;
  while (!chunks_->chunk_done() && !chunks_->hopeless()) {
    if (input_.available().empty() && !input_.fill_now()) co_await need_bytes();
    piece.clear();
    input_.consume(chunks_->feed(input_.available(), piece));
    octets_ += piece.size();
    if (chunks_->problem() == smtp::DataProblem::None) co_await incoming_->append(piece);
  }
  stream_.set_timeout(settings_.command_timeout);
  stream_.set_total_timeout(milliseconds(0));
  auto problem = chunks_->problem();
  if (!chunks_->chunk_done()) co_return co_await give_up(problem);
  if (problem == smtp::DataProblem::None && !chunks_->done()) {
    if (command.size == 0) state_.moved_nothing();
    co_return replies::chunk_ok(command.size);
  }

  auto incoming = std::move(incoming_);
  forget_message();
  if (problem == smtp::DataProblem::None) co_return co_await finish_message(std::move(incoming));
  co_return co_await refuse_content(problem);
}

Task<void> Session::skip_chunk(std::uint64_t size) {
  if (size > smtp::kMaxDropped) {
    closing_ = true;
    co_return;
  }
  // Within a message the limit of its data goes on; a chunk out of place gets the same.
  stream_.end_by(
      data_until_.value_or(std::chrono::steady_clock::now() + settings_.transaction_timeout));
  while (size > 0) {
    if (input_.available().empty() && !input_.fill_now()) co_await need_bytes();
    auto now = std::min<std::uint64_t>(size, input_.available().size());
    input_.consume(static_cast<std::size_t>(now));
    size -= now;
  }
  stream_.set_total_timeout(milliseconds(0));
}

}  // namespace hikyaku::smtpd
