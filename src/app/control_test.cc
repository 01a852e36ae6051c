#include "app/control.h"

#include <atomic>
#include <doctest/doctest.h>
#include <future>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "app/cli.h"
#include "app/control_io.h"
#include "app/error_phrases.h"
#include "base/async.h"
#include "base/base64.h"
#include "base/gate.h"
#include "net/connect.h"
#include "net/cores.h"
#include "net/fd.h"
#include "net/listener.h"
#include "store/index_error.h"
#include "testing/test_loop.h"

using namespace hikyaku;
using namespace hikyaku::app;
using boost::json::object;

namespace {

Task<Result<object>> greet(ControlCall& call) {
  CO_TRY(auto name, call.needed_text("name"));
  CO_TRY(auto count, call.number("count", 1));
  CO_TRY(auto loud, call.flag("loud"));
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await call.progress({i, count, "greeting"});
    object row{{"i", i}};
    co_await call.item(std::move(row));
  }
  co_return object{{"text", "hello " + name + (loud ? "!" : "")}};
}

Task<Result<object>> count_data(ControlCall& call) {
  std::uint64_t bytes = 0, sum = 0;
  while (true) {
    CO_TRY(auto piece, co_await call.data());
    if (!piece) break;
    bytes += piece->size();
    for (auto c : *piece) sum += static_cast<unsigned char>(c);
  }
  co_return object{{"bytes", bytes}, {"sum", sum}};
}

Task<Result<object>> refuse_data(ControlCall& call) {
  CO_TRY_DO(co_await call.data());
  co_return fail(ErrorCode::TooLarge, "too much");
}

/// Works for a while without a word.
Task<Result<object>> work(ControlCall& call) {
  CO_TRY(auto milliseconds, call.number("ms", 0));
  co_await sleep_for(std::chrono::milliseconds(milliseconds));
  co_return object{{"done", true}};
}

/// The same, and then takes the data.
Task<Result<object>> work_on_data(ControlCall& call) {
  CO_TRY_DO(co_await work(call));
  co_return co_await count_data(call);
}

/// The same for good, as mail that is taken.
std::atomic<int> taken{0};
Task<Result<object>> take(ControlCall& call) {
  CO_TRY_DO(co_await work_on_data(call));
  ++taken;
  co_return object{};
}

ControlTable table() {
  ControlTable made;
  made.add({"greet", ControlCommand::For::Owner, greet});
  made.add({"count", ControlCommand::For::Anybody, count_data});
  made.add({"refuse", ControlCommand::For::Anybody, refuse_data});
  made.add({"work", ControlCommand::For::Anybody, work});
  made.add({"work-on-data", ControlCommand::For::Anybody, work_on_data});
  made.add({"take", ControlCommand::For::Anybody, take});
  return made;
}

/// A server on a socket in /tmp.
class Server {
 public:
  explicit Server(std::uint32_t instance_user, milliseconds working = kSayWorking)
      : user_(instance_user), working_(working) {
    path_ = "/tmp/hikyaku-control-test." + std::to_string(::getpid());
    listener_ = net::Listener::bind_unix(path_).value();
    listener_->start(cores_, [this](std::unique_ptr<net::Stream> stream) {
      gate_.spawn(session(std::move(stream)));
    });
    cores_.start();
  }
  ~Server() {
    std::promise<void> ended;
    listener_->stop([&] { gate_.close([&] { ended.set_value(); }); });
    ended.get_future().wait();
    cores_.stop();
    cores_.join();
  }
  const std::string& path() const { return path_; }

 private:
  Task<void> session(std::unique_ptr<net::Stream> stream) {
    try {
      co_await serve_control(*stream, table_, user_, {}, working_);
    } catch (const net::Disconnected&) {
    }
  }

  std::uint32_t user_;
  milliseconds working_;
  ControlTable table_ = table();
  std::string path_;
  net::Cores cores_{1};
  Gate gate_{end_process};
  std::unique_ptr<net::Listener> listener_;
};

