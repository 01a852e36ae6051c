// SmtpClient: the client's side of one SMTP connection: for sending to other servers, for the lab
// and for tests.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "client/login.h"
#include "client/message_source.h"
#include "client/observer.h"
#include "net/input.h"
#include "net/output.h"
#include "net/stream.h"
#include "net/tls.h"
#include "smtp/client.h"
#include "smtp/reply.h"

namespace hikyaku::client {

/// RFC 5321 §4.5.3.2.
struct SmtpTimeouts {
  milliseconds greeting = std::chrono::minutes(5);
  milliseconds command = std::chrono::minutes(5);
  milliseconds data_start = std::chrono::minutes(2);
  milliseconds data_block = std::chrono::minutes(3);
  milliseconds data_end = std::chrono::minutes(10);
};

class SmtpClient {
 public:
  /// An answer that was not hoped for, and what it answered. `reply` may be of our own making (the
  /// server cannot take this message at all).
  struct Refusal {
    smtp::Stage stage = smtp::Stage::Greeting;
    smtp::Reply reply;
  };
  template <class T = void>
  using Outcome = std::expected<T, Refusal>;

  /// `hello`: what we call ourselves. Every function may throw net::Disconnected.
  SmtpClient(std::unique_ptr<net::Stream> stream, std::string hello, SmtpTimeouts timeouts = {},
             Observer observer = {});
  ~SmtpClient();

  /// Reads the greeting and says EHLO (HELO to those who know no other).
  Task<Outcome<>> greet();
  /// The handshake and EHLO anew. Refusal: the server says no. Error inside `tls_error` when the
  /// handshake itself failed: the connection is of no use then.
  struct TlsResult {
    std::optional<Refusal> refusal;
    std::optional<Error> tls_error;
    bool ok() const { return !refusal && !tls_error; }
  };
  Task<TlsResult> start_tls(const net::ClientTls& tls, std::string server_name);
  /// Implicit TLS (port 465): before greet().
  Task<TlsResult> secure(const net::ClientTls& tls, std::string server_name);
  /// AUTH (RFC 4954) with the strongest mechanism of offers().auth, or login.mechanism. Refused
  /// with 504 by ourselves when none can be used, with 535 when the server has not proven that it
  /// knows the password (then the connection is closed). `login` outlives it.
  Task<Outcome<>> log_in(const Login& login);

  /// What became of one recipient.
  struct RecipientResult {
    smtp::Stage stage = smtp::Stage::Rcpt;
    smtp::Reply reply;
  };
  struct Recipient {
    smtp::Mailbox to;
    smtp::RcptParameters parameters;
  };
  /// One message to these recipients (at least one). A result for each, in their order: positive
  /// EndOfData means that the server is responsible now. Afterwards usable() tells whether the
  /// connection can take another.
  Task<std::vector<RecipientResult>> send(smtp::Outgoing message,
                                          const std::vector<Recipient>& recipients,
                                          MessageSource& source);

  /// False after a reply that closes the connection, or when we closed it (a message that could not
  /// be read, or must not be ended).
  bool usable() const { return usable_; }

  /// One command by hand, for the lab: the line without CRLF, and its reply.
  Task<smtp::Reply> command(std::string line, smtp::Stage stage = smtp::Stage::Mail);
  /// RSET; false when the connection is of no more use.
  Task<bool> reset();
  /// Says QUIT and closes; never throws.
  Task<void> quit();

  const smtp::Offers& offers() const { return offers_; }
  net::Stream& stream() { return *stream_; }
  /// For the story: "TLSv1.3 TLS_AES_256_GCM_SHA384", empty in clear.
  std::string tls_summary() const;

 private:
  struct Sending;
  class AuthWire;

  Task<smtp::Reply> read_reply();
  Task<Outcome<>> say_hello();
  Task<Outcome<>> authenticate(LoginExchange exchange, bool show_secrets);
  /// `shown`: what the observer sees instead.
  void say(std::string_view line_with_crlf, std::string_view shown = {});
  milliseconds timeout_for(smtp::Stage stage) const;
  Task<smtp::Reply> reply_to(smtp::Stage stage);
  void say_more(Sending& sending);
  Task<bool> begin_mail(Sending& sending, const std::string& mail);
  Task<bool> name_recipients(Sending& sending);
  Task<bool> begin_data(Sending& sending);
  Task<smtp::Reply> send_data(MessageSource& source);

  std::unique_ptr<net::Stream> stream_;
  net::Input input_;
  net::Output output_;
  std::string hello_;
  SmtpTimeouts timeouts_;
  Observer observer_;
  smtp::ReplyParser parser_;
  smtp::Offers offers_;
  bool usable_ = true;
  bool in_transaction_ = false;  ///< the server has a sender that no end of data has dealt with
};

}  // namespace hikyaku::client
