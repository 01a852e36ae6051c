#include <doctest/doctest.h>
#include <thread>

#include "base/async.h"
#include "base/base64.h"
#include "base/cancellation.h"
#include "base/codec.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/phrase.h"
#include "base/result.h"
#include "base/rounds.h"
#include "base/text.h"
#include "base/time.h"
#include "testing/test_loop.h"

namespace hikyaku {
namespace {

using testing::TestLoop;

Task<int> answer() {
  co_return 42;
}
Task<int> twice() {
  co_return co_await answer() + co_await answer();
}
Task<int> throws() {
  throw std::runtime_error("no");
  co_return 0;
}
Task<int> count_down(int n) {
  co_return n == 0 ? 0 : 1 + co_await count_down(n - 1);
}
Task<long> many() {
  long sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += co_await answer();
  co_return sum;
}
Result<int> half(int n) {
  if (n % 2) return fail(ErrorCode::Invalid, "{} is odd", n);
  return n / 2;
}
Result<int> quarter(int n) {
  TRY(auto first, half(n));
  TRY(auto second, half(first));
  return second;
}

Task<int> after(milliseconds delay, int value, bool& destroyed) {
  struct Told {
    bool& destroyed;
    ~Told() { destroyed = true; }
  } told{destroyed};
  co_await sleep_for(delay);
  if (value < 0) throw std::runtime_error("no");
  co_return value;
}
Task<void> cancel_after(Cancellation& cancellation, milliseconds delay) {
  co_await sleep_for(delay);
  cancellation.cancel();
}

class Threads final : public WorkerPool {
 public:
  ~Threads() override {
    for (auto& t : threads_) t.join();
  }
  void submit(Callback work) override { threads_.emplace_back(std::move(work)); }