/// Asks with a patience that a test has time for.
Result<object> ask_impatiently(const std::string& path, object args, milliseconds silence,
                               ControlHandlers handlers = {}) {
  net::Cores cores(1);
  cores.start();
  ControlRequest request{handlers.data ? "work-on-data" : "work", std::move(args),
                         Language::English};
  auto ask = [&]() -> Task<Result<object>> {
    CO_TRY(auto stream, co_await net::connect_unix(path, std::chrono::seconds(5)));
    co_return co_await ask_control(*stream, request, handlers, silence);
  };
  auto answer = cores.run(0, ask);
  cores.stop();
  cores.join();
  return answer;
}

/// So many pieces of data, each after a while.
std::function<Result<std::optional<std::string>>()> pieces_of_data(int count,
                                                                   milliseconds before = {}) {
  return [left = count, before]() mutable -> Result<std::optional<std::string>> {
    std::this_thread::sleep_for(before);
    if (left-- == 0) return std::optional<std::string>();
    return std::string(kMaxControlData, 'x');
  };
}

std::string outcome(const Result<object>& result) {
  if (result) return boost::json::serialize(*result);
  return std::string(to_string(result.error().code)) + ": " + result.error().text;
}

}  // namespace

TEST_CASE("control lines: written, read, and written the same") {
  const std::string_view lines[] = {
      R"({"verb":"queue.list","args":{"domain":"example.org","limit":5},"lang":"ja"})",
      R"({"data":"AAECAw=="})",
      R"({"end":true})",
      R"({"progress":{"done":3,"total":10,"text":"indexing"}})",
      R"({"working":true})",
      R"({"working":true,"starting":true})",
      R"({"item":{"id":"q1","rcpt":["a@b"]}})",
      R"({"result":{}})",
      R"({"error":{"code":"not-found","text":"no such account"}})",
  };
  for (auto line : lines) {
    CAPTURE(line);
    auto decoded = decode_control_line(line);
    REQUIRE(decoded);
    CHECK(encode_control_line(*decoded) == line);
  }
}

