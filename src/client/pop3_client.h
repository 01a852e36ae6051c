// Pop3Client: the client's side of one POP3 connection (RFC 1939, 2449), for the lab, check and
// bench.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "client/login.h"
#include "client/observer.h"
#include "net/input.h"
#include "net/output.h"
#include "net/stream.h"
#include "net/tls.h"
#include "pop3/response_parser.h"

namespace hikyaku::client {

struct Pop3Limits {
  milliseconds timeout = std::chrono::minutes(5);  ///< for each wait
  std::size_t line = 8192;                         ///< octets of a status line, or in a list
  std::size_t entries = 10'000'000;                ///< lines of a list
  std::size_t pipeline = 32;                       ///< commands under way at once
};

/// Takes messages. What it is given is valid until its task ends.
class MailSink {
 public:
  virtual ~MailSink() = default;
  virtual Task<void> begin(std::uint32_t number);
  /// With CRLF line ends, without the dots of the protocol.
  virtual Task<void> data(std::string_view bytes) = 0;
  virtual Task<void> end(std::uint32_t number);
  /// The server has not this message (any more), or says no for another reason.
  virtual Task<void> refused(std::uint32_t number, const pop3::Status& status);
};

/// Every function may throw net::Disconnected: the connection is gone, or what came was no POP3.
class Pop3Client {
 public:
  /// "-ERR", or (`ours`) the reason why we did not even ask.
  struct Refusal {
    std::string code;  ///< "AUTH", "IN-USE" … (RFC 2449 §8), or empty
    std::string text;
    bool ours = false;
    std::string describe() const;
  };
  template <class T = void>
  using Outcome = std::expected<T, Refusal>;

  explicit Pop3Client(std::unique_ptr<net::Stream> stream, Pop3Limits limits = {},
                      Observer observer = {});
  ~Pop3Client();

  struct TlsResult {
    std::optional<Refusal> refusal;
    std::optional<Error> tls_error;  ///< the handshake failed: the connection is of no use
    bool ok() const { return !refusal && !tls_error; }
  };
  /// Implicit TLS (port 995): before greet().
  Task<TlsResult> secure(const net::ClientTls& tls, std::string server_name);
  /// Reads the greeting and asks for the capabilities.
  Task<Outcome<>> greet();
  /// STLS (RFC 2595 §4), the handshake, and the capabilities anew.
  Task<TlsResult> start_tls(const net::ClientTls& tls, std::string server_name);

  /// Of the greeting; empty: the server does not offer APOP.
  const std::string& timestamp() const { return timestamp_; }
  /// The lines of CAPA as written; none if the server does not know it.
  const std::vector<std::string>& capabilities() const { return capabilities_; }
  /// By the first word, in any case.
  bool has(std::string_view capability) const;
  Task<Outcome<>> ask_capabilities();

  /// SASL with the best mechanism; else USER and PASS where nobody can read them, else APOP.
  /// `login` outlives each of these.
  Task<Outcome<>> log_in(const Login& login);
  Task<Outcome<>> log_in_by_sasl(const Login& login);
  Task<Outcome<>> log_in_by_password(const Login& login);
  Task<Outcome<>> log_in_by_apop(const Login& login);

  struct Stat {
    std::uint32_t messages = 0;
    std::uint64_t size = 0;
  };
  struct Sized {
    std::uint32_t number = 0;
    std::uint64_t size = 0;
  };
  struct Identified {
    std::uint32_t number = 0;
    std::string uid;
  };
  Task<Outcome<Stat>> stat();
  Task<Outcome<std::vector<Sized>>> list();
  Task<Outcome<std::vector<Identified>>> uidl();

  /// One message; true: it was there. `sink` outlives it.
  Task<bool> retr(std::uint32_t number, MailSink& sink);
  /// Header and the first lines of the body.
  Task<bool> top(std::uint32_t number, std::uint32_t lines, MailSink& sink);
  /// Many messages; in one go where the server pipelines. How many were there.
  Task<std::size_t> retr_all(std::vector<std::uint32_t> numbers, MailSink& sink);
  /// One message as text; TOOLARGE (ours) beyond `most` bytes.
  Task<Outcome<std::string>> retr_text(std::uint32_t number, std::size_t most = 64 * 1024 * 1024);

  Task<Outcome<>> dele(std::uint32_t number);
  Task<Outcome<>> rset();
  Task<Outcome<>> noop();
  /// What was marked is deleted only now: the server may fail at it, or the connection may be lost
  /// (thrown as everywhere). Closes.
  Task<Outcome<>> quit();

  /// One command by hand: the line without CRLF, and its status line.
  Task<Outcome<pop3::Status>> command(std::string line);

  net::Stream& stream() { return *stream_; }

 private:
  void say(std::string_view line, std::string_view shown = {});
  Task<pop3::Status> read_status();
  /// Status or refusal of the next reply.
  Task<Outcome<pop3::Status>> reply();
  Task<Outcome<>> run_plain(std::string line);
  Result<LoginExchange> begin_exchange(const Login& login) const;
  class AuthWire;
  Task<Outcome<>> authenticate(LoginExchange exchange, bool show_secrets);
  Task<void> read_more();
  using OnLine = std::function<void(std::string_view)>;
  Task<Outcome<>> read_list(std::string command, OnLine on_line);
  Task<bool> receive(std::uint32_t number, MailSink& sink);
  [[noreturn]] void lost(std::string why);

  std::unique_ptr<net::Stream> stream_;
  net::Input input_;
  net::Output output_;
  Pop3Limits limits_;
  Observer observer_;
  std::string timestamp_;
  std::vector<std::string> capabilities_;
};

}  // namespace hikyaku::client
