#include "client/smtp_client.h"

#include <algorithm>

#include "smtp/data.h"

namespace hikyaku::client {
namespace {

/// Commands without parameters that a pipelining client may send in one go are bounded, so that
/// both sides' buffers suffice (RFC 2920 §3.1 warns of deadlock).
constexpr std::size_t kPipelineBytes = 32 * 1024;

smtp::Reply local_failure(int code, smtp::EnhancedStatus status, std::string text) {
  return {code, status, std::move(text)};
}

}  // namespace

SmtpClient::SmtpClient(std::unique_ptr<net::Stream> stream, std::string hello,
                       SmtpTimeouts timeouts, Observer observer)
    : stream_(std::move(stream)),
      input_(*stream_),
      output_(*stream_),
      hello_(std::move(hello)),
      timeouts_(timeouts),
      observer_(std::move(observer)) {}

SmtpClient::~SmtpClient() {
  stream_->close();
}

milliseconds SmtpClient::timeout_for(smtp::Stage stage) const {
  switch (stage) {
    case smtp::Stage::Greeting:
      return timeouts_.greeting;
    case smtp::Stage::Data:
      return timeouts_.data_start;
    case smtp::Stage::Chunk:
    case smtp::Stage::EndOfData:
      return timeouts_.data_end;
    default:
      return timeouts_.command;
  }
}

void SmtpClient::say(std::string_view line, std::string_view shown) {
  if (observer_) observer_(true, shown.empty() ? line.substr(0, line.size() - 2) : shown);
  output_.append(line);
}

Task<smtp::Reply> SmtpClient::read_reply() {
  while (true) {
    input_.consume(parser_.feed(input_.available()));
    if (parser_.error())
      throw net::Disconnected(net::Disconnected::Why::Closed,
                              "not an SMTP reply: " + parser_.error()->text);
    if (parser_.ready()) break;
    if (input_.fill_now()) continue;
    co_await output_.flush();
    if (co_await input_.fill() == net::Input::Filled::End) {
      throw net::Disconnected(net::Disconnected::Why::Closed, "the server closed the connection");
    }
  }
  auto reply = parser_.take();
  if (reply.closes()) usable_ = false;
  if (observer_) {
    auto lines = reply.lines();
    for (auto& line : lines) {
      auto status = reply.status ? reply.status->to_string() + " " : std::string();
      observer_(false, fmt::format("{}{}{}{}", reply.code, &line == &lines.back() ? " " : "-",
                                   status, line));
    }
  }
  co_return reply;
}

Task<smtp::Reply> SmtpClient::reply_to(smtp::Stage stage) {
  auto limit = timeout_for(stage);
  stream_->set_timeout(limit);
  // For the reply as a whole: a server that says a word now and then would hold us for days.
  stream_->set_total_timeout(limit);
  auto reply = co_await read_reply();
  stream_->set_total_timeout(milliseconds(0));
  co_return reply;
}

Task<SmtpClient::Outcome<>> SmtpClient::greet() {
  auto greeting = co_await reply_to(smtp::Stage::Greeting);
  if (!greeting.positive())
    co_return std::unexpected(Refusal{smtp::Stage::Greeting, std::move(greeting)});
  co_return co_await say_hello();
}

Task<SmtpClient::Outcome<>> SmtpClient::say_hello() {
  say("EHLO " + hello_ + "\r\n");
  auto reply = co_await reply_to(smtp::Stage::Hello);
  if (smtp::should_try_helo(reply)) {
    say("HELO " + hello_ + "\r\n");
    reply = co_await reply_to(smtp::Stage::Hello);
  }
  if (!reply.positive()) co_return std::unexpected(Refusal{smtp::Stage::Hello, std::move(reply)});
  offers_ = smtp::parse_ehlo(reply);
  co_return Outcome<>{};
}

Task<SmtpClient::TlsResult> SmtpClient::start_tls(const net::ClientTls& tls,
                                                  std::string server_name) {
  say("STARTTLS\r\n");
  auto reply = co_await reply_to(smtp::Stage::StartTls);
  if (!reply.positive()) co_return TlsResult{Refusal{smtp::Stage::StartTls, std::move(reply)}, {}};
  // What came in clear behind the reply must not be taken for what comes under TLS.
  input_.drop();
  parser_ = smtp::ReplyParser();
  auto info = co_await stream_->start_tls(tls, std::move(server_name));
  if (!info) co_return TlsResult{{}, std::move(info).error()};
  auto hello = co_await say_hello();
  if (!hello) co_return TlsResult{std::move(hello).error(), {}};
  co_return TlsResult{};
}

Task<SmtpClient::TlsResult> SmtpClient::secure(const net::ClientTls& tls, std::string server_name) {
  stream_->set_timeout(timeouts_.greeting);
  auto info = co_await stream_->start_tls(tls, std::move(server_name));
  if (!info) co_return TlsResult{{}, std::move(info).error()};
  co_return TlsResult{};
}

Task<SmtpClient::Outcome<>> SmtpClient::log_in(const Login& login) {
  auto exchange = LoginExchange::begin(*stream_, offers_.auth, login);
  if (!exchange) {
    co_return std::unexpected(
        Refusal{smtp::Stage::Auth, local_failure(504, {5, 5, 4}, exchange.error().describe())});
  }
  co_return co_await authenticate(std::move(*exchange), login.show_secrets);
}

/// AUTH (RFC 4954 §4): 334 asks.
class SmtpClient::AuthWire final : public LoginWire {
 public:
  explicit AuthWire(SmtpClient& client) : client_(client) {}
  void say(std::string_view line, std::string_view shown) override {
    auto whole = fmt::format("{}\r\n", line);
    client_.say(whole, shown);
    crypto::wipe(whole);
  }
  Task<Reply> reply() override {
    last = co_await client_.reply_to(smtp::Stage::Auth);
    if (last.code == 334) co_return Reply{Reply::Kind::Challenge, last.text};
    co_return Reply{last.positive() ? Reply::Kind::Accepted : Reply::Kind::Refused};
  }
  void close() override { client_.stream_->close(); }

