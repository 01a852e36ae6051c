// who, kick, stats, metrics: what the running server does at this moment.
#include <algorithm>
#include <map>

#include "app/commands.h"
#include "app/server_metrics.h"
#include "app/sessions.h"
#include "app/watch.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

using boost::json::array;
using boost::json::object;
using Answer = Result<object>;

bool is_shown(const SessionFacts& facts) {
  return facts.activity.protocol != kControlProtocol;
}

/// In a word, what it is about.
std::string_view state_of(const Activity& activity) {
  if (activity.idling) return "idle";
  if (activity.busy) return "busy";
  if (!activity.place.empty()) return "selected";
  return activity.account != 0 ? "logged-in" : "connected";
}

object describe(const SessionFacts& facts, Time now) {
  auto& activity = facts.activity;
  return {{"id", activity.id},
          {"protocol", std::string(activity.protocol)},
          {"user", json_text(activity.user)},
          {"ip", facts.peer.address.to_string()},
          {"port", facts.peer.port},
          {"tls", facts.tls},
          {"since", format_rfc3339(now - facts.age)},
          {"seconds", facts.age.count()},
          {"idle_seconds", facts.idle.count()},
          {"command", std::string(activity.command)},
          {"commands", activity.commands},
          {"state", std::string(state_of(activity))},
          {"mailbox", json_text(activity.place)},
          {"memory", activity.memory},
          {"bytes_in", facts.bytes_in},
          {"bytes_out", facts.bytes_out}};
}

Task<Answer> who(Watched watched, ControlCall& call) {
  auto now = watched.core.clock().now();
  std::uint64_t count = 0;
  for (auto& facts : co_await watched.sessions.list()) {
    if (!is_shown(facts)) continue;
    ++count;
    co_await call.item(describe(facts, now));
  }
  co_return object{{"count", count}};
}

/// Which sessions "SESSION|ACCOUNT|ADDRESS" means.
Result<Sessions::Choose> chosen_by(const std::string& text) {
  if (auto id = parse_decimal(text))
    return [id = *id](const SessionFacts& facts) { return is_shown(facts) && facts.id == id; };
  if (text.contains('@'))
    return [user = to_lower(text)](const SessionFacts& facts) {
      return is_shown(facts) && to_lower(facts.activity.user) == user;
    };
  if (auto address = IpAddress::parse(text))
    return [address = *address](const SessionFacts& facts) {
      return is_shown(facts) && facts.peer.address == address && facts.peer.port != 0;
    };
  return fail(ErrorCode::Invalid,
              "{} is neither the number of a session, nor an account, nor an IP address",
              printable(text, 100));
}

Task<Answer> kick(Watched watched, ControlCall& call) {
  CO_TRY(auto text, call.needed_text("select"));
  CO_TRY(auto choose, chosen_by(text));
  auto count = co_await watched.sessions.end(std::move(choose), Activity::End::Kicked);
  if (count == 0)
    co_return fail(ErrorCode::NotFound, "nobody is connected as {}: hikyaku who",
                   printable(text, 100));
  watched.core.log().info("session.kick", {{"what", text}, {"sessions", count}});
  co_return object{{"count", count}};
}

array to_json(const std::vector<double>& values) {
  return array(values.begin(), values.end());
}

object to_json(const metrics::Distribution& distribution) {
  return {{"bounds", to_json(distribution.bounds)},
          {"counts", array(distribution.counts.begin(), distribution.counts.end())},
          {"sum", distribution.sum},
          {"count", distribution.count}};
}

object to_json(const std::map<std::string, double>& values) {
  object result;
  for (auto& [name, value] : values) result[name] = static_cast<std::uint64_t>(value);
  return result;
}

/// One of those that are compared.
struct Busy {
  std::string name;
  std::uint64_t sessions = 0;
  EndedSessions::Sum sum;  ///< of sessions that have ended and of those that are there
};
/// So many are told; of these at most half for what they did in sessions that ended lately.
constexpr std::size_t kMostBusy = 400;

/// Those who did most, in sessions that have ended lately or at all.
void keep_busiest(std::vector<Busy>& rows) {
  if (rows.size() <= kMostBusy) return;
  auto sort = [](auto first, auto middle, auto last, auto key) {
    std::partial_sort(first, middle, last,
                      [&](const Busy& a, const Busy& b) { return key(a) > key(b); });
  };
  auto half = rows.begin() + kMostBusy / 2;
  sort(rows.begin(), half, rows.end(), [](auto& row) { return row.sum.recent; });
  sort(half, rows.begin() + kMostBusy, rows.end(), [](auto& row) { return row.sum.commands; });
  rows.resize(kMostBusy);
}

