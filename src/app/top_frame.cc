#include "app/top_frame.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "app/hung_disk.h"
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
  // Who was not among those told before is new only if all were.
  auto& more = part(view.before, "more");
  auto cut = more.if_contains(kind);
  auto unknown = cut && cut->is_bool() && cut->get_bool();
  std::vector<Busy> all;
  for (auto& [name, row] : rows(view.now)) {
    static const object kNone;
    auto old = before.contains(name) ? before[name] : unknown ? row : &kNone;
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

constexpr Phrase kHeading{"hikyaku top   {}   up {}   q: quit",
                          "hikyaku top   {}   稼働 {}   q: 終了"};

// A line's first word and its parts, set apart by |: where they do not fit beside each other, a
// part goes below.
constexpr Phrase kConnections{"connections|{} open{}|{}/s new, {}/s refused",
                              "接続|{} 件{}|新規 {}/秒、拒否 {}/秒"};
constexpr Phrase kCommands{"commands|{}/s{}", "コマンド|{}/秒{}"};
constexpr Phrase kRecipients{"recipients|{}/s taken, {}/s refused", "宛先|受付 {}/秒、拒否 {}/秒"};
constexpr Phrase kMessages{
    "messages|in {}/s, refused {}/s|out {}/s, deferred {}/s, failed {}/s|accept p99 {}",
    "メッセージ|受信 {}/秒、拒否 {}/秒|送信 {}/秒、延期 {}/秒、失敗 {}/秒|受付 p99 {}"};
constexpr Phrase kLogins{"logins|{}/s, failed {}/s, throttled {}/s",
                         "ログイン|{}/秒、失敗 {}/秒、抑制 {}/秒"};
constexpr Phrase kQueue{"queue|{} waiting, {} held, oldest {}", "キュー|待機 {}、保留 {}、最古 {}"};
constexpr Phrase kStore{
    "store|{} tx/s in {} syncs/s, sync p50 {} p99 {}|journal {}, {}/s|waiting {}",
    "保管庫|{} tx/秒、同期 {} 回/秒、p50 {} p99 {}|ジャーナル {}、{}/秒|待ち {}"};
constexpr Phrase kHungDisk{
    "disk|a write has gone on for {}|the disk hangs or is much too slow: see dmesg",
    "ディスク|書き込みが {} 終わりません|ディスクが応答しないか遅すぎます: dmesg を確認"};
constexpr Phrase kDamaged{
    "damaged|journal segments lost: {}|messages that cannot be read: {}|damaged records: "
    "{}|hikyaku "
    "verify",
    "破損|失われたジャーナルのセグメント {}|読めないメッセージ {}|壊れた記録 {}|hikyaku verify"};
constexpr Phrase kIndexDamaged{
    "damaged|a part of the index cannot be read|restart the server: it is made again",
    "破損|索引の一部が読めません|サーバーを再起動すると作り直します"};
constexpr Phrase kMemory{"memory|{} of {} planned|workers {}/{} busy, {} queued",
                         "メモリ|{} / 予定 {}|ワーカー {}/{} 稼働、待ち {}"};
constexpr Phrase kTrouble{"log|errors {}, warnings {} since the start",
                          "ログ|起動以来 エラー {}、警告 {}"};
constexpr Phrase kAccounts{"busiest accounts", "活発なアカウント"};
constexpr Phrase kAddresses{"busiest addresses", "活発なアドレス"};
constexpr Counted kSessions{"{} session", "{} sessions", "{} セッション"};
constexpr Phrase kBusyRow{"{}, {} commands/s, {}/s", "{}、{} コマンド/秒、{}/秒"};

std::string shown_count(double count) {
  return grouped(static_cast<std::uint64_t>(count));
}

/// " (imap 3, smtp 1)": those that are not 0, largest first; "" when all are.
std::string by_protocol(const object& values, std::string (*shown)(double)) {
  std::vector<std::pair<double, std::string>> rows;
  for (auto& member : values)
    if (auto value = number(values, member.key()); value > 0)
      rows.emplace_back(value, member.key());
  std::ranges::sort(rows, std::greater());
  std::vector<std::string> words;
  for (auto& [value, name] : rows) words.push_back(fmt::format("{} {}", name, shown(value)));
  return words.empty() ? "" : " (" + join(words, ", ") + ")";
}

/// The parts of `line` in as few lines as `width` allows, below each other.
std::string laid_out(std::string_view line, std::size_t width) {
  constexpr std::size_t kIndent = 13;
  constexpr std::string_view kBetween = "   ";
  auto bar = line.find('|');
  auto row = padded(line.substr(0, bar), kIndent);
  auto used = kIndent;
  std::string out;
  for (auto part : split(line.substr(bar + 1), '|')) {
    auto first = used == kIndent;
    if (!first && used + kBetween.size() + columns(part) > width) {
      out += row + '\n';
      row = std::string(kIndent, ' ');
      used = kIndent;
      first = true;
    }
    if (!first) row += kBetween;
    used = columns(row);
    if (used + columns(part) <= width || width < 2 * kIndent) {
      row += part;
    } else {
      auto lines = wrapped(part, kIndent, width);
      row += std::string_view(lines).substr(kIndent, lines.size() - kIndent - 1);
    }
    used = columns(std::string_view(row).substr(row.rfind('\n') + 1));
  }
  return out + row + '\n';
}

std::string shown_bytes(double bytes) {
  return short_size(static_cast<std::uint64_t>(bytes));
}

void append_busiest(std::string& out, const TopView& view, std::string_view kind,
                    const Phrase& heading, const Terminal& terminal, TopSize size) {
  auto rows = busiest(view, kind);
  if (rows.empty() || size.lines < 2) return;
  auto language = terminal.language();
  out += '\n' + terminal.toned(Tone::Strong, heading.in(language)) + '\n';
  for (std::size_t i = 0; i < std::min(rows.size(), size.lines); ++i) {
    auto& row = rows[i];
    auto what = say(language, kBusyRow, counted(language, kSessions, row.sessions),
                    short_rate(row.commands), shown_bytes(row.bytes));
    // A long name gives way to the numbers.
    constexpr std::size_t kName = 40, kLeastName = 12;
    auto beside = columns(what) + 3;
    auto room = size.columns > beside ? size.columns - beside : 0;
    room = std::clamp(room, kLeastName, kName);
    auto name = printable(row.name, 100);
    if (columns(name) > room) {
      while (columns(name) + 1 > room) name = utf8_prefix(name, name.size() - 1);
      name += "…";
    }
    out += "  " + padded(name, room) + ' ' + what + '\n';
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
                 {"recipients_per_second", rates("recipients")},
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
                            {"write_under_way", number_in(part(now, "store"), "write_under_way")},
                            {"staged", number_in(part(now, "store"), "staged")},
                            {"stall", number_in(part(now, "store"), "stall")},
                            {"lost_segments", number_in(part(now, "store"), "lost_segments")},
                            {"unreadable", number_in(part(now, "store"), "unreadable")},
                            {"damaged_records", number_in(part(now, "store"), "damaged_records")},
                            {"index_damaged", number_in(part(now, "store"), "index_damaged")}};
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
  out += "\n\n";
  auto line = [&](const Phrase& phrase, const auto&... values) {
    out += laid_out(fmt::format(fmt::runtime(phrase.in(language)), values...), size.columns);
  };
  line(kConnections, grouped(sum_of(group("open"))), by_protocol(group("open"), shown_count),
       short_rate(number(all, "connections_per_second")),
       short_rate(number(all, "refused_per_second")));
  line(kCommands, short_rate(commands), by_protocol(group("commands_per_second"), short_rate));
  auto refused = [&](const char* what) { return in(what, "4yz") + in(what, "5yz"); };
  line(kRecipients, short_rate(in("recipients_per_second", "2yz")),
       short_rate(refused("recipients_per_second")));
  line(kMessages, short_rate(in("messages_per_second", "2yz")),
       short_rate(refused("messages_per_second")),
       short_rate(in("deliveries_per_second", "delivered")),
       short_rate(in("deliveries_per_second", "deferred")),
       short_rate(in("deliveries_per_second", "failed")), short_time(number(all, "accept_p99")));
  line(kLogins, short_rate(in("logins_per_second", "ok")),
       short_rate(in("logins_per_second", "failed")),
       short_rate(in("logins_per_second", "throttled")));
  line(kQueue, count("queue", "waiting"), count("queue", "held"),
       duration(number_in(group("queue"), "oldest")));
  line(kStore, short_rate(in("store", "transactions_per_second")),
       short_rate(in("store", "batches_per_second")), short_time(in("store", "sync_p50")),
       short_time(in("store", "sync_p99")), shown_bytes(in("store", "journal")),
       shown_bytes(in("store", "written_per_second")), count("store", "waiting"));
  if (auto age = number_in(group("store"), "write_under_way"); age >= kLongWrite.count())
    line(kHungDisk, duration(age));
  auto damaged = [&](const char* name) { return number_in(group("store"), name); };
  if (damaged("lost_segments") + damaged("unreadable") + damaged("damaged_records") != 0)
    line(kDamaged, count("store", "lost_segments"), count("store", "unreadable"),
         count("store", "damaged_records"));
  if (number_in(group("store"), "index_damaged") != 0) line(kIndexDamaged);
  line(kMemory, shown_bytes(in("memory", "resident")), shown_bytes(in("memory", "plan")),
       count("workers", "busy"), count("workers", "threads"), count("workers", "queued"));
  line(kTrouble, count("log", "error"), count("log", "warn"));
  // Both lists have an empty line and a heading.
  auto used = static_cast<std::size_t>(std::ranges::count(out, '\n')) + 4;
  TopSize left{size.columns, size.lines > used ? (size.lines - used) / 2 : 0};
  append_busiest(out, view, "accounts", kAccounts, terminal, left);
  append_busiest(out, view, "addresses", kAddresses, terminal, left);
  return cut(out, size);
}

}  // namespace hikyaku::app
