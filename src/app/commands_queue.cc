// queue list|show|retry|hold|release|drop
#include <algorithm>
#include <fmt/core.h>

#include "app/commands.h"
#include "app/queue_selection.h"
#include "app/shown_time.h"
#include "base/text.h"
#include "queue/queue.h"
#include "smtp/parameters.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

/// Entries in one read and one transaction.
constexpr std::size_t kPiece = 500;

/// The parameters of RCPT TO that are about notices (RFC 3461), as in the protocol; "" without.
std::string notice_parameters(const queue::Entry& entry) {
  std::string text;
  if (auto notify = queue::notify_of(entry)) text += " NOTIFY=" + smtp::to_string(*notify);
  if (auto original = queue::original_recipient(entry))
    text += " ORCPT=" + smtp::format_orcpt(*original, true);
  return text.substr(text.empty() ? 0 : 1);
}

/// The same of MAIL FROM.
std::string notice_parameters(const queue::Message& message) {
  std::string text;
  if (message.ret) text += message.ret == smtp::Return::Full ? " RET=FULL" : " RET=HDRS";
  if (!message.envelope_id.empty()) text += " ENVID=" + smtp::encode_xtext(message.envelope_id);
  return text.substr(text.empty() ? 0 : 1);
}

object describe(const queue::Entry& entry) {
  std::string_view state = entry.attempting                    ? "sending"
                           : entry.state == queue::State::Held ? "held"
                                                               : "waiting";
  return {{"id", fmt::format("{}.{}", story::to_text(entry.message), entry.number)},
          {"arrived", format_rfc3339(story::time_of(entry.message))},
          {"recipient", json_text(entry.recipient)},
          {"state", std::string(state)},
          {"attempts", entry.attempts},
          {"next", entry.state == queue::State::Waiting ? format_rfc3339(entry.next_attempt) : ""},
          {"notice", entry.destination == queue::kNotice},
          {"dsn", json_text(notice_parameters(entry))},
          {"host", json_text(entry.last_host)},
          {"reply",
           json_text(entry.state == queue::State::Held ? entry.hold_reason : entry.last_reply)}};
}

/// Calls `visit` with pieces of the entries that match.
template <class Visit>
Task<Result<void>> for_each(Core& core, const QueueSelection& selection, Visit visit) {
  auto after = selection.after();
  while (true) {
    auto piece = co_await core.store().read(
        [after](store::Reader& reader) { return queue::list(reader, after, kPiece); });
    if (piece.empty()) co_return Result<void>{};
    after = piece.back().message;
    std::erase_if(piece, [&](auto& entry) { return !selection.matches(entry); });
    if (!piece.empty()) CO_TRY_DO(co_await visit(std::move(piece)));
  }
}

Task<Answer> queue_list(Core& core, ControlCall& call) {
  CO_TRY(auto text, call.text("select"));
  CO_TRY(auto selection, QueueSelection::parse(text.empty() ? "all" : text));
  std::uint64_t count = 0;
  auto visit = [&](std::vector<queue::Entry> entries) -> Task<Result<void>> {
    for (auto& entry : entries) {
      auto message = co_await core.store().read(
          [id = entry.message](store::Reader& reader) { return queue::get_message(reader, id); });
      auto item = describe(entry);
      if (message) {
        item["sender"] = json_text(message->mail_from);
        item["size"] = message->size;
      }
      ++count;
      co_await call.item(std::move(item));
    }
    co_return Result<void>{};
  };
  CO_TRY_DO(co_await for_each(core, selection, visit));
  co_return object{{"count", count}};
}

constexpr Phrase kShown{"{}: from <{}>, {} bytes, arrived {}\n",
                        "{}: 差出人 <{}>、{} バイト、到着 {}\n"};
constexpr Phrase kWaits{"  {} <{}>: waiting, next attempt {}, {} so far\n",
                        "  {} <{}>: 待機中、次の試行 {}、これまで {} 回\n"};
constexpr Phrase kSending{"  {} <{}>: being sent now\n", "  {} <{}>: 送信中\n"};
constexpr Phrase kNotice{"  {} <{}>: nothing but a notice to the sender\n",
                         "  {} <{}>: 差出人への通知のみ\n"};
constexpr Phrase kAsked{"     the sender asks for notices: {}\n", "     配送通知の希望: {}\n"};
constexpr Phrase kHeld{"  {} <{}>: held: {}\n", "  {} <{}>: 保留中: {}\n"};

std::string state_line(const queue::Entry& entry, Language language) {
  auto to = printable(entry.recipient, 300);
  if (entry.state == queue::State::Held) {
    auto line = say(language, kHeld, entry.number, to, printable(entry.hold_reason, 500));
    return entry.attempting ? line + say(language, kSending, entry.number, to) : line;
  }
  if (entry.attempting) return say(language, kSending, entry.number, to);
  if (entry.destination == queue::kNotice) return say(language, kNotice, entry.number, to);
  auto line = say(language, kWaits, entry.number, to,
                  minute_in_utc(format_rfc3339(entry.next_attempt)), entry.attempts);
  if (entry.last_reply.empty()) return line;
  auto reply = printable(entry.last_reply, 500);
  // No host has said it where none was found.
  line += entry.last_host.empty()
              ? fmt::format("     {}\n", reply)
              : fmt::format("     {}: {}\n", printable(entry.last_host, 200), reply);
  return line;
}

std::string shown_entry(const queue::Entry& entry, Language language) {
  auto line = state_line(entry, language);
  if (auto asked = notice_parameters(entry); !asked.empty())
    line += say(language, kAsked, printable(asked, 700));
  return line;
}

