// Other people's mail servers, as a test wants them, and a transmitter that sends to them. Time
// jumps.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "dns/fake_resolver.h"
#include "mime/message.h"
#include "net/fake_stream.h"
#include "net/tls_test.h"
#include "net/transcript.h"
#include "testing/world.h"
#include "transmit/transmitter.h"

namespace hikyaku::testing {

/// A server that says yes to everything but what `answers` holds, by the beginning of the command
/// ("" is the greeting, "." the end of data). "CLOSE" hangs up instead, "SILENCE" never answers,
/// "SLOW …" takes ten seconds.
struct FakeServer {
  std::map<std::string, std::string> answers;
  std::vector<std::string> offers{"PIPELINING", "8BITMIME", "STARTTLS"};
  std::string tls_refusal;  ///< the client's handshake fails so

  int connections = 0;
  std::vector<std::string> said;      ///< all commands
  std::vector<std::string> messages;  ///< as they came, with doubled dots
  std::vector<Time> at;               ///< when connections came

  std::string answer_to(const std::string& command) const {
    for (auto& [begin, answer] : answers)
      if (begin.empty() ? command.empty() : command.starts_with(begin)) return answer;
    if (command.empty()) return "220 hello";
    if (command.starts_with("EHLO")) {
      std::string all = "250-hello";
      for (auto& offer : offers) all += "\r\n250-" + offer;
      return all + "\r\n250 X";
    }
    if (command.starts_with("DATA")) return "354 go on";
    if (command.starts_with("QUIT")) return "221 bye";
    return "250 2.0.0 fine";
  }

  Task<void> serve(std::unique_ptr<net::FakeStream> stream) {
    net::testing::Talker talker(*stream);
    stream->set_timeout(std::chrono::hours(1));
    auto in_data = false;
    int accepted = 0;
    std::string message;
    std::string command;
    while (true) {
      auto answer = answer_to(command);
      if (answer == "SILENCE") co_await sleep_for(std::chrono::hours(1));
      if (answer.starts_with("SLOW ")) {
        co_await sleep_for(seconds(10));
        answer = answer.substr(5);
      }
      if (command.starts_with("RCPT")) accepted += answer.starts_with("250");
      if (command == "DATA" && accepted == 0) answer = "554 5.5.1 for whom?";
      if (command.starts_with("MAIL") || command == "RSET" || command == ".") accepted = 0;
      if (answer == "CLOSE" || answer == "SILENCE") break;
      co_await talker.send(answer + "\r\n");
      if (command.starts_with("QUIT") || answer.starts_with("421")) break;
      in_data = command == "DATA" && answer.starts_with("354");
      command = co_await talker.line();
      if (command == "END" || command == "NOTHING") break;
      if (in_data) {
        message.clear();
        while (command != "." && command != "END") {
          message += command + "\r\n";
          command = co_await talker.line();
        }
        if (command == "END") break;
        messages.push_back(message);
      } else {
        said.push_back(command);
      }
    }
    stream->close();
  }
};

/// A World whose queue goes out, to `servers`.
struct SendingWorld : World {
  dns::FakeResolver dns{
      "alpha.test. MX 10 mx.alpha.test.\n"
      "mx.alpha.test. A 192.0.2.100\n"
      "beta.test. MX 10 mx.beta.test.\n"
      "mx.beta.test. A 192.0.2.1\n"
      "gamma.test. MX 10 mx1.gamma.test.\n"
      "gamma.test. MX 20 mx2.gamma.test.\n"
      "mx1.gamma.test. A 192.0.2.11\n"
      "mx2.gamma.test. A 192.0.2.12\n"};
  std::map<std::string, FakeServer> servers;  ///< by address; others refuse connections
  std::vector<std::string> tried;
  std::vector<Time> tried_at;
  Gate gate{end_process};
  transmit::Settings settings_of_transmitter;
  const Clock* ages = nullptr;  ///< by which messages are given up; null: the loop's
  Log log;
  std::unique_ptr<transmit::Transmitter> transmitter;

  SendingWorld() {
    settings_of_transmitter.connect.host_name = "mx.alpha.test";
    settings_of_transmitter.self = {"mx.alpha.test", {*IpAddress::parse("192.0.2.100")}};
    settings_of_transmitter.connect.open =
        [this](Endpoint to, std::optional<IpAddress>,
               milliseconds) -> Task<Result<std::unique_ptr<net::Stream>>> { return open(to); };
  }
  ~SendingWorld() {
    stop(milliseconds(0));
    bool ended = false;
    gate.close([&] { ended = true; });
    run_until([&] { return ended; });
  }
  Task<Result<std::unique_ptr<net::Stream>>> open(Endpoint to) {
    auto address = to.address.to_string();
    tried.push_back(address);
    tried_at.push_back(loop.now());
    auto found = servers.find(address);
    if (found == servers.end()) co_return fail(ErrorCode::Unavailable, "connection refused");
    auto& server = found->second;
    ++server.connections;
    auto [theirs, ours] = net::FakeStream::pair();
    if (!server.tls_refusal.empty()) ours->refuse_tls(server.tls_refusal);
    gate.spawn(server.serve(std::move(theirs)));
    co_return std::move(ours);
  }

  void start() {
    transmitter = transmit::make_transmitter(
        settings_of_transmitter,
        {store, *receiver, dns, net::testing::client_tls(), loop, random, {}, ages}, log);
    transmitter->start();
  }
  void stop(milliseconds grace) {
    if (!transmitter) return;
    bool stopped = false;
    transmitter->stop(grace, [&] { stopped = true; });
    run_until([&] { return stopped; });
    transmitter.reset();
  }
  /// A message of anna's (or of `from`), accepted.
  void submit(std::vector<std::string> recipients, std::string from = "anna@alpha.test",
              std::string message = "Subject: hello\r\n\r\nbody\r\n") {
    smtp::Transaction transaction;
    constexpr smtp::PathRules kAny{.characters = smtp::Characters::Utf8, .limits = {}};
    if (!from.empty()) transaction.from.mailbox = smtp::parse_mailbox(from, kAny).value();
    for (auto& to : recipients)
      transaction.recipients.push_back({smtp::parse_mailbox(to, kAny).value(), {}});
    submit(transaction, message);
  }
  void submit(const smtp::Transaction& transaction, std::string_view message) {
    receive::Peer peer;
    peer.kind = receive::Peer::Kind::Program;
    auto incoming = receiver->begin(peer, transaction);
    loop.run(incoming->append(message));
    auto reply = loop.run(incoming->finish());
    if (!reply.positive()) throw std::runtime_error(reply.to_string());
    run_for(milliseconds(1));  // messages go out in the order in which they came
  }
  template <class Done>
  void run_until(Done done, milliseconds most = std::chrono::hours(24 * 8)) {
    loop.run(wait_for(done, most));
  }
  void run_for(milliseconds time) { loop.run(sleep_for(time)); }
  /// Until nothing is due and nothing is being sent.
  void run_until_idle() {
    run_until([this] { return nothing_due() && transmitter->attempting() == 0; });
  }
  bool nothing_due() { return queue::due(store.keys(), loop.now(), 1).entries.empty(); }

  template <class Done>
  Task<void> wait_for(Done done, milliseconds most) {
    auto end = loop.now() + most;
    while (!done()) {
      if (loop.now() > end) throw std::runtime_error("it did not happen");
      // The longer it takes, the less often it is looked at.
      auto left = end - loop.now();
      co_await sleep_for(std::clamp<milliseconds>((most - left) / 100, seconds(1), seconds(60)));
    }
  }
};

}  // namespace hikyaku::testing
