// An IMAP server in memory and short words to talk to it. For tests, the fuzz target and the
// benchmark.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "auth/login.h"
#include "base/gate.h"
#include "base/semaphore.h"
#include "base/semaphores.h"
#include "base/text.h"
#include "imapd/server.h"
#include "mailbox/digest.h"
#include "mailbox/mailboxes.h"
#include "net/fake_stream.h"
#include "store/memory_index.h"
#include "store/open.h"
#include "store/simulated_file_system.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::imapd::testing {

/// One account: "u", password "pw".
class FakeAuthenticator final : public auth::Authenticator {
 public:
  static constexpr auth::AccountId kAccount = 7;

  static std::variant<auth::Login, auth::LoginFailure> check(std::string_view user,
                                                             std::string_view password) {
    if (user == "busy") return auth::LoginFailure::Throttled;
    if (user != "u" || password != "pw") return auth::LoginFailure::Denied;
    return auth::Login{kAccount, "u@a.test", "PLAIN", "password"};
  }
  Task<std::variant<auth::Login, auth::LoginFailure>> check_password(
      auth::LoginContext, std::string user, std::string password) override {
    co_return check(user, password);
  }
  Task<std::variant<auth::Login, auth::LoginFailure>> check_apop(auth::LoginContext, std::string,
                                                                 std::string,
                                                                 std::string) override {
    co_return auth::LoginFailure::NotOffered;
  }

  /// PLAIN, and one more challenge before the login to have two rounds.
  class Exchange final : public auth::SaslExchange {
   public:
    Task<Outcome> step(std::optional<std::string> response) override {
      if (!response) co_return Challenge{""};
      auto parts = split(*response, '\0');
      if (parts.size() != 3) co_return auth::LoginFailure::Malformed;
      auto outcome = check(parts[1], parts[2]);
      if (auto* login = std::get_if<auth::Login>(&outcome)) co_return std::move(*login);
      co_return std::get<auth::LoginFailure>(outcome);
    }
  };
  std::unique_ptr<auth::SaslExchange> begin(auth::LoginContext, std::string_view mechanism,
                                            const std::vector<std::string>& offered,
                                            Bindings) override {
    for (auto& one : offered)
      if (one == mechanism && mechanism == "PLAIN") return std::make_unique<Exchange>();
    return nullptr;
  }
};

struct Server {
  hikyaku::testing::TestLoop loop;
  hikyaku::testing::TestPool pool;
  store::SimulatedFileSystem files{1};
  std::shared_ptr<store::MemoryIndexDisk> index = std::make_shared<store::MemoryIndexDisk>();
  std::unique_ptr<store::Store> store;
  std::unique_ptr<mailbox::Views> views;
  FakeAuthenticator authenticator;
  Semaphore large_messages{2};
  Semaphores<store::AccountId> large_updates{1};
  Settings settings;
  std::vector<store::AccountId> taken_up;  ///< accounts whose work is to be done by others
  Activity* activity = nullptr;            ///< of the next client's session
  Gate gate{end_process};

  static constexpr auto kAccount = FakeAuthenticator::kAccount;

  Server() {
    store::Options options{.directory = "/store", .workers = pool, .clock = loop};
    options.if_missing = store::IfMissing::Make;
    options.files = &files;
    options.reserve = 1 << 20;
    options.smallest_segment = 1 << 20;
    options.open_index = [this]() -> Result<std::unique_ptr<store::Index>> {
      return std::make_unique<store::MemoryIndex>(index);
    };
    auto opened = store::open_store(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().describe());
    store = std::move(*opened);
    views = mailbox::make_views(*store, 64 << 20);
    settings.host_name = "mx.a.test";
    settings.plaintext_on_loopback = true;
    settings.mechanisms_on_loopback = {"PLAIN", "LOGIN"};
    settings.mechanisms_under_tls = {"SCRAM-SHA-256-PLUS", "PLAIN"};
    transact([this](store::Transaction& tx) -> Result<void> {
      mailbox::create_standard_mailboxes(tx, kAccount, Language::English, loop.now());
      return {};
    });
  }

  /// From now on the free space is below the reserve (1 MB): so much is left.
  void fill_disk(std::uint64_t left = 0) {
    files.set_capacity(kUnlimited);
    files.set_capacity(kUnlimited - files.free_space("/store").value() + left);
    // The store asks for it now and then only.
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
  }
  static constexpr std::uint64_t kUnlimited = UINT64_MAX / 2;
  /// Flips a bit where this text stands in the journal. True if it does.
  bool damage(std::string_view text) {
    std::string directory = "/store/journal";
    for (auto& name : files.list(directory).value()) {
      auto file = files.open(directory + "/" + name, store::OpenMode::Read).value();
      std::string bytes(file->size().value(), '\0');
      (void)file->read(0, bytes);
      auto at = bytes.find(text);
      if (at == std::string::npos) continue;
      files.flip_bit(directory + "/" + name, at);
      return true;
    }
    return false;
  }

