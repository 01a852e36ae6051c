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

Task<SmtpClient::Outcome<>> SmtpClient::authenticate(LoginExchange exchange, bool show_secrets) {
  // RFC 4954 §4: a line may have 12,288 octets; no mechanism of ours comes near.
  auto line = fmt::format("AUTH {}", exchange.mechanism());
  auto shown = line;
  if (auto initial = exchange.initial()) {
    line += " " + (initial->empty() ? std::string("=") : *initial);
    shown += " ***";
  }
  line += "\r\n";
  say(line, show_secrets ? std::string_view() : shown);
  crypto::wipe(line);
  std::optional<Error> gave_up;
  while (true) {
    auto reply = co_await reply_to(smtp::Stage::Auth);
    if (reply.code == 334 && !gave_up) {
      auto answer = co_await exchange.answer(reply.text);
      if (!answer) {
        gave_up = answer.error();
        answer = "*";
      }
      *answer += "\r\n";
      say(*answer, show_secrets || gave_up ? std::string_view() : "***");
      crypto::wipe(*answer);
      continue;
    }
    if (gave_up) {
      // Asked on after "*": who does not let go is not answered for ever.
      if (reply.code == 334) stream_->close();
      co_return std::unexpected(
          Refusal{smtp::Stage::Auth, local_failure(535, {5, 7, 8}, gave_up->describe())});
    }
    if (!reply.positive()) co_return std::unexpected(Refusal{smtp::Stage::Auth, std::move(reply)});
    if (auto proven = exchange.finish(); !proven) {
      stream_->close();
      co_return std::unexpected(
          Refusal{smtp::Stage::Auth, local_failure(535, {5, 7, 8}, proven.error().describe())});
    }
    co_return Outcome<>{};
  }
}

Task<std::vector<SmtpClient::RecipientResult>> SmtpClient::send(
    smtp::Outgoing message, const std::vector<Recipient>& recipients, MessageSource& source) {
  std::vector<RecipientResult> results(recipients.size());
  auto fail_all = [&](smtp::Stage stage, const smtp::Reply& reply) {
    for (auto& result : results) result = {stage, reply};
  };
  auto mail = smtp::mail_command(message, offers_);
  if (!mail) {
    fail_all(smtp::Stage::Mail, mail.error());
    co_return results;
  }

  // MAIL, every RCPT and DATA go out together when the server pipelines (RFC 2920 §3.1).
  auto pipelined = offers_.pipelining;
  std::vector<std::size_t> asked;  // recipients whose RCPT was (or will be) sent
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    auto line = smtp::rcpt_command(recipients[i].to, recipients[i].parameters, offers_);
    if (!line) {
      results[i] = {smtp::Stage::Rcpt, line.error()};
      continue;
    }
    asked.push_back(i);
    lines.push_back(std::move(*line));
  }
  if (asked.empty()) co_return results;

  // A transaction without an end of data is still there (RFC 5321 §4.1.4): MAIL would be nested.
  auto reset = std::exchange(in_transaction_, true);
  if (reset) say("RSET\r\n");
  say(*mail);
  std::size_t sent = 0;
  bool data_sent = false;
  auto send_more = [&] {
    while (sent < lines.size() && output_.size() < kPipelineBytes) say(lines[sent++]);
    if (sent == lines.size() && !data_sent) {
      say("DATA\r\n");
      data_sent = true;
    }
  };
  if (pipelined) send_more();
  if (reset) {
    auto reply = co_await reply_to(smtp::Stage::Mail);
    if (!usable_) {
      fail_all(smtp::Stage::Mail, reply);
      co_return results;
    }
  }
  auto mail_reply = co_await reply_to(smtp::Stage::Mail);
  auto refused = !mail_reply.positive();
  if (refused) {
    for (auto i : asked) results[i] = {smtp::Stage::Mail, mail_reply};
    if (!pipelined || !usable_) co_return results;
  }

  std::size_t accepted = 0;
  for (std::size_t n = 0; n < asked.size(); ++n) {
    if (n >= sent) {
      if (pipelined) {
        send_more();
      } else {
        say(lines[sent++]);
      }
    }
    auto reply = co_await reply_to(smtp::Stage::Rcpt);
    if (refused && usable_) continue;
    if (refused) co_return results;
    accepted += reply.positive();
    results[asked[n]] = {smtp::Stage::Rcpt, std::move(reply)};
    // 421 ends it all: no more answers come.
    if (!usable_) {
      auto last = results[asked[n]].reply;
      for (std::size_t i = 0; i < asked.size(); ++i) {
        if (i > n || results[asked[i]].reply.positive())
          results[asked[i]] = {smtp::Stage::Rcpt, last};
      }
      co_return results;
    }
  }
  if (!pipelined && accepted > 0) {
    say("DATA\r\n");
    data_sent = true;
  }
  if (!data_sent) co_return results;

  auto go_ahead = co_await reply_to(smtp::Stage::Data);
  if (!go_ahead.intermediate()) {
    if (!refused && accepted > 0) {
      for (auto i : asked) {
        if (results[i].reply.positive()) results[i] = {smtp::Stage::Data, go_ahead};
      }
    }
    co_return results;
  }
  if (accepted == 0) {
    // The server takes data for nobody: an empty message ends the misunderstanding.
    output_.append(".\r\n");
    co_await reply_to(smtp::Stage::EndOfData);
    in_transaction_ = false;
    co_return results;
  }
  auto done = co_await send_data(source);
  in_transaction_ = false;
  for (auto i : asked) {
    if (results[i].reply.positive()) results[i] = {smtp::Stage::EndOfData, done};
  }
  co_return results;
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
