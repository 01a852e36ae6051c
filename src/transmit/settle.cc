#include "transmit/settle.h"

#include <algorithm>
#include <fmt/core.h>

#include "auth/directory.h"
#include "transmit/held_notice.h"
#include "transmit/notice.h"
#include "transmit/source.h"

namespace hikyaku::transmit {
namespace {

/// The header of a returned message is cut here, and a whole message is returned up to here
/// (RET=FULL).
constexpr std::size_t kReturnedHeader = 64 * 1024;
constexpr std::size_t kReturnedMessage = 512 * 1024;
/// When a bounce that could not be stored is tried again.
constexpr std::chrono::minutes kNoticeAgain{5};

/// Everything of `text` up to and with the empty line that ends a header.
std::string header_of(std::string text) {
  auto end = text.find("\r\n\r\n");
  if (end != std::string::npos) {
    text.resize(end + 2);
  } else if (auto line = text.rfind("\r\n"); line != std::string::npos) {
    text.resize(line + 2);
  }
  return text;
}

story::Attempt attempt_of(const Outcome& outcome, std::string result, std::string next) {
  story::Attempt attempt;
  attempt.recipient = outcome.entry.recipient;
  attempt.number = outcome.entry.attempts;
  attempt.host = outcome.host;
  attempt.endpoint = outcome.endpoint;
  attempt.tls = outcome.tls;
  attempt.result = std::move(result);
  attempt.reply = outcome.words;
  attempt.next = std::move(next);
  attempt.findings = outcome.findings;
  return attempt;
}

}  // namespace

Settler::Settler(store::Store& store, queue::Injector& injector, const Clock& clock,
                 const Clock& ages, crypto::Random& random, Schedule schedule,
                 std::string host_name, std::function<Language()> language, Log log)
    : store_(store),
      injector_(injector),
      clock_(clock),
      ages_(ages),
      random_(random),
      schedule_(std::move(schedule)),
      host_name_(std::move(host_name)),
      language_(std::move(language)),
      log_(std::move(log)) {}

Time Settler::next_attempt(const queue::Entry& entry, Time now) const {
  auto& retry = schedule_.retry;
  auto index = std::min<std::size_t>(static_cast<std::size_t>(std::max(0, entry.attempts - 1)),
                                     retry.size() - 1);
  return now + retry[index];
}

namespace {
/// Somebody has dropped the entry while it was attempted: nothing is left to be done about it, and
/// the others' outcomes must not be lost for it.
Result<void> unless_dropped(Result<void> result) {
  if (!result && result.error().code == ErrorCode::NotFound) return {};
  return result;
}
}  // namespace

void Settler::log_outcome(const Outcome& outcome, std::string_view result) const {
  log_.info("attempt.end", {{"mid", story::to_text(outcome.entry.message)},
                            {"rcpt", outcome.entry.recipient},
                            {"mx", outcome.host},
                            {"status", result},
                            {"dsn", outcome.status.to_string()},
                            {"reply", outcome.words}});
}

/// The outcomes of one message by what is to be done about them.
struct Settler::Sorted {
  std::vector<Outcome> delivered, deferred, delayed, held, abandoned;
  std::vector<Outcome> relayed;  ///< delivered, and the sender wants to know
  std::vector<Outcome> ended;    ///< the sender is told, as far as it wants to be
};

/// For the story: whether the sender is told of an outcome, and why not.
story::Finding about_notice(const queue::Message& message, const queue::Entry& entry,
                            dsn::Action action) {
  if (is_wanted(message, entry, action)) return {"dsn", "sent to", message.mail_from};
  if (message.mail_from.empty()) return {"dsn", "not sent", "the message has a null sender"};
  return {"dsn", "not sent", "the sender wants none (NOTIFY)"};
}

dsn::Action action_of(queue::Notice notice) {
  switch (notice) {
    case queue::Notice::Failed:
      return dsn::Action::Failed;
    case queue::Notice::Delivered:
      return dsn::Action::Delivered;
    case queue::Notice::Relayed:
      return dsn::Action::Relayed;
    case queue::Notice::Expanded:
      return dsn::Action::Expanded;
  }
  return dsn::Action::Failed;
}

/// How the story calls the end of a recipient.
std::string_view result_of(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::Confirmed:
      return "confirmed";
    case Outcome::Kind::Deferred:
      return "expired";
    default:
      return "bounced";
  }
}

