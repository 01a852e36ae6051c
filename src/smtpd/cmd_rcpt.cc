// RCPT TO (RFC 5321 §4.1.1.3): who is to get the message is decided here, not later.
#include "smtp/replies.h"
#include "smtpd/session.h"

namespace hikyaku::smtpd {

namespace {
/// Refused recipients of one transaction that are remembered; who guesses at more is cut off
/// anyway.
constexpr std::size_t kMaxRemembered = 50;

/// What an accepted one takes, about: itself, and what it is known again by.
std::size_t memory_of(const smtp::Rcpt& command) {
  auto bytes = command.to.local_part.size() + command.to.domain.size();
  if (auto& orcpt = command.parameters.orcpt) bytes += orcpt->address.size();
  return sizeof(smtp::Recipient) + sizeof(std::string) + 2 * bytes;
}
}  // namespace

Task<smtp::Reply> Session::handle(smtp::Rcpt command) {
  if (auto refusal = co_await services_.receiver.check_recipient(
          peer(), command.to, state_.transaction()->parameters.size.value_or(0))) {
    if (!refusals_) refusals_.emplace(peer(), state_.transaction()->from.to_string());
    if (refusals_->recipients.size() < kMaxRemembered)
      refusals_->recipients.push_back({command.to.to_string(), *refusal});
    co_return std::move(*refusal);
  }
  auto bytes = memory_of(command);
  if (state_.add_recipient(std::move(command))) envelope_ += bytes;
  co_return smtp::replies::recipient_ok();
}

}  // namespace hikyaku::smtpd