 private:
  std::vector<std::thread> threads_;
};

TEST_CASE("what is cancelled ends at once, and everything of it is destroyed") {
  struct Case {
    milliseconds takes, cancelled_after;
    int value;
    std::optional<int> gives;
  };
  for (auto& c : {Case{milliseconds(10), milliseconds(20), 42, 42},
                  Case{milliseconds(20), milliseconds(10), 42, std::nullopt},
                  Case{milliseconds(20), milliseconds(10), -1, std::nullopt},
                  Case{milliseconds(0), milliseconds(10), 7, 7}}) {
    TestLoop loop;
    Cancellation cancellation;
    Gate gate{end_process};
    bool destroyed = false;
    gate.spawn(cancel_after(cancellation, c.cancelled_after));
    auto begin = loop.now();
    CHECK(loop.run(unless_cancelled(cancellation, after(c.takes, c.value, destroyed))) == c.gives);
    CHECK(destroyed);
    CHECK(loop.now() - begin <= std::min(c.takes, c.cancelled_after) + milliseconds(1));
    loop.run(sleep_for(milliseconds(30)));
    // From now on nothing begins any more.
    destroyed = false;
    CHECK(!loop.run(unless_cancelled(cancellation, after(c.takes, c.value, destroyed))));
    CHECK(!destroyed);
  }
  TestLoop loop;
  Cancellation cancellation;
  bool destroyed = false;
  CHECK_THROWS(loop.run(unless_cancelled(cancellation, after(milliseconds(1), -1, destroyed))));
  CHECK(loop.run(unless_cancelled(cancellation, answer())) == 42);  // without any wait
}

TEST_CASE("tasks give values, rethrow, and nest without using up the stack") {
  TestLoop loop;
  CHECK(loop.run(twice()) == 84);
  CHECK_THROWS_WITH(loop.run(throws()), "no");
  CHECK(loop.run(count_down(1000)) == 1000);
  CHECK(loop.run(many()) == 4'200'000);
}

TEST_CASE("a coroutine comes back to its own loop from a worker") {
  TestLoop loop;
  Threads pool;
  auto here = std::this_thread::get_id();
  auto [worker, after] =
      loop.run([](WorkerPool& p) -> Task<std::pair<std::thread::id, std::thread::id>> {
        auto there = co_await run_on(p, [] { return std::this_thread::get_id(); });
        co_return {there, std::this_thread::get_id()};
      }(pool));
  CHECK(worker != here);
  CHECK(after == here);
}

TEST_CASE("timers fire in order and time jumps to them") {
  TestLoop loop;
  auto before = loop.now();
  loop.run([]() -> Task<void> { co_await sleep_for(std::chrono::hours(5)); }());
  CHECK(loop.now() - before >= std::chrono::hours(5));
}

TEST_CASE("a gate counts its tasks and tells when the last has ended") {
  TestLoop loop;
  Gate gate{end_process};
  bool ended = false;
  gate.spawn([]() -> Task<void> { co_await yield_now(); }());
  CHECK(gate.running() == 1);
  gate.close([&] { ended = true; });
  CHECK(!ended);
  CHECK(!gate.spawn([]() -> Task<void> { co_return; }()));
  loop.run_ready();
  CHECK(ended);
}

TEST_CASE("errors carry their code and their causes") {
  CHECK(quarter(8).value() == 2);
  auto odd = quarter(6);
  REQUIRE(!odd);
  CHECK(odd.error().text == "3 is odd");
  auto wrapped = [&]() -> Result<> { return wrap(odd.error(), "cannot quarter {}", 6); }();
  CHECK(wrapped.error().describe() == "cannot quarter 6: 3 is odd");
  CHECK(wrapped.error().code == ErrorCode::Invalid);
  CHECK(errno_error("open x", ENOENT).code == ErrorCode::NotFound);
  // A full quota and a limit of file sizes are what a full disk is: mail waits, the server goes on.
  for (int number : {ENOSPC, EDQUOT, EFBIG})
    CHECK(errno_error("write x", number).code == ErrorCode::NoSpace);
}

TEST_CASE("base64 is strict") {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    CHECK(base64_decode(base64_encode(text)) == text);
  CHECK(base64_encode("foob") == "Zm9vYg==");
  CHECK(base64_decode("\xff") == std::nullopt);
  CHECK(base64_decode("Zm9vYg=") == std::nullopt);   // padding too short
  CHECK(base64_decode("Zm9vYh==") == std::nullopt);  // left-over bits
  CHECK(base64_decode("Zm9 Yg==") == std::nullopt);  // space inside
  CHECK(base64_decode("=") == std::nullopt);
  CHECK(base64url_encode("\xfb\xff") == "-_8");
}

TEST_CASE("times") {
  auto time = parse_rfc3339("2026-11-21T22:44:10.5+09:00");
  REQUIRE(time);
  CHECK(format_rfc3339(*time) == "2026-11-21T13:44:10.500Z");
  CHECK(parse_rfc3339("2026-02-29") == std::nullopt);
  CHECK(parse_rfc3339("2026-11-21T25:00:00Z") == std::nullopt);
  CHECK(parse_rfc3339("2026-11-21T22:44:10") == std::nullopt);
  CHECK(parse_duration("1h30m") == std::chrono::minutes(90));
  CHECK(parse_duration("500ms") == milliseconds(500));
  CHECK(parse_duration("5") == std::nullopt);
  CHECK(parse_duration("5x") == std::nullopt);
  CHECK(parse_duration("999999999999w") == std::nullopt);
  CHECK(format_duration(std::chrono::hours(5 * 24)) == "5d");
  CHECK(format_duration(milliseconds(0)) == "0s");
}

TEST_CASE("text") {
  CHECK(iequals("MAIL", "mail"));
  CHECK(!iequals("MAIL", "mai"));
  CHECK(split("a,,b", ',').size() == 3);
  CHECK(parse_decimal("18446744073709551615") == UINT64_MAX);
  CHECK(parse_decimal("18446744073709551616") == std::nullopt);
  CHECK(parse_decimal("65536", 65535) == std::nullopt);
  CHECK(parse_decimal("-1") == std::nullopt);
  CHECK(parse_decimal("") == std::nullopt);
  CHECK(parse_decimal("9", 5) == std::nullopt);
  CHECK(is_utf8("飛脚"));
  CHECK(!is_utf8("\xC0\xAF"));          // overlong
  CHECK(!is_utf8("\xED\xA0\x80"));      // surrogate
  CHECK(!is_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  CHECK(to_valid_utf8("a\xffz") == "a\xEF\xBF\xBDz");
  CHECK(utf8_prefix("飛脚", 4) == "飛");
  CHECK(printable("a\r\n\x1b[31m\xff") == "a\\r\\n\\x1b[31m\\xff");
  // What reverses, hides or moves text: U+202E, U+2066, U+009B (CSI), U+2028, U+E0041.
  CHECK(printable("a\u202egpj.exe") == "a\\u{202e}gpj.exe");
  CHECK(printable("\u2066\u2069\u200f") == "\\u{2066}\\u{2069}\\u{200f}");
  CHECK(printable("\xC2\x9B"
                  "31m\u2028\U000E0041") == "\\u{9b}31m\\u{2028}\\u{e0041}");
  CHECK(printable("日本語 é עברית 👩\u200d💻") == "日本語 é עברית 👩\u200d💻");
  CHECK(from_hex(to_hex("\x01\xfe")) == "\x01\xfe");
  CHECK(from_hex("0") == std::nullopt);
  CHECK(ifind("Hello World", "WORLD") == 6);
  CHECK(ifind("Hello", "x") == std::string_view::npos);
}

TEST_CASE("line ends") {
  struct Case {
    std::string_view text, kept, ended;  ///< a bare CR stays, or ends a line
  };
  for (auto& c :
       {Case{"", "", ""}, Case{"a", "a", "a"}, Case{"a\n", "a\r\n", "a\r\n"},
        Case{"\n\n", "\r\n\r\n", "\r\n\r\n"}, Case{"a\r\nb\n", "a\r\nb\r\n", "a\r\nb\r\n"},
        Case{"a\rb\r", "a\rb\r", "a\r\nb\r\n"}, Case{"\r\r\n", "\r\r\n", "\r\n\r\n"},
        Case{"\n\r", "\r\n\r", "\r\n\r\n"}}) {
    CAPTURE(c.text);
    CHECK(with_crlf(c.text) == c.kept);
    CHECK(with_crlf(c.text, LoneCr::EndsLine) == c.ended);
  }
}

TEST_CASE("addresses") {
  CHECK(IpAddress::parse("::ffff:192.0.2.1")->to_string() == "192.0.2.1");
  CHECK(IpAddress::parse("2001:DB8:0:0::1")->to_literal() == "[IPv6:2001:db8::1]");
  CHECK(IpAddress::parse("192.0.2.1")->reverse_name() == "1.2.0.192.in-addr.arpa");
  CHECK(IpAddress::parse("192.0.02.1") == std::nullopt);
  CHECK(IpAddress::parse("1.2.3") == std::nullopt);
  CHECK(IpAddress::parse("192.0.2.200")->in_network(*IpAddress::parse("192.0.2.128"), 25));
  CHECK(!IpAddress::parse("192.0.2.100")->in_network(*IpAddress::parse("192.0.2.128"), 25));
  CHECK(IpAddress::parse("2001:db8::1")->in_network(*IpAddress::parse("2001:db8::"), 32));
  CHECK(!IpAddress::parse("::1")->in_network(*IpAddress::parse("0.0.0.0"), 0));
  CHECK(IpAddress::parse("127.3.4.5")->is_loopback());
  CHECK(Endpoint::parse("[::1]:25")->to_string() == "[::1]:25");
  CHECK(Endpoint::parse("127.0.0.1:99999") == std::nullopt);
  CHECK(Endpoint::parse("::1:25") == std::nullopt);
}

TEST_CASE("stored values come back, and broken ones fail") {
  Encoder out;
  out.varint(300);
  out.svarint(-5);
  out.text("hello");
  out.u64_be(7);
  Decoder in(out.bytes());
  CHECK(in.varint() == 300);
  CHECK(in.svarint() == -5);
  CHECK(in.text() == "hello");
  CHECK(in.u64_be() == 7);
  CHECK(in.at_end());
  CHECK(!in.failed());
  CHECK(in.u8() == 0);
  CHECK(in.failed());
  for (std::size_t cut = 0; cut < out.bytes().size(); ++cut) {
    Decoder broken(std::string_view(out.bytes()).substr(0, cut));
    broken.varint();
    broken.svarint();
    broken.text();
    broken.u64_be();
    CHECK(broken.failed());
  }
  Decoder overlong("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
  overlong.varint();
  CHECK(overlong.failed());
}

TEST_CASE("log lines quote what needs it and inherit fields") {
  struct Lines final : LogSink {
    void write(LogLevel, std::string_view line) override { last = line; }
    std::string last;
  } lines;
  Log log(lines, LogLevel::Info);
  auto child = log.with({{"cid", 7}, {"ip", "192.0.2.1"}});
  child.info("smtp.accept", {{"from", "a b\"c"}, {"size", 12}});
  CHECK(lines.last == "event=smtp.accept cid=7 ip=192.0.2.1 from=\"a b\\\"c\" size=12");
  child.debug("smtp.other");
  CHECK(lines.last.starts_with("event=smtp.accept"));
}

Task<void> fails(std::string why) {
  co_await yield_now();
  throw std::runtime_error(why);
}

TEST_CASE("a round that throws is told, not every time, and the loop goes on") {
  struct Lines final : LogSink {
    void write(LogLevel, std::string_view line) override { all.emplace_back(line); }
    std::vector<std::string> all;
  } lines;
  TestLoop loop;
  Rounds rounds(Log(lines, LogLevel::Info), "a test", milliseconds(500));
  CHECK(loop.run(rounds.run(answer(), 7)) == 42);
  CHECK(loop.run(rounds.run(throws(), 7)) == 7);
  CHECK_FALSE(loop.run(rounds.run(fails("again"))));
  CHECK_FALSE(loop.run(rounds.run(fails("and again"))));
  CHECK(loop.run(rounds.run([]() -> Task<void> { co_return; }())));
  CHECK(lines.all == std::vector<std::string>{"event=work.fail what=\"a test\" untold=0 err=no"});
  std::this_thread::sleep_for(milliseconds(510));
  // As the outermost of a task that nobody waits for.
  Gate gate([&](std::exception_ptr error) { rounds.tell(error); });
  gate.spawn(fails("later"));
  loop.run_ready();
  CHECK(gate.running() == 0);
  CHECK(lines.all.size() == 2);
  CHECK(lines.all.back() == "event=work.fail what=\"a test\" untold=2 err=later");
}

TEST_CASE("languages") {
  CHECK(language_of("ja_JP.UTF-8") == Language::Japanese);
  CHECK(language_of("jam") == Language::English);
  CHECK(language_of("C") == Language::English);
  CHECK(say(Language::Japanese, Phrase{"{} from {}", "{1}からの{0}"}, "mail", "a") ==
        "aからのmail");
}

}  // namespace
TEST_CASE("phrases: words that depend on a number have two forms") {
  constexpr Phrase kBack{"{} [message|messages] of {} [is|are] back, {} [was|were] there",
                         "{1} の {0} 通、すでに {2} 通"};
  CHECK(say(Language::English, kBack, "1", "a@b", 0) == "1 message of a@b is back, 0 were there");
  CHECK(say(Language::English, kBack, "1,234", "a@b", 1) ==
        "1,234 messages of a@b are back, 1 was there");
  CHECK(say(Language::Japanese, kBack, 1, "a@b", 2) == "a@b の 1 通、すでに 2 通");
  // What strangers write is no form, nor is a bracket without a bar.
  CHECK(say(Language::English, kBack, std::string("[a|b]"), "1 x", std::uint64_t{2}) ==
        "[a|b] messages of 1 x are back, 2 were there");
  constexpr Phrase kOther{"[y/N] {1} [x|xs] {0} [y|ys] | [ {{}}", ""};
  CHECK(say(Language::English, kOther, 1, 2) == "[y/N] 2 xs 1 y | [ {}");
}

}  // namespace hikyaku