TEST_CASE("control lines: what is no line") {
  struct Case {
    std::string line, error;
  };
  const Case cases[] = {
      {"", "not a control line"},
      {"5", "not a control line"},
      {"{}", "not a control line"},
      {"{\"verb\":\"x\"", "not a control line"},
      {"{\"verb\":\"x\"} {}", "not a control line"},
      {"{\"verb\":5}", "control request: verb is not a text"},
      {"{\"verb\":\"x\",\"args\":[]}", "control request: args is no object"},
      {"{\"data\":\"a\"}", "control data is not base64"},
      {"{\"verb\":\"x\",\"args\":{\"a\":[1e999]}}", "not a control line"},
      {"{\"data\":7}", "control data is not base64"},
      {"{\"item\":1}", "control line: item is no object"},
      {"{\"verb\":\"\xff\"}", "not a control line"},
      {std::string(100'000, '['), "not a control line"},
      {"{\"data\":\"" + base64_encode(std::string(kMaxControlData + 1, 'x')) + "\"}",
       "control data of more than 65536 bytes"},
      {std::string(kMaxControlLine + 1, ' '), "control line of more than 1048576 bytes"},
  };
  for (auto& c : cases) {
    CAPTURE(c.line.substr(0, 40));
    auto decoded = decode_control_line(c.line);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().text == c.error);
  }
}

TEST_CASE("texts from strangers become valid JSON, and errors keep their code and causes") {
  auto line = encode_control_line(Error{ErrorCode::NoSpace, "bad \xff name", nullptr});
  CHECK(line == "{\"error\":{\"code\":\"no-space\",\"text\":\"bad \xef\xbf\xbd name\"}}");
  Error outer = wrap(Error{ErrorCode::Io, "disk", nullptr}, "cannot write").error();
  auto decoded = decode_control_line(encode_control_line(outer));
  CHECK(std::get<Error>(*decoded).code == ErrorCode::Io);
  CHECK(std::get<Error>(*decoded).text == "cannot write: disk");
}

TEST_CASE("a command through the server and without one says the same") {
  struct Case {
    std::string verb;
    object args;
    std::string outcome;
    int items;
  };
  const Case cases[] = {
      {"greet", {{"name", "you"}}, R"({"text":"hello you"})", 1},
      {"greet", {{"name", "you"}, {"count", 300}, {"loud", true}}, R"({"text":"hello you!"})", 300},
      {"greet", {}, "invalid: name is missing", 0},
      {"greet", {{"name", 5}}, "invalid: name must be a text", 0},
      {"greet", {{"name", "x"}, {"count", -1}}, "invalid: count must be a number from 0 on", 0},
      {"greet", {{"name", "x"}, {"loud", 1}}, "invalid: loud must be true or false", 0},
      {"dance",
       {},
       "not-found: the server knows no command 'dance'; it may be older than this "
       "program",
       0},
  };
  Server server(::geteuid());
  auto commands = table();
  for (auto& c : cases) {
    CAPTURE(c.verb);
    int items = 0;
    ControlHandlers handlers;
    handlers.item = [&](auto& row) { CHECK(row.at("i") == items++); };
    ControlRequest request{c.verb, c.args, Language::English};

    auto answer = ask_server(server.path(), request, handlers);
    CHECK(answer.running);
    CHECK(outcome(answer.result) == c.outcome);
    CHECK(items == c.items);

    items = 0;
    testing::TestLoop loop;
    CHECK(outcome(loop.run(run_control_here(commands, request, handlers))) == c.outcome);
    CHECK(items == c.items);
  }
}

TEST_CASE("data goes through in pieces; a refusal comes back though data was still on its way") {
  Server server(::geteuid());
  auto pieces = [](int count) {
    return [left = count]() mutable {
      return left-- > 0 ? std::optional(std::string(kMaxControlData, '\x80')) : std::nullopt;
    };
  };
  ControlHandlers handlers;
  handlers.data = pieces(100);
  auto answer = ask_server(server.path(), {"count", {}, Language::English}, handlers);
  CHECK(outcome(answer.result) == R"({"bytes":6553600,"sum":838860800})");

  handlers.data = pieces(0);
  answer = ask_server(server.path(), {"count", {}, Language::English}, handlers);
  CHECK(outcome(answer.result) == R"({"bytes":0,"sum":0})");

  handlers.data = [left = 3]() mutable -> Result<std::optional<std::string>> {
    if (left-- == 0) return fail(ErrorCode::Io, "the disk broke");
    return std::string("x");
  };
  answer = ask_server(server.path(), {"count", {}, Language::English}, handlers);
  CHECK(outcome(answer.result) == "io: the disk broke");

  handlers.data = pieces(100);
  answer = ask_server(server.path(), {"refuse", {}, Language::English}, handlers);
  CHECK(outcome(answer.result) == "too-large: too much");
}

TEST_CASE("a server that says that it works is waited for, whatever the client does meanwhile") {
  constexpr milliseconds kShort(400);
  Server server(::geteuid(), milliseconds(20));
  SUBCASE("the client only waits") {
    CHECK(outcome(ask_impatiently(server.path(), {{"ms", 1500}}, kShort)) == R"({"done":true})");
  }
  SUBCASE("more data is there than the server takes for now") {
    CHECK(outcome(ask_impatiently(server.path(), {{"ms", 1500}}, kShort,
                                  {.data = pieces_of_data(40)})) ==
          R"({"bytes":2621440,"sum":314572800})");
  }
  SUBCASE("the data is long in coming") {
    CHECK(outcome(ask_impatiently(server.path(), {{"ms", 0}}, kShort,
                                  {.data = pieces_of_data(2, milliseconds(700))})) ==
          R"({"bytes":131072,"sum":15728640})");
  }
  SUBCASE("the answer is that of a session") {
    net::Cores cores(1);
    cores.start();
    ControlRequest request{"work", {{"ms", 200}}, Language::English};
    auto answer = cores.run(0, [&]() -> Task<Result<object>> {
      CO_TRY(auto stream, co_await net::connect_unix(server.path(), std::chrono::seconds(5)));
      co_return co_await ask_for_session(*stream, request);
    });
    cores.stop();
    cores.join();
    CHECK(outcome(answer) == R"({"done":true})");
  }
}

TEST_CASE("a server that gives no sign of life is given up") {
  Server server(::geteuid(), std::chrono::hours(1));
  auto began = std::chrono::steady_clock::now();
  for (bool data : {false, true}) {  // more than fits into the socket
    ControlHandlers handlers;
    if (data) handlers.data = pieces_of_data(40);
    auto answer = ask_impatiently(server.path(), {{"ms", 5000}}, milliseconds(400), handlers);
    CHECK(outcome(answer) ==
          "unavailable: the process that was asked does not answer: nothing has come from it for "
          "400ms. What was asked for may still be done.");
  }
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  auto named = no_answer_of(4711, kSilence);
  CHECK(named.text.starts_with(
      "process 4711 does not answer: nothing has come from the server for 20s."));
  CHECK(error_in(named, Language::Japanese).starts_with("プロセス 4711 が応答しません。"));
  CHECK(exit_for(named.code) == Exit::TryLater);
}

TEST_CASE("what was asked for by a client that has given up is not done") {
  auto lines = encode_control_line(ControlRequest{"take", {{"ms", 300}}, Language::English}) +
               '\n' + encode_control_line(ControlEnd{}) + '\n';
  for (bool waits : {true, false}) {
    taken = 0;
    {
      Server server(::geteuid());
      net::Cores cores(1);
      cores.start();
      cores.run(0, [&]() -> Task<void> {
        auto stream = co_await net::connect_unix(server.path(), std::chrono::seconds(5));
        co_await (*stream)->write(lines);
        if (waits)
          co_await (*stream)->wait_readable();
        else
          co_await sleep_for(milliseconds(100));
      });
      cores.stop();
      cores.join();
    }  // has ended all sessions
    CHECK(taken == (waits ? 1 : 0));
  }
}

TEST_CASE("nobody listens") {
  auto answer = ask_server("/tmp/hikyaku-no-such.sock", {"greet", {}, Language::English}, {});
  CHECK_FALSE(answer.running);
  CHECK(answer.result.error().code == ErrorCode::NotFound);
}

TEST_CASE("a server that takes no more connections is there all the same") {
  // It was stopped, and so many have asked it already.
  auto path = "/tmp/hikyaku-full-test." + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  auto name = reinterpret_cast<sockaddr*>(&address);
  auto made = [] { return net::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)); };
  auto listening = made();
  REQUIRE(::bind(listening.get(), name, sizeof address) == 0);
  REQUIRE(::listen(listening.get(), 0) == 0);
  std::vector<net::UniqueFd> waiting;
  do waiting.push_back(made());
  while (::connect(waiting.back().get(), name, sizeof address) == 0);

  auto answer = ask_server(path, {"greet", {}, Language::English}, {});
  ::unlink(path.c_str());
  CHECK(answer.running);
  CHECK(outcome(answer.result) ==
        "conflict: " + path +
            ": whoever listens there takes no more connections: it hangs, or was stopped");
}

