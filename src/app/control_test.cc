#include "app/control.h"

#include <doctest/doctest.h>
#include <future>
#include <unistd.h>

#include "app/control_io.h"
#include "base/base64.h"
#include "base/gate.h"
#include "net/cores.h"
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

ControlTable table() {
  ControlTable made;
  made.add({"greet", ControlCommand::For::Owner, greet});
  made.add({"count", ControlCommand::For::Anybody, count_data});
  made.add({"refuse", ControlCommand::For::Anybody, refuse_data});
  return made;
}

/// A server on a socket in /tmp.
class Server {
 public:
  explicit Server(std::uint32_t instance_user) : user_(instance_user) {
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
      co_await serve_control(*stream, table_, user_);
    } catch (const net::Disconnected&) {
    }
  }

  std::uint32_t user_;
  ControlTable table_ = table();
  std::string path_;
  net::Cores cores_{1};
  Gate gate_{end_process};
  std::unique_ptr<net::Listener> listener_;
};

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

TEST_CASE("nobody listens") {
  auto answer = ask_server("/tmp/hikyaku-no-such.sock", {"greet", {}, Language::English}, {});
  CHECK_FALSE(answer.running);
  CHECK(answer.result.error().code == ErrorCode::NotFound);
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
