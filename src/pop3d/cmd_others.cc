// DELE, RSET, NOOP, CAPA, STLS, QUIT and the little ones.
#include "pop3d/session.h"

namespace hikyaku::pop3d {

using pop3::err;
using pop3::ok;

Session::Answer Session::handle(pop3::DeleCommand command) {
  if (!maildrop_->find(command.message)) co_return pop3::no_such_message(command.message);
  maildrop_->mark_deleted(command.message);
  co_return ok("It goes at QUIT");
}

Session::Answer Session::handle(pop3::RsetCommand) {
  maildrop_->undelete_all();
  co_return ok(pop3::stat_text(maildrop_->count(), maildrop_->octets()));
}

Session::Answer Session::handle(pop3::NoopCommand) {
  co_return ok("Still here");
}

Session::Answer Session::handle(pop3::CapaCommand) {
  std::string lines;
  pop3::append_reply(lines, ok("Capabilities follow"));
  for (auto& capability : pop3::capabilities(state_, settings_.capabilities))
    lines += capability + "\r\n";
  pop3::append_end(lines);
  output_.append(lines);
  co_return kAnswered;
}

Session::Answer Session::handle(pop3::StlsCommand) {
  answer(ok("Begin TLS"));
  co_await output_.flush();
  // What came in clear behind the command must not be taken for what comes under TLS.
  input_.drop();
  lines_ = pop3::LineReader();
  if (!co_await start_tls())
    throw net::Disconnected(net::Disconnected::Why::Tls, "the TLS handshake failed");
  co_return kAnswered;
}

Session::Answer Session::handle(pop3::QuitCommand) {
  closing_ = true;
  if (!maildrop_) co_return ok("Goodbye");
  state_.phase = pop3::Phase::Update;
  auto updated = co_await maildrop_->update(
      {services_.store, services_.clock, [this] { return stream_.out_of_grace(); }});
  lock_.reset();
  if (!updated) {
    if (updated.error().code != ErrorCode::Shutdown)
      log_.error("pop3.update", {{"err", updated.error().describe()}});
    co_return err("Some deleted messages were not removed", pop3::kCodeSysTemp);
  }
  co_return ok("Goodbye");
}

Session::Answer Session::handle(pop3::Utf8Command) {
  state_.utf8 = true;
  co_return ok("UTF-8 it is");
}

Session::Answer Session::handle(pop3::LangCommand command) {
  if (!command.tag) {
    output_.append("+OK Languages follow\r\nen English\r\n.\r\n");
    co_return kAnswered;
  }
  if (*command.tag == "en" || *command.tag == "*" || *command.tag == "i-default")
    co_return ok("en English it is");
  co_return err("Only English is spoken here");
}

}  // namespace hikyaku::pop3d
