// DATA (RFC 5321 §4.1.1.4).
#include "smtp/replies.h"
#include "smtpd/session.h"
#include "store/index_error.h"

namespace hikyaku::smtpd {

namespace replies = smtp::replies;

Task<smtp::Reply> Session::handle(smtp::Data) {
  incoming_ = services_.receiver.begin(peer(), *state_.transaction());
  smtp::DataDecoder decoder(state_.settings().max_size);
  octets_ = 0;
  write(replies::start_data());
  stream_.set_timeout(settings_.data_timeout);
  stream_.end_by(std::chrono::steady_clock::now() + settings_.transaction_timeout);
  std::string piece;
  while (!decoder.done() && !decoder.hopeless()) {
    if (input_.available().empty() && !input_.fill_now()) co_await need_bytes();
    piece.clear();
    input_.consume(decoder.feed(input_.available(), piece));
    octets_ += piece.size();
    if (decoder.problem() == smtp::DataProblem::None) co_await incoming_->append(piece);
  }
  stream_.set_timeout(settings_.command_timeout);
  auto incoming = std::move(incoming_);
  forget_message();
  if (decoder.problem() == smtp::DataProblem::None)
    co_return co_await finish_message(std::move(incoming));

  if (!decoder.done()) co_return co_await give_up(decoder.problem());
  co_return co_await refuse_content(decoder.problem());
}

Task<smtp::Reply> Session::give_up(smtp::DataProblem problem) {
  forget_message();
  // What follows is not looked at: it would be taken for commands. The reply keeps its 5yz, since
  // 421 would only make the client send it all again.
  closing_ = true;
  co_return co_await refuse_content(problem);
}

void Session::forget_message() {
  incoming_.reset();
  chunks_.reset();
  data_until_.reset();
  stream_.set_total_timeout(milliseconds(0));
}

Task<smtp::Reply> Session::refuse_content(smtp::DataProblem problem) {
  auto reply = replies::content_refused(problem, state_.settings().max_size);
  auto& transaction = *state_.transaction();
  std::vector<receive::Refused> refused;
  for (auto& recipient : transaction.recipients)
    refused.push_back({recipient.to.to_string(), reply});
  co_await services_.receiver.refused(peer(), transaction.from.to_string(), std::move(refused));
  state_.end_transaction();
  metrics_.messages.add(reply);
  co_return reply;
}

Task<smtp::Reply> Session::finish_message(std::unique_ptr<receive::Incoming> incoming) {
  smtp::Reply reply;
  {
    metrics::Timer timer(metrics_.acceptance);
    try {
      reply = co_await incoming->finish();
    } catch (const store::IndexError&) {
      reply = replies::internal_error();  // the store has told whoever runs it
    }
  }
  metrics_.messages.add(reply);
  if (reply.positive()) {
    ++accepted_;
    has_proved_useful();
    metrics_.message_bytes.add(octets_);
    metrics_.sizes.observe(octets_);
    state_.message_accepted();
  }
  state_.end_transaction();
  co_return reply;
}

}  // namespace hikyaku::smtpd