  Services services(const net::ServerTls* tls = nullptr) {
    return {*store,
            authenticator,
            *views,
            pool,
            loop,
            large_messages,
            large_updates,
            tls,
            nullptr,
            activity,
            [this](store::AccountId account) { taken_up.push_back(account); }};
  }
  /// Runs what is ready until `done`, without time passing.
  template <class Done>
  void until(Done done) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (loop.run_ready()) continue;
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no answer");
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  void transact(store::Step step) {
    bool ended = false;
    Result<void> result;
    gate.spawn(run(std::move(step), result, ended));
    until([&] { return ended; });
    if (!result) throw std::runtime_error(result.error().describe());
  }
  Task<void> run(store::Step step, Result<void>& result, bool& ended) {
    result = co_await store->transact({kAccount}, std::move(step));
    ended = true;
  }
};

inline std::string repeat(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

/// One client's connection.
class Client {
 public:
  explicit Client(Server& server, bool loopback = true, const net::ServerTls* tls = nullptr)
      : server_(server) {
    std::array<std::uint8_t, 4> address{127, 0, 0, 1};
    if (!loopback) address = {192, 0, 2, 99};
    auto [mine, theirs] =
        net::FakeStream::pair({IpAddress(address), 143}, {IpAddress(address), 4000});
    stream_ = mine.get();
    other_end_ = std::move(theirs);
    server_.gate.spawn(run(std::move(mine), server_.services(tls)));
    greeting = read_until("\r\n");
  }
  ~Client() {
    if (!ended_) stream_->receive_end();
    server_.until([&] { return ended_; });
  }
  Client(const Client&) = delete;

  std::string greeting;

  /// Sends a command with the next tag and gives what is answered: "\n" between the lines, and the
  /// tag left out.
  std::string operator()(std::string_view command) {
    auto tag = "a" + std::to_string(++tags_);
    send(tag + " " + std::string(command) + "\r\n");
    return answer(tag);
  }
  /// The answer to a command of this tag that was sent by hand.
  std::string answer(const std::string& tag) {
    std::string text;
    server_.until([&] {
      take();
      auto at = text_.starts_with(tag + " ") ? 0 : text_.find("\r\n" + tag + " ");
      if (at == std::string::npos) {
        if (ended_) throw std::runtime_error("the session has ended: " + text_);
        return false;
      }
      if (at != 0) at += 2;
      auto end = text_.find("\r\n", at);
      if (end == std::string::npos) return false;
      text = text_.substr(0, at) + text_.substr(at + tag.size() + 1, end + 1 - at - tag.size());
      text_.erase(0, end + 2);
      return true;
    });
    return plain(text);
  }
  void send(std::string_view bytes) {
    if (!ended_) stream_->receive(bytes);
  }
  /// Gives everything up to and with `mark`.
  std::string read_until(std::string_view mark) {
    std::string text;
    server_.until([&] {
      take();
      auto at = text_.find(mark);
      if (at == std::string::npos) {
        if (ended_) throw std::runtime_error("the session has ended: " + text_);
        return false;
      }
      text = text_.substr(0, at + mark.size());
      text_.erase(0, at + mark.size());
      return true;
    });
    return plain(text);
  }
  /// Waits for the server's end of the connection; gives what it said before.
  std::string end() {
    server_.until([&] { return take() || ended_; });
    other_end_->close();  // as clients do; the server waits for that a moment
    server_.until([&] { return ended_; });
    return plain(std::exchange(text_, {}));
  }
  void login() { (*this)("LOGIN u pw"); }
  net::FakeStream& stream() { return *stream_; }
  bool ended() const { return ended_; }

  static std::string plain(std::string_view text) {
    std::string result;
    for (auto c : text)
      if (c != '\r') result += c;
    return result;
  }

 private:
  /// What has come from the server, also after its end. True at its end.
  bool take() {
    char bytes[65536];
    while (auto count = other_end_->try_read(bytes)) {
      if (*count == 0) return true;
      text_.append(bytes, *count);
    }
    return false;
  }
  Task<void> run(std::unique_ptr<net::FakeStream> stream, Services services) {
    co_await serve(std::move(stream), server_.settings, services, {});
    ended_ = true;
  }

  Server& server_;
  net::FakeStream* stream_ = nullptr;
  std::unique_ptr<net::FakeStream> other_end_;
  std::string text_;
  int tags_ = 0;
  bool ended_ = false;
};

}  // namespace hikyaku::imapd::testing