TEST_CASE("a command that meets damage, or a defect, is answered") {
  ControlTable commands;
  commands.add({.verb = "read", .run = [](ControlCall&) -> Task<Result<object>> {
                  throw store::IndexError("x.sst");
                  co_return object{};
                }});
  commands.add({.verb = "break", .run = [](ControlCall&) -> Task<Result<object>> {
                  throw std::runtime_error("oh");
                  co_return object{};
                }});
  testing::TestLoop loop;
  CHECK(outcome(loop.run(run_control_here(commands, {"read", {}, Language::English}, {}))) ==
        "corrupt: a part of the index is damaged, and what stands there cannot be read: x.sst");
  CHECK(outcome(loop.run(run_control_here(commands, {"break", {}, Language::English}, {}))) ==
        "internal: 'break' failed by a defect of Hikyaku: oh");
}

TEST_CASE("commands of the owner are for root and the owner") {
  struct Call final : ControlCall {
    using ControlCall::ControlCall;
    Task<void> item(object) override { co_return; }
    Task<void> progress(ControlProgress) override { co_return; }
    Task<Result<std::optional<std::string>>> data() override {
      co_return std::optional<std::string>();
    }
  };
  auto commands = table();
  testing::TestLoop loop;
  Call stranger({"greet", {{"name", "x"}}, Language::English}, {1000, false});
  CHECK(outcome(loop.run(commands.run(stranger))) ==
        "denied: 'greet' is for root and the user of this instance; you are user 1000");
  Call sender({"count", {}, Language::English}, {1000, false});
  CHECK(outcome(loop.run(commands.run(sender))) == R"({"bytes":0,"sum":0})");
}
