// One POP3 connection. Private to pop3d/.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mailbox/messages.h"
#include "net/input.h"
#include "net/output.h"
#include "pop3/command.h"
#include "pop3/replies.h"
#include "pop3d/server.h"

namespace hikyaku::pop3d {

/// What a handler gives back when the peer has its answer already.
inline const std::optional<pop3::Reply> kAnswered = std::nullopt;

class Session {
 public:
  Session(net::Stream& stream, const Settings& settings, Services services, Log log);

  /// The conversation from the greeting to QUIT. Throws Disconnected.
  Task<void> run();
  /// Says -ERR with this reason, if the peer still listens.
  Task<void> say_goodbye(const pop3::Reply& reply);

  const std::string& user() const { return user_; }

 private:
  using Answer = Task<std::optional<pop3::Reply>>;
  Answer handle(pop3::UserCommand command);
  Answer handle(pop3::PassCommand command);
  Answer handle(pop3::ApopCommand command);
  Answer handle(pop3::AuthCommand command);
  Answer handle(pop3::StlsCommand command);
  Answer handle(pop3::CapaCommand command);
  Answer handle(pop3::StatCommand command);
  Answer handle(pop3::NoopCommand command);
  Answer handle(pop3::RsetCommand command);
  Answer handle(pop3::QuitCommand command);
  Answer handle(pop3::Utf8Command command);
  Answer handle(pop3::LangCommand command);
  Answer handle(pop3::ListCommand command);
  Answer handle(pop3::UidlCommand command);
  Answer handle(pop3::RetrCommand command);
  Answer handle(pop3::DeleCommand command);
  Answer handle(pop3::TopCommand command);

  /// The next line; nullopt when it was too long. Sends what is pending before it waits.
  Task<std::optional<std::string>> next_line();
  /// Sends what is pending, and waits for more bytes.
  Task<void> need_bytes();
  /// Tells what the session holds; ends it when that is too much.
  void count_memory();
  Task<void> execute(const std::string& line);
  void answer(const std::optional<pop3::Reply>& reply);
  Task<bool> start_tls();
  /// A login has come to its end.
  Answer logged_in(std::variant<auth::Login, auth::LoginFailure> result);
  /// Of a maildrop that cannot be opened.
  pop3::Reply refusal(const Error& error) const;
  /// A message that is to be sent.
  struct Retrieved {
    std::uint32_t number = 0;
    std::optional<mailbox::MessageRecord> record =
        std::nullopt;  ///< nothing: another client has expunged it
    Result<std::unique_ptr<store::Blob>> blob = nullptr;
  };
  /// Looks it up, together with those that commands which wait already ask for (PIPELINING).
  Task<Retrieved> retrieve(std::uint32_t number);
  /// `number`, and the numbers in those commands; ascending.
  std::vector<std::uint32_t> asked_for(std::uint32_t number);
  /// Sends a message as a multi-line response, `body_lines` lines of its body.
  Answer send_message(std::uint32_t number, std::uint64_t body_lines);
  /// What is answered for one that cannot be read; why goes to the log.
  std::optional<pop3::Reply> unreadable(const Error& error);
  auth::LoginContext login_context() const;

  net::Stream& stream_;
  const Settings& settings_;
  Services services_;
  const Metrics& metrics_;
  Log log_;
  net::Input input_;
  net::Output output_;
  pop3::LineReader lines_;
  pop3::Session state_;
  std::string timestamp_;  ///< what APOP signs
  std::string user_;
  std::unique_ptr<MaildropLocks::Lock> lock_;
  std::optional<Maildrop> maildrop_;
  std::vector<Retrieved> ahead_;   ///< looked up and not yet sent; empty while waiting for bytes
  std::uint64_t ahead_bytes_ = 0;  ///< that they take, about, until the last of them is sent
  int errors_ = 0;
  std::chrono::steady_clock::time_point login_until_;  ///< logged in by then, or the end
  bool closing_ = false;
};

}  // namespace hikyaku::pop3d