Settler::Sorted Settler::sort(const queue::Message& message, std::vector<Outcome> outcomes) const {
  Sorted sorted;
  auto age = ages_.now() - message.arrived;
  for (auto& outcome : outcomes) {
    auto waited = waited_of(outcome.entry, age);
    auto tell_delay = schedule_.delay_notice.count() > 0 && !outcome.entry.delay_told &&
                      waited >= schedule_.delay_notice;
    switch (outcome.kind) {
      case Outcome::Kind::Delivered:
        // A server that knows DSN tells the sender itself (RFC 3461 §5.2.2 (b)).
        if (outcome.relayed && is_wanted(message, outcome.entry, dsn::Action::Relayed))
          sorted.relayed.push_back(outcome);
        else
          sorted.delivered.push_back(outcome);
        break;
      case Outcome::Kind::Confirmed:
        outcome.action = action_of(outcome.entry.notice);
        sorted.ended.push_back(outcome);
        break;
      case Outcome::Kind::Failed:
        sorted.ended.push_back(outcome);
        break;
      case Outcome::Kind::Held:
        sorted.held.push_back(outcome);
        break;
      case Outcome::Kind::Abandoned:
        sorted.abandoned.push_back(outcome);
        break;
      case Outcome::Kind::Deferred:
        if (waited >= schedule_.lifetime) {
          // Given up is failed for good, whatever class the last answer had (RFC 3464 §2.3.4).
          outcome.status.klass = 5;
          sorted.ended.push_back(outcome);
        } else {
          outcome.action = dsn::Action::Delayed;
          if (tell_delay) {
            outcome.findings.push_back(about_notice(message, outcome.entry, outcome.action));
            sorted.delayed.push_back(outcome);
          }
          sorted.deferred.push_back(outcome);
        }
        break;
    }
  }
  for (auto& outcome : sorted.ended)
    outcome.findings.push_back(about_notice(message, outcome.entry, outcome.action));
  return sorted;
}

/// How long an entry has waited. What arrived in the future, by a clock that was set back since,
/// has waited as long as its attempts tell.
milliseconds Settler::waited_of(const queue::Entry& entry, milliseconds age) const {
  if (age >= milliseconds(0)) return age;
  auto& retry = schedule_.retry;
  milliseconds waited{};
  for (int i = 0; i < entry.attempts && waited < schedule_.lifetime; ++i)
    waited += retry[std::min<std::size_t>(static_cast<std::size_t>(i), retry.size() - 1)];
  return waited;
}

/// The steps that end an attempt: the row of its entry, and its story.
Result<void> end_delivered(store::Transaction& tx, const Outcome& outcome, Time now) {
  auto& entry = outcome.entry;
  TRY_DO(unless_dropped(queue::finish(tx, entry.message, entry.number)));
  story::record_attempt(tx, entry.message, attempt_of(outcome, "delivered", ""), now);
  return {};
}

Result<void> end_relayed(store::Transaction& tx, const Outcome& outcome, Time now) {
  auto& entry = outcome.entry;
  TRY_DO(unless_dropped(queue::turn_into_notice(
      tx, entry.message, entry.number, queue::Notice::Relayed, outcome.host, outcome.words, now)));
  story::record_attempt(tx, entry.message, attempt_of(outcome, "delivered", ""), now);
  return {};
}

Result<void> end_deferred(store::Transaction& tx, const Outcome& outcome, Time next, Time now) {
  auto& entry = outcome.entry;
  TRY_DO(unless_dropped(
      queue::defer(tx, entry.message, entry.number, next, outcome.host, outcome.words)));
  story::record_attempt(tx, entry.message, attempt_of(outcome, "deferred", format_rfc3339(next)),
                        now);
  return {};
}

