// Health, the frame of top, the journal's datagrams: what watches a server, without one.
#include <doctest/doctest.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "app/health.h"
#include "app/log_journal.h"
#include "app/text_width.h"
#include "app/top_frame.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;

HealthFacts healthy() {
  HealthFacts facts;
  facts.free_bytes = 10 << 20;
  facts.reserve = 1 << 20;
  facts.now = Time(1'800'000'000'000ms);
  facts.certificate_end = facts.now + 30 * 24h;
  return facts;
}

/// The status of a response and the names of what is not well.
std::string judged(const HealthFacts& facts) {
  auto checks = check_health(facts);
  auto text = std::to_string(health_response(checks).status);
  for (auto& check : checks)
    if (check.state != HealthCheck::State::Ok) text += " " + std::string(check.name);
  return text;
}

TEST_CASE("health: each thing that can be wrong") {
  CHECK(judged(healthy()) == "200");
  auto with = [](auto change) {
    auto facts = healthy();
    change(facts);
    return judged(facts);
  };
  CHECK(with([](auto& f) { f.store.read_only = "segment 3"; }) == "503 store");
  CHECK(with([](auto& f) {
          f.store.lost_segments = 1;
          f.store.lost_segment = "journal segment 3 is missing";
        }) == "200 store");
  CHECK(with([](auto& f) { f.store.unreadable_bodies = 2; }) == "200 store");
  CHECK(with([](auto& f) {
          f.store.damaged_records = 1;
          f.store.damaged_record = "journal segment 3, byte 4096: no group header";
        }) == "200 store");
  CHECK(with([](auto& f) { f.store.index_damage = "a block"; }) == "200 store");
  CHECK(with([](auto& f) { f.store.index_stall = 1; }) == "200 store");
  CHECK(with([](auto& f) { f.store.index_stall = 2; }) == "503 store");
  CHECK(with([](auto& f) { f.store.write_under_way = 4'999ms; }) == "200");
  CHECK(with([](auto& f) { f.store.write_under_way = 5s; }) == "200 store");
  CHECK(with([](auto& f) { f.store.write_under_way = 29'999ms; }) == "200 store");
  CHECK(with([](auto& f) { f.store.write_under_way = 30s; }) == "503 store");
  CHECK(with([](auto& f) {
          f.store.write_under_way = 30s;
          f.store.unreadable_bodies = 2;
        }) == "503 store");
  CHECK(with([](auto& f) { f.confined = false; }) == "200 confined");
  CHECK(with([](auto& f) { f.free_bytes = f.reserve - 1; }) == "503 disk");
  CHECK(with([](auto& f) { f.free_bytes = f.reserve + 1; }) == "200 disk");
  CHECK(with([](auto& f) { f.no_inodes = true; }) == "200 disk");
  CHECK(with([](auto& f) { f.watch.overdue = 15min; }) == "503 queue");
  CHECK(with([](auto& f) { f.watch.overdue = 14min; }) == "200");
  CHECK(with([](auto& f) { f.watch.held = 1; }) == "200 queue");
  CHECK(with([](auto& f) { f.certificate_end = f.now; }) == "503 certificate");
  CHECK(with([](auto& f) { f.certificate_end = f.now + 6 * 24h; }) == "200 certificate");
  CHECK(with([](auto& f) { f.certificate_end.reset(); }) == "200 certificate");
  CHECK(with([](auto& f) { f.watch.resolver_problem = "no answer"; }) == "503 resolver");
}

TEST_CASE("health: the answer") {
  auto facts = healthy();
  facts.watch.resolver_problem = "say \"x\"";
  auto body = health_response(check_health(facts)).body;
  CHECK(body.starts_with(R"({"status":"failing","checks":[{"name":"store","status":"ok"},)"));
  CHECK(body.ends_with(
      R"({"name":"resolver","status":"failing","text":"say \"x\""},{"name":"confined","status":"ok"}]})"
      "\n"));
}

boost::json::object stats(std::uint64_t factor) {
  using boost::json::object;
  object sync{{"bounds", {0.001, 0.002, 0.004}},
              {"counts", {90 * factor, 9 * factor, factor, 0}},
              {"sum", 1},
              {"count", 100 * factor}};
  return {{"time", "2026-11-22T03:00:00.000Z"},
          {"uptime", 3600},
          {"open", {{"imap", 3}, {"smtp", 0}}},
          {"connections", {{"imap", 10 * factor}, {"smtp", 10 * factor}}},
          {"commands", {{"imap", 1000 * factor}}},
          {"recipients", {{"2yz", 20 * factor}, {"4yz", 2 * factor}, {"5yz", 600 * factor}}},
          {"messages", {{"2yz", 40 * factor}, {"4yz", 0}, {"5yz", 2 * factor}}},
          {"queue", {{"waiting", 7}, {"held", 1}, {"oldest", 60}}},
          {"store", {{"transactions", 100 * factor}, {"batches", 10 * factor}, {"sync", sync}}},
          {"memory", {{"resident", 100 << 20}, {"plan", 400 << 20}}},
          {"accounts",
           {{{"name", "calm@a.test"}, {"sessions", 1}, {"commands", 5}},
            {{"name", "busy\x1b[2J@a.test"}, {"sessions", 2}, {"commands", 60 * factor}}}}};
}

TEST_CASE("top: rates come from two looks") {
  auto numbers = top_numbers({stats(1), stats(3), 2});
  CHECK(numbers.at("connections_per_second").to_number<double>() == 20);
  CHECK(numbers.at("messages_per_second").at("2yz").to_number<double>() == 40);
  CHECK(numbers.at("store").at("sync_p50").to_number<double>() == 0.001);
  CHECK(numbers.at("store").at("sync_p99").to_number<double>() == 0.002);
  CHECK(numbers.at("accounts").at(0).at("commands").to_number<double>() == 60);
  // Who is not among the busiest before, when not all were told, may have done all of it earlier.
  auto before = stats(1);
  before["accounts"].as_array().pop_back();
  CHECK(top_numbers({before, stats(3), 2}).at("accounts").at(0).at("commands") == 90.0);
  before["more"] = {{"accounts", true}};
  CHECK(top_numbers({before, stats(3), 2}).at("accounts").at(0).at("commands") == 0.0);
  // A server that was started anew in between has smaller numbers.
  CHECK(top_numbers({stats(3), stats(1), 2}).at("connections_per_second").to_number<double>() == 0);
  CHECK(top_numbers({{}, {}, 0}).contains("store"));
}

TEST_CASE("top: the frame fits, and shows nothing that moves a cursor") {
  Terminal terminal([](auto) { return true; }, [](auto) { return true; }, {});
  for (TopSize size : {TopSize{80, 24}, TopSize{40, 10}, TopSize{200, 60}}) {
    auto frame = top_frame({stats(1), stats(3), 2}, terminal, size);
    auto lines = split(frame, '\n');
    CHECK(lines.size() <= size.lines);
    for (auto line : lines) CHECK(line.size() <= size.columns + 40);
    CHECK_FALSE(frame.contains('\x1b'));
  }
  auto frame = top_frame({stats(1), stats(3), 2}, terminal, {200, 60});
  CHECK(frame.contains("connections  3 open (imap 3)   20/s new"));
  CHECK(frame.contains("1,000/s (imap 1,000)"));
  CHECK(frame.contains("20/s taken, 602/s refused"));
  CHECK(frame.find("busy") < frame.find("calm"));
}

TEST_CASE("top: damaged records are shown, also when nothing else is damaged") {
  Terminal terminal([](auto) { return true; }, [](auto) { return true; }, {});
  auto damaged = stats(3);
  damaged["store"].as_object()["damaged_records"] = 4'321;
  TopView view{stats(1), damaged, 2};
  CHECK(top_numbers(view).at("store").at("damaged_records") == 4'321);
  CHECK(top_frame(view, terminal, {200, 60}).contains("4,321"));
}

TEST_CASE("top: a disk that hangs is shown while it does") {
  for (auto language : {Language::English, Language::Japanese}) {
    Terminal terminal([](auto) { return true; }, [](auto) { return true; }, {.language = language});
    auto shown = [&](std::uint64_t age) {
      auto hung = stats(3);
      hung["store"].as_object()["write_under_way"] = age;
      TopView view{stats(1), hung, 2};
      CHECK(top_numbers(view).at("store").at("write_under_way") == age);
      return top_frame(view, terminal, {200, 60}).contains("dmesg");
    };
    CHECK_FALSE(shown(4));
    CHECK(shown(5));
  }
}

TEST_CASE("top: 80 columns are enough for all there is to say") {
  auto busy = [](std::uint64_t factor) {
    auto all = stats(factor);
    for (auto protocol : {"imap", "imaps", "pop3", "pop3s", "smtp", "submission", "submissions"}) {
      all["open"].as_object()[protocol] = 12'345;
      all["commands"].as_object()[protocol] = 123'456 * factor;
    }
    all["messages"] = {{"2yz", 2468 * factor}, {"4yz", 2468 * factor}};
    all["deliveries"] = {
        {"delivered", 2468 * factor}, {"deferred", 2468 * factor}, {"failed", 2468 * factor}};
    all["accept"] = {{"bounds", {0.1, 0.2}}, {"counts", {1, 9, 0}}, {"count", 10}};
    auto& store = all["store"].as_object();
    store["journal"] = 999ull << 30;
    store["written"] = (999ull << 20) * factor;
    store["waiting"] = 1234;
    store["write_under_way"] = 123'456;
    all["accounts"].as_array()[0].as_object()["name"] = std::string(90, 'a') + "@example.org";
    return all;
  };
  for (auto language : {Language::English, Language::Japanese}) {
    Terminal terminal([](auto) { return true; }, [](auto) { return true; }, {.language = language});
    auto frame = top_frame({busy(1), busy(3), 2}, terminal, {80, 40});
    // As wide as it likes: nothing is cut there, and nothing is missing in the narrow one.
    auto words = [](std::string_view text) {
      std::string all;
      for (char c : text)
        if (c != ' ' && c != '\n') all += c;
      return all.substr(0, all.find("aaaa"));
    };
    CHECK(words(frame) == words(top_frame({busy(1), busy(3), 2}, terminal, {400, 40})));
    for (auto line : split(frame, '\n')) CHECK(columns(line) <= 80);
    CHECK(frame.contains("999 GB"));
    CHECK(frame.contains("1,234"));
    CHECK(frame.contains("aaa… "));
  }
}

TEST_CASE("journal: a line as a datagram") {
  CHECK(journal_entry(LogLevel::Warn, R"(event=login.fail user=a@b why="no \"such\" user" ms=7)") ==
        "MESSAGE=event=login.fail user=a@b why=\"no \\\"such\\\" user\" ms=7\n"
        "PRIORITY=4\nSYSLOG_IDENTIFIER=hikyaku\n"
        "HIKYAKU_EVENT=login.fail\nHIKYAKU_USER=a@b\nHIKYAKU_WHY=no \"such\" user\nHIKYAKU_MS=7\n");
}

struct Lines final : LogSink {
  std::vector<std::string> seen;
  void write(LogLevel, std::string_view line) override { seen.emplace_back(line); }
};

TEST_CASE("journal: written where $JOURNAL_STREAM says so, elsewhere while nobody listens there") {
  struct stat info{};
  REQUIRE(::fstat(STDERR_FILENO, &info) == 0);
  auto here = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  CHECK(is_journal_stream(here, STDERR_FILENO));
  CHECK_FALSE(is_journal_stream("1:1", STDERR_FILENO));
  CHECK_FALSE(is_journal_stream("", STDERR_FILENO));

  auto path =
      (std::filesystem::temp_directory_path() / ("hikyaku-journal-" + std::to_string(::getpid())))
          .string();
  Lines lines;
  ::setenv("JOURNAL_STREAM", here.c_str(), 1);
  CHECK_FALSE(JournalSink::open(lines, {}, path));  // there is no journal

  net::UniqueFd journal(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(journal.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  auto sink = JournalSink::open(lines, {}, path);
  REQUIRE(sink);
  sink->write(LogLevel::Info, "event=x");
  char buffer[1000];
  auto got = ::recv(journal.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  REQUIRE(got > 0);
  CHECK(std::string_view(buffer, static_cast<std::size_t>(got)).ends_with("HIKYAKU_EVENT=x\n"));
  CHECK(lines.seen.empty());

  journal = {};
  sink->write(LogLevel::Info, "event=y");
  CHECK(lines.seen == std::vector<std::string>{"event=y"});
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  CHECK_FALSE(JournalSink::open(lines, {}, path));
  ::unsetenv("JOURNAL_STREAM");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace hikyaku::app
