#include "app/top_frame.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "app/progress.h"
#include "app/run_command.h"
#include "app/text_width.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/time.h"

namespace hikyaku::app {
namespace {

using boost::json::object;

const object& part(const object& stats, std::string_view name) {
  static const object kNone;
  auto found = stats.if_contains(name);
  return found && found->is_object() ? found->get_object() : kNone;
}

std::uint64_t sum_of(const object& values) {
  std::uint64_t sum = 0;
  for (auto& member : values) sum += number_in(values, member.key());
  return sum;
}

metrics::Distribution distribution_in(const object& stats) {
  metrics::Distribution all;
  auto numbers = [&](std::string_view name, auto& into) {
    auto found = stats.if_contains(name);
    if (!found || !found->is_array()) return;
    for (auto& value : found->get_array())
      if (value.is_number())
        into.push_back(value.to_number<typename std::decay_t<decltype(into)>::value_type>());
  };
  numbers("bounds", all.bounds);
  numbers("counts", all.counts);
  all.count = number_in(stats, "count");
  return all;
}

/// Per second; a server that was started anew in between has no past.
double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return now < before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

/// One of several that are compared by what they did since the look before.
struct Busy {
  std::string name;
  std::uint64_t sessions = 0;
  double commands = 0;
  double bytes = 0;
};

std::vector<Busy> busiest(const TopView& view, std::string_view kind) {
  auto rows = [&](const object& stats) {
    std::map<std::string, const object*> found;
    auto list = stats.if_contains(kind);
    if (!list || !list->is_array()) return found;
    for (auto& row : list->get_array())
      if (row.is_object()) found[text_in(row.get_object(), "name")] = &row.get_object();
    return found;
  };
  auto before = rows(view.before);
  std::vector<Busy> all;
  for (auto& [name, row] : rows(view.now)) {
    static const object kNone;
    auto old = before.contains(name) ? before[name] : &kNone;
    auto per_second = [&](const char* what) {
      return rate(number_in(*old, what), number_in(*row, what), view.seconds);
    };
    all.push_back({name, number_in(*row, "sessions"), per_second("commands"), per_second("bytes")});
  }
  std::ranges::stable_sort(all, std::greater(),
                           [](auto& busy) { return std::pair(busy.commands, busy.sessions); });
  return all;
}

boost::json::array to_json(const std::vector<Busy>& rows) {
  boost::json::array all;
  for (auto& row : rows)
    all.push_back(object{{"name", json_text(row.name)},
                         {"sessions", row.sessions},
                         {"commands", row.commands},
                         {"bytes", row.bytes}});
  return all;
}

/// "0", "0.4", "12", "1,234".
std::string short_rate(double rate) {
  if (rate == 0) return "0";
  return rate < 10 ? fmt::format("{:.1f}", rate) : grouped(static_cast<std::uint64_t>(rate + 0.5));
}

/// "64 µs", "2.1 ms", "1.0 s".
std::string short_time(double seconds) {
  if (seconds == 0) return "-";
  if (seconds < 1e-3) return fmt::format("{:.0f} µs", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.1f} ms", seconds * 1e3);
  return fmt::format("{:.1f} s", seconds);
}

double number(const object& numbers, std::string_view name) {
  auto found = numbers.if_contains(name);
  return found && found->is_number() ? found->to_number<double>() : 0;
}

constexpr Phrase kHeading{"hikyaku top   {}   up {}   q: quit\n",
                          "hikyaku top   {}   稼働 {}   q: 終了\n"};
constexpr Phrase kConnections{"connections  {} open ({})   {}/s new, {}/s refused\n",
                              "接続         {} 件 ({})   新規 {}/秒、拒否 {}/秒\n"};
constexpr Phrase kCommands{"commands     {}/s ({})\n", "コマンド     {}/秒 ({})\n"};
constexpr Phrase kMessages{
    "messages     in {}/s, refused {}/s   out {}/s, deferred {}/s, failed {}/s   accept p99 {}\n",
    "メッセージ   受信 {}/秒、拒否 {}/秒   送信 {}/秒、延期 {}/秒、失敗 {}/秒   受付 p99 {}\n"};
constexpr Phrase kLogins{"logins       {}/s, failed {}/s, throttled {}/s\n",
                         "ログイン     {}/秒、失敗 {}/秒、抑制 {}/秒\n"};
constexpr Phrase kQueue{"queue        {} waiting, {} held, oldest {}\n",
                        "キュー       待機 {}、保留 {}、最古 {}\n"};
constexpr Phrase kStore{
    "store        {} tx/s in {} syncs/s, sync p50 {} p99 {}   journal {}, {}/s   waiting {}\n",
    "保管庫       {} tx/秒、同期 {} 回/秒、p50 {} p99 {}   ジャーナル {}、{}/秒   待ち {}\n"};
constexpr Phrase kMemory{"memory       {} of {} planned   workers {}/{} busy, {} queued\n",
                         "メモリ       {} / 予定 {}   ワーカー {}/{} 稼働、待ち {}\n"};
constexpr Phrase kTrouble{"log          {} errors, {} warnings since the start\n",
                          "ログ         起動以来 エラー {}、警告 {}\n"};
constexpr Phrase kAccounts{"busiest accounts", "活発なアカウント"};
constexpr Phrase kAddresses{"busiest addresses", "活発なアドレス"};
constexpr Phrase kBusyRow{"{} sessions, {} commands/s, {}/s",
                          "{} セッション、{} コマンド/秒、{}/秒"};

/// "imap 3, smtp 1": those that are not 0, largest first.
std::string by_protocol(const object& values) {
  std::vector<std::pair<double, std::string>> rows;
  for (auto& member : values)
    if (auto value = number(values, member.key()); value > 0)
      rows.emplace_back(value, member.key());
  std::ranges::sort(rows, std::greater());
  std::vector<std::string> words;
  for (auto& [value, name] : rows) words.push_back(fmt::format("{} {}", name, short_rate(value)));
  return words.empty() ? "-" : join(words, ", ");
}

std::string shown_bytes(double bytes) {
  return short_size(static_cast<std::uint64_t>(bytes));
}

void append_busiest(std::string& out, const TopView& view, std::string_view kind,
                    const Phrase& heading, const Terminal& terminal, std::size_t most) {
  auto rows = busiest(view, kind);
  if (rows.empty() || most < 2) return;
  auto language = terminal.language();
  out += '\n' + terminal.toned(Tone::Strong, heading.in(language)) + '\n';
  for (std::size_t i = 0; i < std::min(rows.size(), most); ++i) {
    auto& row = rows[i];
    auto what =
        say(language, kBusyRow, row.sessions, short_rate(row.commands), shown_bytes(row.bytes));
    out += fmt::format("  {:<40} {}\n", printable(row.name, 100), what);
  }
}

/// At most `size` of it; what is too wide is cut, not wrapped.
std::string cut(const std::string& text, TopSize size) {
  std::string out;
  std::size_t lines = 0;
  for (auto line : split(text, '\n')) {
    if (++lines > size.lines) break;
    if (lines > 1) out += '\n';
    std::string kept(line);
    while (columns(kept) > size.columns && !kept.contains('\x1b'))
      kept = utf8_prefix(kept, kept.size() - 1);
    out += kept;
  }
  return out;
}

}  // namespace

object top_numbers(const TopView& view) {
  auto& now = view.now;
  auto per_second = [&](std::string_view group, std::string_view name) {
    return rate(number_in(part(view.before, group), name), number_in(part(now, group), name),
                view.seconds);
  };
  auto rates = [&](std::string_view group) {
    object result;
    for (auto& member : part(now, group)) result[member.key()] = per_second(group, member.key());
    return result;
  };
  auto total = [&](std::string_view group) {
    return rate(sum_of(part(view.before, group)), sum_of(part(now, group)), view.seconds);
  };
  auto recent = [&](const object& before, const object& after) {
    auto all = distribution_in(after);
    auto since = all.since(distribution_in(before));
    // Nothing new: what is known from before is better than nothing.
    return since.count > 0 ? since : all;
  };
  auto sync = recent(part(part(view.before, "store"), "sync"), part(part(now, "store"), "sync"));
  auto accept = recent(part(view.before, "accept"), part(now, "accept"));
  object numbers{{"time", json_text(text_in(now, "time"))},
                 {"uptime", number_in(now, "uptime")},
                 {"open", part(now, "open")},
                 {"connections_per_second", total("connections")},
                 {"refused_per_second", total("refused")},
                 {"commands_per_second", rates("commands")},
                 {"messages_per_second", rates("messages")},
                 {"accept_p99", accept.quantile(0.99)},
                 {"deliveries_per_second", rates("deliveries")},
                 {"logins_per_second", rates("logins")},
                 {"queue", part(now, "queue")},
                 {"workers", part(now, "workers")},
                 {"memory", part(now, "memory")},
                 {"log", part(now, "log")},
                 {"accounts", to_json(busiest(view, "accounts"))},
                 {"addresses", to_json(busiest(view, "addresses"))}};
  numbers["store"] = object{{"transactions_per_second", per_second("store", "transactions")},
                            {"batches_per_second", per_second("store", "batches")},
                            {"written_per_second", per_second("store", "written")},
                            {"sync_p50", sync.quantile(0.5)},
                            {"sync_p99", sync.quantile(0.99)},
                            {"journal", number_in(part(now, "store"), "journal")},
                            {"waiting", number_in(part(now, "store"), "waiting")},
                            {"staged", number_in(part(now, "store"), "staged")},
                            {"stall", number_in(part(now, "store"), "stall")}};
  return numbers;
}

std::string top_frame(const TopView& view, const Terminal& terminal, TopSize size) {
  auto language = terminal.language();
  auto all = top_numbers(view);
  auto group = [&](std::string_view name) -> const object& { return part(all, name); };
  auto in = [&](std::string_view group_name, std::string_view name) {
    return number(group(group_name), name);
  };
  auto count = [&](std::string_view group_name, std::string_view name) {
    return grouped(number_in(group(group_name), name));
  };
  double commands = 0;
  for (auto& member : group("commands_per_second"))
    commands += number(group("commands_per_second"), member.key());
  auto duration = [](std::uint64_t value) {
    return format_duration(seconds(static_cast<std::int64_t>(value)));
  };

  auto out = say(language, kHeading, text_in(all, "time"), duration(number_in(all, "uptime")));
  out += '\n';
  out += say(language, kConnections, grouped(sum_of(group("open"))), by_protocol(group("open")),
             short_rate(number(all, "connections_per_second")),
             short_rate(number(all, "refused_per_second")));
  out += say(language, kCommands, short_rate(commands), by_protocol(group("commands_per_second")));
  auto refused = in("messages_per_second", "4yz") + in("messages_per_second", "5yz");
  out +=
      say(language, kMessages, short_rate(in("messages_per_second", "2yz")), short_rate(refused),
          short_rate(in("deliveries_per_second", "delivered")),
          short_rate(in("deliveries_per_second", "deferred")),
          short_rate(in("deliveries_per_second", "failed")), short_time(number(all, "accept_p99")));
  out += say(language, kLogins, short_rate(in("logins_per_second", "ok")),
             short_rate(in("logins_per_second", "failed")),
             short_rate(in("logins_per_second", "throttled")));
  out += say(language, kQueue, count("queue", "waiting"), count("queue", "held"),
             duration(number_in(group("queue"), "oldest")));
  out += say(language, kStore, short_rate(in("store", "transactions_per_second")),
             short_rate(in("store", "batches_per_second")), short_time(in("store", "sync_p50")),
             short_time(in("store", "sync_p99")), shown_bytes(in("store", "journal")),
             shown_bytes(in("store", "written_per_second")), count("store", "waiting"));
  out += say(language, kMemory, shown_bytes(in("memory", "resident")),
             shown_bytes(in("memory", "plan")), count("workers", "busy"),
             count("workers", "threads"), count("workers", "queued"));
  out += say(language, kTrouble, count("log", "error"), count("log", "warn"));
  constexpr std::size_t kFixed = 14;
  auto most = size.lines > kFixed ? (size.lines - kFixed) / 2 : 0;
  append_busiest(out, view, "accounts", kAccounts, terminal, most);
  append_busiest(out, view, "addresses", kAddresses, terminal, most);
  return cut(out, size);
}

}  // namespace hikyaku::app