  smtp::Reply last;

 private:
  SmtpClient& client_;
};

Task<SmtpClient::Outcome<>> SmtpClient::authenticate(LoginExchange exchange, bool show_secrets) {
  AuthWire wire(*this);
  // RFC 4954 §4: a line may have 12,288 octets; no mechanism of ours comes near.
  auto accepted = co_await exchange.run(wire, {.command = "AUTH", .show_secrets = show_secrets});
  if (!accepted)
    co_return std::unexpected(
        Refusal{smtp::Stage::Auth, local_failure(535, {5, 7, 8}, accepted.error().describe())});
  if (!*accepted) co_return std::unexpected(Refusal{smtp::Stage::Auth, std::move(wire.last)});
  co_return Outcome<>{};
}

/// One message on its way: what was said and answered so far.
struct SmtpClient::Sending {
  std::vector<RecipientResult> results;
  std::vector<std::size_t> asked;  ///< recipients whose RCPT was (or will be) said
  std::vector<std::string> lines;  ///< … in these commands
  std::size_t said = 0;            ///< so many of them
  bool data_said = false;
  bool refused = false;  ///< MAIL was
  std::size_t accepted = 0;

  void all(smtp::Stage stage, const smtp::Reply& reply) {
    for (auto& result : results) result = {stage, reply};
  }
  /// For those who had a good answer so far.
  void accepted_ones(smtp::Stage stage, const smtp::Reply& reply) {
    for (auto i : asked)
      if (results[i].reply.positive()) results[i] = {stage, reply};
  }
  /// 421 to the RCPT of asked[n] ends it all: no more answers come.
  void closed_at(std::size_t n) {
    auto last = results[asked[n]].reply;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (i > n || results[asked[i]].reply.positive())
        results[asked[i]] = {smtp::Stage::Rcpt, last};
    }
  }
};

Task<std::vector<SmtpClient::RecipientResult>> SmtpClient::send(
    smtp::Outgoing message, const std::vector<Recipient>& recipients, MessageSource& source) {
  Sending sending;
  sending.results.resize(recipients.size());
  auto mail = smtp::mail_command(message, offers_);
  if (!mail) {
    sending.all(smtp::Stage::Mail, mail.error());
    co_return std::move(sending.results);
  }
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    auto line = smtp::rcpt_command(recipients[i].to, recipients[i].parameters, offers_);
    if (!line) {
      sending.results[i] = {smtp::Stage::Rcpt, line.error()};
      continue;
    }
    sending.asked.push_back(i);
    sending.lines.push_back(std::move(*line));
  }
  if (sending.asked.empty()) co_return std::move(sending.results);

  if (co_await begin_mail(sending, *mail) && co_await name_recipients(sending) &&
      co_await begin_data(sending)) {
    auto done = co_await send_data(source);
    in_transaction_ = false;
    sending.accepted_ones(smtp::Stage::EndOfData, done);
  }
  co_return std::move(sending.results);
}

/// MAIL, every RCPT and DATA go out together when the server pipelines (RFC 2920 §3.1).
void SmtpClient::say_more(Sending& sending) {
  while (sending.said < sending.lines.size() && output_.size() < kPipelineBytes)
    say(sending.lines[sending.said++]);
  if (sending.said == sending.lines.size() && !std::exchange(sending.data_said, true))
    say("DATA\r\n");
}

