// RETR and TOP (RFC 1939 §5, §7).
#include <algorithm>
#include <set>

#include "mailbox/messages.h"
#include "pop3d/session.h"

namespace hikyaku::pop3d {
namespace {
/// Bytes of a body that are read at once.
constexpr std::uint64_t kPiece = 128 * 1024;
/// Messages that are looked up at once, and their bytes.
constexpr std::size_t kAhead = 32;
constexpr std::uint64_t kBytesAhead = 256 * 1024;

/// The message that a line asks for; 0 if it does not.
std::uint32_t message_in(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto command = pop3::parse_command(line);
  if (!command) return 0;
  if (auto* retr = std::get_if<pop3::RetrCommand>(&*command)) return retr->message;
  if (auto* top = std::get_if<pop3::TopCommand>(&*command)) return top->message;
  return 0;
}

/// The messages that are there; `uids` ascend.
std::vector<std::optional<mailbox::MessageRecord>> get_messages(
    store::Reader& reader, const Maildrop& drop, const std::vector<mailbox::Uid>& uids) {
  auto account = drop.account();
  auto inbox = drop.mailbox();
  std::vector<std::optional<mailbox::MessageRecord>> records;
  if (uids.size() == 1) {
    records.push_back(mailbox::get_message(reader, account, inbox, uids.front()));
    return records;
  }
  records = mailbox::get_messages_or_ghosts(reader, account, inbox, uids);
  std::vector<bool> there(uids.size());
  mailbox::scan_summaries(reader, account, inbox, uids.front(), uids.back(),
                          [&, next = std::size_t(0)](const mailbox::MessageSummary& row) mutable {
                            while (next < uids.size() && uids[next] < row.uid) ++next;
                            if (next < uids.size() && uids[next] == row.uid) there[next] = true;
                            return true;
                          });
  for (std::size_t i = 0; i < uids.size(); ++i)
    if (!there[i]) records[i].reset();
  return records;
}
}  // namespace

std::vector<std::uint32_t> Session::asked_for(std::uint32_t number) {
  std::set<std::uint32_t> numbers{number};
  auto bytes = maildrop_->find(number)->size;
  auto input = input_.available();
  for (std::size_t lines = 1; lines < kAhead; ++lines) {
    auto end = input.find('\n');
    if (end == std::string_view::npos) break;
    auto asked = message_in(input.substr(0, end));
    input.remove_prefix(end + 1);
    auto message = maildrop_->find(asked);
    if (!message || asked < number || asked - number > kAhead) continue;
    bytes += message->size;
    if (bytes > kBytesAhead) break;
    numbers.insert(asked);
  }
  return {numbers.begin(), numbers.end()};
}

Task<Session::Retrieved> Session::retrieve(std::uint32_t number) {
  auto found = std::ranges::find(ahead_, number, &Retrieved::number);
  if (found == ahead_.end()) {
    ahead_.clear();
    ahead_bytes_ = 0;
    std::vector<mailbox::Uid> uids;
    for (auto asked : asked_for(number)) {
      ahead_.push_back({.number = asked});
      auto message = maildrop_->find(asked);
      uids.push_back(message->uid);
      ahead_bytes_ += std::min(message->size, kBytesAhead);
    }
    auto records = co_await services_.store.read(
        [&](store::Reader& reader) { return get_messages(reader, *maildrop_, uids); });
    std::vector<store::BlobId> ids;
    for (std::size_t i = 0; i < records.size(); ++i) {
      ahead_[i].record = std::move(records[i]);
      // It can be large, and POP3 tells nothing of it.
      if (ahead_[i].record) ahead_[i].record->digest = {};
      if (ahead_[i].record) ids.push_back(ahead_[i].record->blob);
    }
    auto blobs = co_await services_.store.open_blobs(std::move(ids));
    auto blob = blobs.begin();
    for (auto& one : ahead_)
      if (one.record) one.blob = std::move(*blob++);
    found = std::ranges::find(ahead_, number, &Retrieved::number);
    count_memory();
  }
  auto one = std::move(*found);
  ahead_.erase(found);
  co_return one;
}

Session::Answer Session::handle(pop3::RetrCommand command) {
  auto reply = co_await send_message(command.message, pop3::DotStuffer::kAllLines);
  if (!reply) maildrop_->mark_retrieved(command.message);
  co_return reply;
}

Session::Answer Session::handle(pop3::TopCommand command) {
  co_return co_await send_message(command.message, command.lines);
}

std::optional<pop3::Reply> Session::unreadable(const Error& error) {
  log_.warn("pop3.read", {{"user", user()}, {"err", error.describe()}});
  return pop3::reply_for(error);
}

Session::Answer Session::send_message(std::uint32_t number, std::uint64_t body_lines) {
  if (!maildrop_->find(number)) co_return pop3::no_such_message(number);
  auto [_, record, blob] = co_await retrieve(number);
  // Another client has expunged it meanwhile; its number stays.
  if (!record) co_return pop3::err("Another client has removed that message");
  if (!blob) co_return unreadable(blob.error());
  auto first = co_await (*blob)->read(0, kPiece);
  if (!first) co_return unreadable(first.error());

  std::string wire;
  pop3::append_reply(wire, pop3::ok(std::to_string(record->size) + " octets"));
  pop3::DotStuffer stuffer(body_lines);
  stuffer.add(record->prefix, wire);
  stuffer.add(*first, wire);
  // In the middle of a message there is no way to say that something is wrong but to hang up.
  if (first->size() < (*blob)->size() && !stuffer.done())
    if (auto good = co_await (*blob)->check(first->size(), (*blob)->size()); !good)
      co_return unreadable(good.error());
  for (auto offset = static_cast<std::uint64_t>(first->size());
       offset < (*blob)->size() && !stuffer.done();) {
    co_await output_.write(wire);
    wire.clear();
    auto piece = co_await (*blob)->read(offset, kPiece);
    if (!piece || piece->empty()) {  // damaged this moment
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
