// One SMTP connection. Private to smtpd/.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "net/input.h"
#include "net/output.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtpd/server.h"

namespace hikyaku::smtpd {

/// What a handler gives back when the peer has its answer already.
inline const smtp::Reply kAnswered{};

class Session {
 public:
  Session(net::Stream& stream, const Settings& settings, Services services, Log log);

  /// The conversation from the greeting to QUIT. Throws Disconnected.
  Task<void> run();
  /// Recipients that were refused in a transaction that is over, or with the connection.
  Task<void> remember_refusals();
  /// Says 421 with this reason, if the peer still listens.
  Task<void> say_goodbye(const smtp::Reply& reply);

  /// For the line that is logged at the end.
  int accepted() const { return accepted_; }
  const smtp::Session& state() const { return state_; }

 private:
  // The commands, one file each. The reply ends the command; commands with data read it first.
  Task<smtp::Reply> handle(smtp::Helo command);
  Task<smtp::Reply> handle(smtp::Ehlo command);
  Task<smtp::Reply> handle(smtp::Mail command);
  Task<smtp::Reply> handle(smtp::Rcpt command);
  Task<smtp::Reply> handle(smtp::Data command);
  Task<smtp::Reply> handle(smtp::Bdat command);
  Task<smtp::Reply> handle(smtp::Rset command);
  Task<smtp::Reply> handle(smtp::Vrfy command);
  Task<smtp::Reply> handle(smtp::Expn command);
  Task<smtp::Reply> handle(smtp::Help command);
  Task<smtp::Reply> handle(smtp::Noop command);
  Task<smtp::Reply> handle(smtp::Quit command);
  Task<smtp::Reply> handle(smtp::Starttls command);
  Task<smtp::Reply> handle(smtp::Auth command);
  Task<smtp::Reply> handle(smtp::Obsolete command);
  Task<smtp::Reply> handle(smtp::Foreign command);
  Task<smtp::Reply> handle(smtp::Unknown command);

  /// The next line, or the reply its sender deserves. Sends what is pending before it waits.
  Task<std::expected<std::string, smtp::Reply>> next_line();
  /// Waits for more bytes; the end of the peer's bytes is a disconnect here.
  Task<void> need_bytes();
  /// The next line must have come whole by then.
  std::chrono::steady_clock::time_point line_deadline() const;
  /// The client is worth waiting for: it has logged in, or a message was accepted.
  void has_proved_useful();
  Task<void> answer(smtp::Verb verb, smtp::Reply reply);
  Task<void> execute(smtp::Command command);
  void write(const smtp::Reply& reply);
  /// Tells what the session holds; ends it when that is too much.
  void count_memory();
  Task<bool> start_tls();
  /// Reads and drops the octets of a BDAT that was refused.
  Task<void> skip_chunk(std::uint64_t size);
  /// The message between the chunks, if any, is dropped.
  void forget_message();
  /// Too much was sent to look for the end of it: the reply, then the connection ends.
  Task<smtp::Reply> give_up(smtp::DataProblem problem);
  /// The reply to a message whose content was found bad; remembers it in the story.
  Task<smtp::Reply> refuse_content(smtp::DataProblem problem);
  /// After the last byte of a message: accepts it (or not) and ends the transaction.
  Task<smtp::Reply> finish_message(std::unique_ptr<receive::Incoming> incoming);
  /// Port 25: from now on the DNS is asked about the client.
  void meet_client();
  receive::Peer peer() const;
  auth::LoginContext login_context() const;

  net::Stream& stream_;
  const Settings& settings_;
  Services services_;
  const Metrics& metrics_;
  Log log_;
  net::Input input_;
  net::Output output_;
  smtp::LineParser lines_;
  smtp::Session state_;
  std::optional<auth::Login> login_;
  /// What is found out about the client while it talks; from its first hello on.
  std::shared_ptr<receive::Client> client_;
  /// The message that comes in; with BDAT, also between its chunks.
  std::unique_ptr<receive::Incoming> incoming_;
  std::optional<smtp::BdatDecoder> chunks_;
  /// Told to the receiver when the transaction ends: one story, however many recipients it was.
  struct Refusals {
    receive::Peer peer;
    std::string from;
    std::vector<receive::Refused> recipients;
  };
  std::optional<Refusals> refusals_;
  /// Without a message accepted until then, the connection ends.
  std::chrono::steady_clock::time_point useful_until_;
  /// The data of the message that is under way must have come by then.
  std::optional<std::chrono::steady_clock::time_point> data_until_;
  std::size_t envelope_ = 0;  ///< bytes that the recipients of the transaction take, about
  std::uint64_t octets_ = 0;  ///< of the present message, as far as it has come
  int accepted_ = 0;
  bool closing_ = false;
};

}  // namespace hikyaku::smtpd