Result<void> end_for_good(store::Transaction& tx, const Outcome& outcome, Time now) {
  auto& entry = outcome.entry;
  TRY_DO(unless_dropped(queue::finish(tx, entry.message, entry.number)));
  story::record_attempt(tx, entry.message, attempt_of(outcome, std::string(result_of(outcome)), ""),
                        now);
  return {};
}

Result<void> Settler::end_without_notice(store::Transaction& tx, const Sorted& sorted, Time expiry,
                                         Time now) const {
  for (auto& outcome : sorted.delivered) TRY_DO(end_delivered(tx, outcome, now));
  for (auto& outcome : sorted.relayed) TRY_DO(end_relayed(tx, outcome, now));
  for (auto& outcome : sorted.deferred) {
    // The last attempt is at its end, not some time behind.
    auto next = next_attempt(outcome.entry, now);
    if (expiry > now) next = std::min(next, expiry);
    TRY_DO(end_deferred(tx, outcome, next, now));
  }
  for (auto& outcome : sorted.held) {
    auto& entry = outcome.entry;
    TRY_DO(unless_dropped(queue::hold_attempted(tx, entry.message, entry.number, outcome.words)));
    story::record_note(tx, entry.message, "held: " + outcome.words, now);
  }
  for (auto& outcome : sorted.abandoned) {
    TRY_DO(unless_dropped(
        queue::abandon_attempt(tx, outcome.entry.message, outcome.entry.number, now)));
  }
  return {};
}

Task<Unsettled> Settler::settle(queue::Message message, std::vector<Outcome> outcomes) {
  auto now = clock_.now();
  auto sorted = sort(message, outcomes);
  auto expiry = message.arrived + schedule_.lifetime;

  // What ends without a notice goes first: whatever happens to the notices, nothing is sent twice.
  // The message's rows stay while it has failed entries, which end with their notice.
  auto ended = co_await store_.transact(
      {store::kInstance},
      [&](store::Transaction& tx) { return end_without_notice(tx, sorted, expiry, now); },
      {.may_use_reserve = true});
  if (!ended) co_return Unsettled{std::move(outcomes), ended.error()};
  for (auto& outcome : sorted.delivered) log_outcome(outcome, "delivered");
  for (auto& outcome : sorted.relayed) log_outcome(outcome, "delivered");
  for (auto& outcome : sorted.deferred) log_outcome(outcome, "deferred");

  if (!sorted.delayed.empty()) co_await tell_delay(message, sorted);
  if (sorted.ended.empty()) co_return Unsettled{};
  auto told = co_await end_with_notice(message, sorted, now);
  if (!told) {
    // As they came: what is sorted has been added to already.
    std::erase_if(outcomes, [&](auto& outcome) {
      return std::ranges::none_of(
          sorted.ended, [&](auto& other) { return other.entry.number == outcome.entry.number; });
    });
    co_return Unsettled{std::move(outcomes), told.error()};
  }
  for (auto& outcome : sorted.ended) log_outcome(outcome, result_of(outcome));
  co_return Unsettled{};
}

Task<void> Settler::tell_delay(const queue::Message& message, const Sorted& sorted) {
  auto delay_told = [&](store::Transaction& tx) -> Result<void> {
    for (auto& outcome : sorted.delayed) {
      TRY_DO(
          unless_dropped(queue::mark_delay_told(tx, outcome.entry.message, outcome.entry.number)));
    }
    return {};
  };
  auto told = co_await notify(message, sorted.delayed, delay_told);
  if (!told) log_.error("queue.notice", {{"err", told.error().describe()}});
}

/// The notice and the rows that it is about, in one transaction.
Task<Result<void>> Settler::end_with_notice(const queue::Message& message, const Sorted& sorted,
                                            Time now) {
  auto end = [&](store::Transaction& tx) -> Result<void> {
    for (auto& outcome : sorted.ended) TRY_DO(end_for_good(tx, outcome, now));
    return {};
  };
  auto told = co_await notify(message, sorted.ended, end);
  if (told) co_return told;
  co_return co_await put_off(message, sorted.ended, end, told.error());
}