/// One message with all of its recipients (at most kPiece are shown) and its story.
Task<Answer> queue_show(Core& core, ControlCall& call) {
  CO_TRY(auto text, call.needed_text("id"));
  auto id = story::parse_message_id(std::string_view(text).substr(0, text.find('.')));
  if (!id) co_return fail(ErrorCode::Invalid, "{} is no id of the queue", printable(text, 60));
  auto language = call.request().language;
  co_return co_await core.store().read([&](store::Reader& reader) -> Answer {
    auto message = queue::get_message(reader, *id);
    if (!message)
      return fail(ErrorCode::NotFound,
                  "{0} is not in the queue (any more): hikyaku trace {0} tells what became of it",
                  story::to_text(*id));
    auto shown = say(language, kShown, story::to_text(*id), printable(message->mail_from, 300),
                     message->size, minute_in_utc(format_rfc3339(message->arrived)));
    auto asked = notice_parameters(*message);
    if (!asked.empty()) shown += say(language, kAsked, printable(asked, 300));
    boost::json::array entries;
    for (auto& entry : queue::list(reader, *id - 1, kPiece)) {
      if (entry.message != *id) break;
      shown += shown_entry(entry, language);
      entries.push_back(describe(entry));
    }
    object answer{{"id", story::to_text(*id)}, {"sender", json_text(message->mail_from)},
                  {"size", message->size},     {"arrived", format_rfc3339(message->arrived)},
                  {"dsn", json_text(asked)},   {"entries", std::move(entries)}};
    if (auto story = story::find_story(reader, *id)) {
      shown += '\n' + story::tell(*story, language);
      answer["story"] = boost::json::parse(story::to_json(*story));
    }
    answer["text"] = json_text(shown);
    return answer;
  });
}

/// One of the steps of queue.h on every entry that matches.
using EntryStep = std::function<Result<void>(store::Transaction&, const queue::Entry&, Time)>;

Task<Answer> change_entries(Core& core, ControlCall& call, EntryStep step, std::string_view done) {
  CO_TRY(auto text, call.needed_text("select"));
  CO_TRY(auto selection, QueueSelection::parse(text));
  std::uint64_t count = 0;
  std::uint64_t busy = 0;
  std::uint64_t matched = 0;
  auto who = fmt::format("{} by uid {}", done, call.caller().uid);
  auto visit = [&](std::vector<queue::Entry> entries) -> Task<Result<void>> {
    auto now = core.clock().now();  // not within the step: it may run more than once
    matched += entries.size();
    std::uint64_t changed = 0;
    std::uint64_t being_sent = 0;
    CO_TRY_DO(co_await core.store().transact(
        {store::kInstance},
        [&](store::Transaction& tx) -> Result<void> {
          changed = being_sent = 0;
          for (auto& entry : entries) {
            if (auto stepped = step(tx, entry, now); !stepped) {
              // Otherwise it has been sent meanwhile, or there is nothing to change.
              if (stepped.error().code == ErrorCode::Conflict) ++being_sent;
              continue;
            }
            ++changed;
            story::record_note(tx, entry.message, fmt::format("{}: {}", entry.recipient, who), now);
          }
          return {};
        },
        {.may_use_reserve = true}));
    count += changed;
    busy += being_sent;
    co_return Result<void>{};
  };
  CO_TRY_DO(co_await for_each(core, selection, visit));
  if (matched == 0 && text != "all")
    co_return fail(ErrorCode::NotFound, "nothing in the queue matches {}", text);
  co_return object{{"count", count}, {"busy", busy}};
}

Task<Answer> queue_retry(Core& core, ControlCall& call) {
  co_return co_await change_entries(
      core, call,
      [](auto& tx, auto& e, Time now) { return queue::retry_now(tx, e.message, e.number, now); },
      "retried");
}

Task<Answer> queue_hold(Core& core, ControlCall& call) {
  co_return co_await change_entries(
      core, call,
      [](auto& tx, auto& e, Time) { return queue::hold(tx, e.message, e.number, "held by hand"); },
      "held");
}

Task<Answer> queue_release(Core& core, ControlCall& call) {
  co_return co_await change_entries(
      core, call,
      [](auto& tx, auto& e, Time now) -> Result<void> {
        auto entry = queue::get_entry(tx, e.message, e.number);
        if (entry && entry->state != queue::State::Held) return fail(ErrorCode::Exists, "not held");
        return queue::release(tx, e.message, e.number, now);
      },
      "released");
}

Task<Answer> queue_drop(Core& core, ControlCall& call) {
  co_return co_await change_entries(
      core, call,
      [](auto& tx, auto& e, Time) -> Result<void> {
        auto entry = queue::get_entry(tx, e.message, e.number);
        if (entry && entry->attempting) return fail(ErrorCode::Conflict, "it is being sent");
        return queue::finish(tx, e.message, e.number);
      },
      "dropped");
}

}  // namespace

void add_queue_commands(ControlTable& table, Core& core) {
  using Function = Task<Answer> (*)(Core&, ControlCall&);
  auto add = [&](std::string verb, Function function) {
    table.add({.verb = std::move(verb),
               .run = [&core, function](ControlCall& call) { return function(core, call); }});
  };
  add("queue.list", queue_list);
  add("queue.show", queue_show);
  add("queue.retry", queue_retry);
  add("queue.hold", queue_hold);
  add("queue.release", queue_release);
  add("queue.drop", queue_drop);
}

}  // namespace hikyaku::app