/// MAIL, and RSET where it is needed. False: there is nothing more to be said or heard.
Task<bool> SmtpClient::begin_mail(Sending& sending, const std::string& mail) {
  // A transaction without an end of data is still there (RFC 5321 §4.1.4): MAIL would be nested.
  auto reset = std::exchange(in_transaction_, true);
  if (reset) say("RSET\r\n");
  say(mail);
  if (offers_.pipelining) say_more(sending);
  if (reset) {
    auto reply = co_await reply_to(smtp::Stage::Mail);
    if (!usable_) {
      sending.all(smtp::Stage::Mail, reply);
      co_return false;
    }
  }
  auto reply = co_await reply_to(smtp::Stage::Mail);
  if (reply.positive()) co_return true;
  sending.refused = true;
  for (auto i : sending.asked) sending.results[i] = {smtp::Stage::Mail, reply};
  // What was pipelined behind it is answered, too.
  co_return offers_.pipelining&& usable_;
}

/// The answers to every RCPT. False: the connection is of no more use.
Task<bool> SmtpClient::name_recipients(Sending& sending) {
  for (std::size_t n = 0; n < sending.asked.size(); ++n) {
    if (n >= sending.said) {
      if (offers_.pipelining)
        say_more(sending);
      else
        say(sending.lines[sending.said++]);
    }
    auto reply = co_await reply_to(smtp::Stage::Rcpt);
    if (sending.refused && usable_) continue;
    if (sending.refused) co_return false;
    sending.accepted += reply.positive();
    sending.results[sending.asked[n]] = {smtp::Stage::Rcpt, std::move(reply)};
    if (!usable_) {
      sending.closed_at(n);
      co_return false;
    }
  }
  co_return true;
}

/// DATA, unless nobody is left. True: the server waits for the message, and for somebody.
Task<bool> SmtpClient::begin_data(Sending& sending) {
  if (!offers_.pipelining && sending.accepted > 0) {
    say("DATA\r\n");
    sending.data_said = true;
  }
  if (!sending.data_said) co_return false;
  auto go_ahead = co_await reply_to(smtp::Stage::Data);
  if (!go_ahead.intermediate()) {
    if (!sending.refused && sending.accepted > 0)
      sending.accepted_ones(smtp::Stage::Data, go_ahead);
    co_return false;
  }
  if (sending.accepted > 0) co_return true;
  // The server takes data for nobody: an empty message ends the misunderstanding.
  output_.append(".\r\n");
  co_await reply_to(smtp::Stage::EndOfData);
  in_transaction_ = false;
  co_return false;
}

Task<smtp::Reply> SmtpClient::send_data(MessageSource& source) {
  stream_->set_timeout(timeouts_.data_block);
  smtp::DataEncoder encoder;
  std::string wire;
  while (true) {
    auto piece = co_await source.next();
    if (!piece) {
      usable_ = false;
      stream_->close();
      co_return local_failure(451, {4, 3, 0},
                              "cannot read the message: " + piece.error().describe());
    }
    if (piece->empty()) break;
    wire.clear();
    if (auto encoded = encoder.feed(*piece, wire); !encoded) {
      usable_ = false;
      stream_->close();
      co_return local_failure(554, {5, 6, 0}, encoded.error().text);
    }
    co_await output_.write(wire);
  }
  wire.clear();
  if (auto ended = encoder.finish(wire); !ended) {
    usable_ = false;
    stream_->close();
    co_return local_failure(554, {5, 6, 0}, ended.error().text);
  }
  if (observer_) observer_(true, ".");
  co_await output_.write(wire);
  co_return co_await reply_to(smtp::Stage::EndOfData);
}

Task<smtp::Reply> SmtpClient::command(std::string line, smtp::Stage stage) {
  say(line + "\r\n");
  co_return co_await reply_to(stage);
}

Task<bool> SmtpClient::reset() {
  auto reply = co_await command("RSET");
  co_return reply.positive();
}

Task<void> SmtpClient::quit() {
  try {
    stream_->set_timeout(seconds(5));
    stream_->set_total_timeout(seconds(5));
    say("QUIT\r\n");
    co_await output_.flush();
    co_await read_reply();
    stream_->finish();
  } catch (const net::Disconnected&) {
    // It was to end anyway.
  }
  stream_->close();
}

std::string SmtpClient::tls_summary() const {
  auto tls = stream_->tls();
  return tls ? tls->version + " " + tls->cipher : std::string();
}

}  // namespace hikyaku::client