/// The notice could not be made. For now (a full disk): the entries wait, and fail again then. For
/// good: nobody can be told.
Task<Result<void>> Settler::put_off(const queue::Message& message,
                                    const std::vector<Outcome>& ended,
                                    const queue::Injector::Also& end, const Error& why) {
  log_.error("queue.notice", {{"mid", story::to_text(message.id)}, {"err", why.describe()}});
  auto now = clock_.now();
  auto wait = [&](store::Transaction& tx) -> Result<void> {
    for (auto& outcome : ended) {
      TRY_DO(unless_dropped(queue::defer(tx, outcome.entry.message, outcome.entry.number,
                                         now + kNoticeAgain, outcome.host, outcome.words)));
    }
    return {};
  };
  co_return co_await store_.transact(
      {store::kInstance},
      [&](store::Transaction& tx) { return why.temporary() ? wait(tx) : end(tx); },
      {.may_use_reserve = true});
}

Task<Result<void>> Settler::notify(const queue::Message& message,
                                   const std::vector<Outcome>& outcomes,
                                   const queue::Injector::Also& also) {
  NoticeContext context;
  context.host_name = host_name_;
  context.message_id =
      fmt::format("{}.{}@{}", story::to_text(message.id), random_.token(8), host_name_);
  context.boundary = random_.token(30);
  context.now = clock_.now();
  context.expires = message.arrived + schedule_.lifetime;
  context.language = co_await store_.read([&](store::Reader& reader) {
    auto account = auth::get_account(reader, message.account);
    return account ? account->language : language_of(reader, message.mail_from);
  });
  // RET is about failures; other notices have the header alone (RFC 3461 §4.3).
  auto whole = message.ret == smtp::Return::Full && message.size <= kReturnedMessage &&
               std::ranges::any_of(outcomes, [&](auto& outcome) {
                 return outcome.action == dsn::Action::Failed &&
                        is_wanted(message, outcome.entry, outcome.action);
               });
  auto beginning =
      co_await read_beginning(store_, message, whole ? kReturnedMessage : kReturnedHeader);
  // A notice without the original is better than none.
  if (beginning) {
    context.original_header = header_of(*beginning);
    if (whole) context.original = std::move(*beginning);
  }
  auto notice = make_notice(message, outcomes, context);
  if (notice) co_return co_await injector_.inject(std::move(*notice), also);
  co_return co_await store_.transact({store::kInstance},
                                     [&](store::Transaction& tx) { return also(tx); },
                                     {.may_use_reserve = true});
}

Language Settler::language_of(store::Reader& reader, std::string_view address) const {
  auto readers = auth::resolve(reader, address, "").accounts;
  auto owner = auth::get_account(reader, readers.empty() ? 0 : readers.front().account);
  if (owner) return owner->language;
  return language_ ? language_() : Language::English;
}

Task<Result<void>> Settler::tell_held(std::vector<queue::Entry> entries) {
  auto notice = co_await store_.read([&](store::Reader& reader) -> std::optional<HeldNotice> {
    auto message = queue::get_message(reader, entries.front().message);
    if (!message) return std::nullopt;
    HeldNotice about;
    about.to_sender = is_for_sender(*message, entries);
    auto domain = auth::first_domain(reader);
    about.to =
        about.to_sender ? message->mail_from : "postmaster@" + (domain ? domain->name : host_name_);
    about.language = language_of(reader, about.to);
    if (auto story = story::find_story(reader, message->id); story && story->arrival)
      about.arrival = *story->arrival;
    about.message = std::move(*message);
    return about;
  });
  if (!notice) co_return Result<void>{};  // dropped meanwhile
  notice->entries = entries;
  notice->host_name = host_name_;
  notice->unique = random_.token(16);
  notice->now = clock_.now();
  auto told = [&](store::Transaction& tx) -> Result<void> {
    for (auto& entry : entries)
      TRY_DO(unless_dropped(queue::mark_hold_told(tx, entry.message, entry.number)));
    story::record_note(tx, entries.front().message, "told " + notice->to + " that it is held",
                       notice->now);
    return {};
  };
  co_return co_await injector_.inject(make_held_notice(*notice), told);
}

}  // namespace hikyaku::transmit
