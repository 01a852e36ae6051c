// APPEND with MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502, RFC 4315): messages are staged as they come,
// and put into the mailbox by one transaction.
#include "base/async.h"
#include "base/semaphore.h"
#include "imapd/limits.h"
#include "imapd/session.h"
#include "mailbox/digest.h"

namespace hikyaku::imapd {
namespace {

/// The staged message, read back.
Task<Result<std::string>> read_staged(store::Store& store, store::StagedBlob blob) {
  CO_TRY(auto reader, co_await store.open_staged(blob));
  std::string body;
  body.reserve(blob.size());
  while (body.size() < blob.size()) {
    CO_TRY(auto piece, co_await reader->read(body.size(), kReadPiece));
    if (piece.empty())
      co_return fail(ErrorCode::Corrupt, "the staged message is shorter than it was");
    body += piece;
  }
  co_return body;
}

}  // namespace

struct Session::Appending {
  mailbox::MailboxInfo target;
  std::vector<mailbox::NewMessage> messages;
  std::uint64_t bytes = 0;   ///< of all messages so far, the one that comes included
  std::uint64_t memory = 0;  ///< of `messages`: their structures wait for the last one
};

Task<imap::Reply> Session::handle(imap::AppendCommand command) {
  auto target = co_await find_target(std::move(command.mailbox));
  if (!target) {
    parser_.refuse();
    co_return target.error();
  }
  Appending appending{.target = std::move(*target), .messages = {}};
  auto event = co_await next_event();
  for (; event == Event::Message; event = co_await next_event()) {
    if (auto refusal = co_await receive_message(appending)) co_return std::move(*refusal);
  }
  if (event != Event::AppendEnd) co_return broken_off(event);
  co_return co_await commit(appending);
}

/// The parser has given the command up.
imap::Reply Session::broken_off(Event event) {
  if (event != Event::Fatal) return parser_.reply();
  write(parser_.reply());
  closing_ = true;
  return kAnswered;
}

Task<std::optional<imap::Reply>> Session::check_quota(const Appending& appending) {
  auto usage = co_await services_.store.read(
      [id = account()](store::Reader& reader) { return mailbox::usage(reader, id); });
  if (usage.quota == 0 || usage.bytes + appending.bytes <= usage.quota) co_return std::nullopt;
  co_return imap::no("The mailboxes are full", "OVERQUOTA");
}

Task<std::optional<imap::Reply>> Session::receive_message(Appending& appending) {
  auto announced = parser_.message();
  appending.bytes += announced.size;
  if (auto refusal = co_await check_quota(appending)) {
    parser_.refuse();
    co_return refusal;
  }
  if (announced.synchronizing) imap::append_continuation(out());
  // For the message as a whole, and what follows it up to the next.
  within_command_ = true;
  stream_.set_total_timeout(settings_.command_timeout +
                            std::chrono::seconds(announced.size / net::Stream::kLeastRate));

  auto is_small = announced.size <= at_once(kSmallMessage);
  work_with(appending.memory + (is_small ? announced.size : 0));
  std::string small;
  auto writer = services_.store.stage(
      ("appended by " + login_->address + " to " + appending.target.path).substr(0, 150));
  auto event = co_await next_event();
  for (; event == Event::MessageData; event = co_await next_event()) {
    auto data = parser_.data();
    if (!announced.binary && data.find('\0') != std::string_view::npos) {
      parser_.refuse();
      co_return imap::no("A message that holds NUL needs a binary literal (RFC 3516)");
    }
    if (is_small) small += data;
    if (auto done = co_await writer->append(data); !done) {
      parser_.refuse();
      co_return refusal(done.error());
    }
  }
  if (event != Event::MessageEnd) co_return broken_off(event);

  auto blob = co_await writer->finish();
  auto digest = blob ? co_await digest_of(*blob, is_small ? &small : nullptr)
                     : Result<mailbox::Digest>(std::unexpected(blob.error()));
  if (!digest) {
    parser_.refuse();
    co_return refusal(digest.error());
  }
  auto& message = appending.messages.emplace_back();
  message.body = std::move(*blob);
  message.received = announced.date.value_or(services_.clock.now());
  message.system_flags = announced.flags.system & imap::kSettableFlags;
  message.keywords = std::move(announced.flags.keywords);
  message.digest = std::move(*digest);
  appending.memory += message.memory();
  small = {};
  work_with(appending.memory);
  co_return std::nullopt;
}

Task<Result<mailbox::Digest>> Session::digest_of(store::StagedBlob blob, const std::string* small) {
  if (small && small->size() <= kInlineDigest) co_return mailbox::make_digest("", *small);
  if (small) {
    co_return co_await run_on(services_.workers,
                              [small] { return mailbox::make_digest("", *small); });
  }
  auto permit = co_await services_.large_messages.acquire(blob.size());
  CO_TRY(auto body, co_await read_staged(services_.store, std::move(blob)));
  co_return co_await run_on(services_.workers, [&body] { return mailbox::make_digest("", body); });
}

Task<imap::Reply> Session::commit(Appending& appending) {
  auto& target = appending.target;
  auto done =
      co_await mailbox::append_bulk(bulk(), account(), target.id, std::move(appending.messages));
  if (!done && done.error().code == ErrorCode::NotFound)
    co_return imap::no("There is no such mailbox", "TRYCREATE");
  if (!done) co_return refusal(done.error());
  if (selected_ && selected_->mailbox == target.id) co_await refresh(Expunges::Tell);
  imap::NumberSet uids;
  uids.add(done->first, done->first + done->count - 1);
  co_return imap::ok("Appended", imap::append_uid_code(done->uid_validity, uids));
}

}  // namespace hikyaku::imapd
