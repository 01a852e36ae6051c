// RETR and TOP (RFC 1939 §5, §7).
#include "mailbox/messages.h"
#include "pop3d/session.h"

namespace hikyaku::pop3d {
namespace {
/// Bytes of a body that are read at once.
constexpr std::uint64_t kPiece = 128 * 1024;
}  // namespace

Session::Answer Session::handle(pop3::RetrCommand command) {
  auto reply = co_await send_message(command.message, pop3::DotStuffer::kAllLines);
  if (!reply) maildrop_->find(command.message)->retrieved = true;
  co_return reply;
}

Session::Answer Session::handle(pop3::TopCommand command) {
  co_return co_await send_message(command.message, command.lines);
}

Session::Answer Session::send_message(std::uint32_t number, std::uint64_t body_lines) {
  auto message = maildrop_->find(number);
  if (!message) co_return pop3::no_such_message(number);
  auto uid = message->uid;
  auto record = co_await services_.store.read([&, uid](store::Reader& reader) {
    return mailbox::get_message(reader, maildrop_->account(), maildrop_->mailbox(), uid);
  });
  // Another client has expunged it meanwhile; its number stays.
  if (!record) co_return pop3::err("Another client has removed that message");
  auto blob = co_await services_.store.open_blob(record->blob);
  if (!blob) co_return pop3::reply_for(blob.error());
  auto first = co_await (*blob)->read(0, kPiece);
  if (!first) co_return pop3::reply_for(first.error());

  std::string wire;
  pop3::append_reply(wire, pop3::ok(std::to_string(record->size) + " octets"));
  pop3::DotStuffer stuffer(body_lines);
  stuffer.add(record->prefix, wire);
  stuffer.add(*first, wire);
  for (auto offset = static_cast<std::uint64_t>(first->size());
       offset < (*blob)->size() && !stuffer.done();) {
    co_await output_.write(wire);
    wire.clear();
    auto piece = co_await (*blob)->read(offset, kPiece);
    // In the middle of a message there is no way to say that something is wrong but to hang up.
    if (!piece || piece->empty()) {
      log_.error("pop3.read",
                 {{"err", piece ? "the body is too short" : piece.error().describe()}});
      throw net::Disconnected(net::Disconnected::Why::Closed, "a message could not be read");
    }
    offset += piece->size();
    stuffer.add(*piece, wire);
  }
  stuffer.finish(wire);
  co_await output_.write(wire);
  co_return kAnswered;
}

}  // namespace hikyaku::pop3d
