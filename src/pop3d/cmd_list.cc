// STAT, LIST, UIDL (RFC 1939 §5, §7).
#include "pop3d/session.h"

namespace hikyaku::pop3d {

using pop3::ok;

Session::Answer Session::handle(pop3::StatCommand) {
  co_return ok(pop3::stat_text(maildrop_->count(), maildrop_->octets()));
}

Session::Answer Session::handle(pop3::ListCommand command) {
  if (command.message) {
    auto message = maildrop_->find(*command.message);
    if (!message) co_return pop3::no_such_message(*command.message);
    co_return ok(pop3::stat_text(*command.message, message->size));
  }
  std::string lines;
  pop3::append_reply(lines, ok(pop3::stat_text(maildrop_->count(), maildrop_->octets())));
  for (std::uint32_t number = 1; number <= maildrop_->size(); ++number) {
    if (auto message = maildrop_->find(number))
      pop3::append_list_line(lines, number, message->size);
    if (lines.size() >= net::Output::kFlushAt) {
      co_await output_.write(lines);
      lines.clear();
    }
  }
  pop3::append_end(lines);
  co_await output_.write(lines);
  co_return kAnswered;
}

Session::Answer Session::handle(pop3::UidlCommand command) {
  if (command.message) {
    auto message = maildrop_->find(*command.message);
    if (!message) co_return pop3::no_such_message(*command.message);
    co_return ok(std::to_string(*command.message) + " " + maildrop_->uidl(*message));
  }
  std::string lines;
  pop3::append_reply(lines, ok("Unique ids follow"));
  for (std::uint32_t number = 1; number <= maildrop_->size(); ++number) {
    if (auto message = maildrop_->find(number))
      pop3::append_uidl_line(lines, number, maildrop_->uidl(*message));
    if (lines.size() >= net::Output::kFlushAt) {
      co_await output_.write(lines);
      lines.clear();
    }
  }
  pop3::append_end(lines);
  co_await output_.write(lines);
  co_return kAnswered;
}

}  // namespace hikyaku::pop3d