/// Sessions by what `key` says of them, with what others did that had it: how many are there, and
/// their commands. "more": not all are told.
template <class Key>
void tell_busiest(object& result, std::string_view kind, const std::vector<SessionFacts>& sessions,
                  const std::map<std::string, EndedSessions::Sum>& ended, Key key) {
  std::map<std::string, Busy> all;
  for (auto& [name, sum] : ended) all[name].sum = sum;
  for (auto& facts : sessions) {
    auto name = is_shown(facts) ? key(facts) : std::string();
    if (name.empty()) continue;
    auto& busy = all[name];
    ++busy.sessions;
    busy.sum += {facts.activity.commands, facts.bytes_in + facts.bytes_out, 0};
  }
  std::vector<Busy> rows;
  for (auto& [name, busy] : all) rows.push_back({name, busy.sessions, busy.sum});
  keep_busiest(rows);
  array told;
  for (auto& row : rows)
    told.push_back(object{{"name", json_text(row.name)},
                          {"sessions", row.sessions},
                          {"commands", row.sum.commands},
                          {"bytes", row.sum.bytes}});
  result["more"].as_object()[kind] = rows.size() < all.size();
  result[kind] = std::move(told);
}

/// Totals since the start; who asks twice has rates.
Task<Answer> stats(Watched watched, ControlCall&) {
  auto& registry = watched.metrics.registry;
  auto total = [&](const char* name) { return static_cast<std::uint64_t>(registry.total(name)); };
  auto by = [&](const char* name, const char* label) {
    return to_json(registry.by_label(name, label));
  };
  auto seen = watched.watch().seen();
  auto sessions = co_await watched.sessions.list();
  object result{{"time", format_rfc3339(watched.core.clock().now())},
                {"uptime", watched.core.clock().now().time_since_epoch().count() / 1000 -
                               static_cast<std::int64_t>(total("hikyaku_start_timestamp_seconds"))},
                {"open", by("hikyaku_connections_open", "protocol")},
                {"connections", by("hikyaku_connections_total", "protocol")},
                {"refused", by("hikyaku_connections_refused_total", "protocol")},
                {"commands", by("hikyaku_command_seconds", "protocol")},
                {"recipients", by("hikyaku_recipients_total", "reply")},
                {"messages", by("hikyaku_messages_total", "reply")},
                {"deliveries", by("hikyaku_deliveries_total", "outcome")},
                {"logins", by("hikyaku_logins_total", "outcome")},
                {"log", by("hikyaku_log_lines_total", "level")},
                {"accept", to_json(registry.distribution("hikyaku_message_accept_seconds"))}};
  result["queue"] = object{{"waiting", seen.waiting},
                           {"held", seen.held},
                           {"oldest", std::chrono::floor<seconds>(seen.oldest).count()}};
  result["store"] = object{{"transactions", total("hikyaku_store_transactions_total")},
                           {"batches", total("hikyaku_store_batches_total")},
                           {"written", total("hikyaku_store_journal_written_bytes_total")},
                           {"journal", seen.journal_bytes},
                           {"waiting", total("hikyaku_store_waiting_transactions")},
                           {"write_under_way", total("hikyaku_store_write_under_way_seconds")},
                           {"staged", total("hikyaku_store_staged_bytes")},
                           {"stall", total("hikyaku_store_index_stall")},
                           {"lost_segments", total("hikyaku_store_lost_segments")},
                           {"unreadable", total("hikyaku_store_unreadable_bodies")},
                           {"damaged_records", total("hikyaku_store_damaged_records")},
                           {"index_damaged", total("hikyaku_store_index_damaged")},
                           {"sync", to_json(registry.distribution("hikyaku_store_sync_seconds"))}};
  result["workers"] = object{{"threads", total("hikyaku_workers")},
                             {"busy", total("hikyaku_workers_busy")},
                             {"queued", total("hikyaku_worker_queue_length")}};
  result["memory"] = object{{"resident", total("hikyaku_memory_resident_bytes")},
                            {"plan", total("hikyaku_memory_plan_bytes")}};
  auto ended = co_await watched.sessions.ended();
  result["more"] = object{};
  tell_busiest(result, "accounts", sessions, ended.accounts,
               [](auto& facts) { return facts.activity.user; });
  tell_busiest(result, "addresses", sessions, ended.addresses, [](auto& facts) {
    return facts.peer.port == 0 ? std::string() : facts.peer.address.to_string();
  });
  co_return result;
}

Task<Answer> metrics_text(Watched watched, ControlCall&) {
  co_return object{{"text", json_text(watched.metrics.registry.text())}};
}

}  // namespace

void add_watch_commands(ControlTable& table, Watched watched) {
  using Function = Task<Answer> (*)(Watched, ControlCall&);
  auto add = [&](std::string verb, Function function) {
    table.add({.verb = std::move(verb),
               .run = [watched, function](ControlCall& call) { return function(watched, call); }});
  };
  add("who", who);
  add("kick", kick);
  add("stats", stats);
  add("metrics", metrics_text);
}

}  // namespace hikyaku::app
