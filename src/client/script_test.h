// A server that follows a script, for the tests of the clients.
#pragma once

#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/text.h"
#include "net/input.h"
#include "net/served.h"
#include "net/tls.h"

namespace hikyaku::client::testing {

/// One line of a script:
///   "S: text"   the server says it, with CRLF
///   "C: text"   it waits for exactly this line
///   "C* text"   it waits for a line that begins so
///   "quiet"     nothing may come for a moment: the client waits for an answer
///   "tls"       the handshake
///   "close"     it closes
/// After the last line it reads until the client closes.
using Script = std::vector<std::string>;

inline net::ServerTls& server_tls() {
  static auto tls = net::ServerTls::create(
                        {net::make_self_signed({"mail.example"}, net::KeyType::EcP256).value()})
                        .value();
  return *tls;
}
inline net::ClientTls& client_tls() {
  static auto tls = net::ClientTls::create({}).value();
  return *tls;
}

/// Plays it, on real sockets of this machine; a wrong line of the client is in `problems`.
class ScriptServer {
 public:
  explicit ScriptServer(Script script, bool byte_by_byte = false)
      : script_(std::move(script)),
        byte_by_byte_(byte_by_byte),
        served_(1, [this](auto stream) { return play(std::move(stream)); }) {}

  /// Connects and runs `talk`, which owns the stream.
  template <class Talk>
  void client(Talk talk) {
    served_.cores().run(0, [&]() -> Task<void> {
      auto stream =
          co_await net::connect(served_.listener().endpoint(), {}, std::chrono::seconds(5));
      co_await talk(std::move(*stream));
    });
    served_.settle();
    CHECK(problems_.empty());
  }

 private:
  Task<void> play(std::unique_ptr<net::Stream> stream) {
    stream->set_timeout(std::chrono::seconds(10));
    net::Input input(*stream);
    for (auto& step : script_) {
      auto text = step.size() > 3 ? step.substr(3) : std::string();
      if (step.starts_with("S:")) {
        text += "\r\n";
        if (!byte_by_byte_) co_await stream->write(text);
        for (std::size_t i = 0; byte_by_byte_ && i < text.size(); ++i) {
          co_await stream->write(std::string_view(text).substr(i, 1));
          co_await yield_now();
        }
      } else if (step.starts_with("C")) {
        auto line = co_await read_line(input);
        bool right = step[1] == ':' ? line == text : line.starts_with(text);
        if (!right) problems_ += "wanted \"" + text + "\", got \"" + printable(line) + "\"\n";
      } else if (step == "quiet") {
        co_await sleep_for(std::chrono::milliseconds(30));
        input.fill_now();
        if (!input.available().empty())
          problems_ += "did not wait: " + printable(input.available()) + "\n";
      } else if (step == "tls") {
        input.drop();
        if (!co_await stream->start_tls(server_tls())) problems_ += "no handshake\n";
      } else if (step == "close") {
        stream->close();
        co_return;
      }
      CHECK_MESSAGE(problems_.empty(), problems_);
    }
    while (co_await input.fill() == net::Input::Filled::Bytes)
      input.consume(input.available().size());
  }

  static Task<std::string> read_line(net::Input& input) {
    std::string line;
    while (true) {
      auto bytes = input.available();
      auto newline = bytes.find('\n');
      line += bytes.substr(0, newline);
      input.consume(newline == std::string_view::npos ? bytes.size() : newline + 1);
      if (newline != std::string_view::npos) break;
      if (co_await input.fill() == net::Input::Filled::End) co_return "(end)";
    }
    if (line.ends_with('\r')) line.pop_back();
    co_return line;
  }

  Script script_;
  bool byte_by_byte_;
  std::string problems_;
  net::testing::Served served_;
};

}  // namespace hikyaku::client::testing
