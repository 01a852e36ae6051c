#include "client/pop3_client.h"

#include <algorithm>

#include "base/text.h"
#include "sasl/apop.h"

namespace hikyaku::client {
namespace {

Pop3Client::Refusal ours(const Error& error) {
  return {{}, error.describe(), true};
}

/// A name or password with a line end in it would be more than one command.
bool fits_in_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

class TextSink final : public MailSink {
 public:
  explicit TextSink(std::size_t most) : most_(most) {}
  Task<void> data(std::string_view bytes) override {
    too_large |= text.size() + bytes.size() > most_;
    if (!too_large) text += bytes;
    co_return;
  }
  Task<void> refused(std::uint32_t, const pop3::Status& status) override {
    refusal = {status.code, status.text};
    co_return;
  }
  std::string text;
  Pop3Client::Refusal refusal;
  bool too_large = false;

 private:
  std::size_t most_;
};

}  // namespace

Task<void> MailSink::begin(std::uint32_t) {
  co_return;
}
Task<void> MailSink::end(std::uint32_t) {
  co_return;
}
Task<void> MailSink::refused(std::uint32_t, const pop3::Status&) {
  co_return;
}

std::string Pop3Client::Refusal::describe() const {
  auto result = printable(text, 500);
  if (!code.empty()) result.insert(0, "[" + code + "] ");
  return ours ? result : "-ERR " + result;
}

Pop3Client::Pop3Client(std::unique_ptr<net::Stream> stream, Pop3Limits limits, Observer observer)
    : stream_(std::move(stream)),
      input_(*stream_),
      output_(*stream_),
      limits_(limits),
      observer_(std::move(observer)) {
  stream_->set_timeout(limits_.timeout);
}

Pop3Client::~Pop3Client() {
  stream_->close();
}

// --- lines ---

void Pop3Client::lost(std::string why) {
  stream_->close();
  throw net::Disconnected(net::Disconnected::Why::Closed, std::move(why));
}

void Pop3Client::say(std::string_view line, std::string_view shown) {
  if (observer_) observer_(true, shown.empty() ? line : shown);
  output_.append(line);
  output_.append("\r\n");
}

Task<void> Pop3Client::read_more() {
  if (input_.fill_now()) co_return;
  co_await output_.flush();
  if (co_await input_.fill() == net::Input::Filled::End) lost("the server closed the connection");
}

Task<pop3::Status> Pop3Client::read_status() {
  std::string line;
  while (true) {
    auto bytes = input_.available();
    auto newline = bytes.find('\n');
    auto piece = bytes.substr(0, newline);
    if (line.size() + piece.size() > limits_.line)
      lost(fmt::format("a POP3 reply of more than {} bytes", limits_.line));
    line += piece;
    if (newline != std::string_view::npos) {
      input_.consume(newline + 1);
      break;
    }
    input_.consume(bytes.size());
    co_await read_more();
  }
  if (line.ends_with('\r')) line.pop_back();
  if (observer_) observer_(false, line);
  auto status = pop3::parse_status(line);
  if (!status) lost("not POP3: " + status.error().describe());
  co_return std::move(*status);
}

Task<Pop3Client::Outcome<pop3::Status>> Pop3Client::reply() {
  auto status = co_await read_status();
  if (status.kind == pop3::Status::Kind::Err)
    co_return std::unexpected(Refusal{std::move(status.code), std::move(status.text)});
  if (status.kind == pop3::Status::Kind::Challenge) lost("not POP3: a challenge out of place");
  co_return status;
}

Task<Pop3Client::Outcome<pop3::Status>> Pop3Client::command(std::string line) {
  say(line);
  co_return co_await reply();
}

Task<Pop3Client::Outcome<>> Pop3Client::run_plain(std::string line) {
  auto done = co_await command(std::move(line));
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Outcome<>{};
}

Task<Pop3Client::Outcome<>> Pop3Client::read_list(std::string command_line, OnLine on_line) {
  auto status = co_await command(std::move(command_line));
  if (!status) co_return std::unexpected(std::move(status).error());
  pop3::BodyDecoder decoder;
  std::string text;
  std::size_t entries = 0;
  for (bool over = false; !over;) {
    auto left = input_.available();
    auto size = left.size();
    over = decoder.next(left, text);
    input_.consume(size - left.size());
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      auto line = std::string_view(text).substr(begin, end - begin);
      begin = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (++entries > limits_.entries) lost("a list of too many lines");
      if (observer_) observer_(false, line);
      on_line(line);
    }
    text.erase(0, begin);
    if (text.size() > limits_.line) lost(fmt::format("a line of more than {} bytes", limits_.line));
    if (!over) co_await read_more();
  }
  if (observer_) observer_(false, ".");
  co_return Outcome<>{};
}

// --- connecting ---

Task<Pop3Client::TlsResult> Pop3Client::secure(const net::ClientTls& tls, std::string server_name) {
  auto info = co_await stream_->start_tls(tls, std::move(server_name));
  if (!info) co_return TlsResult{{}, std::move(info).error()};
  co_return TlsResult{};
}

Task<Pop3Client::Outcome<>> Pop3Client::greet() {
  auto greeting = co_await reply();
  if (!greeting) co_return std::unexpected(std::move(greeting).error());
  timestamp_ = pop3::apop_timestamp(greeting->text).value_or("");
  co_return co_await ask_capabilities();
}

Task<Pop3Client::Outcome<>> Pop3Client::ask_capabilities() {
  std::vector<std::string> lines;
  auto done = co_await read_list("CAPA", [&](auto line) { lines.emplace_back(line); });
  // Servers from before RFC 2449 do not know the command: they have none.
  capabilities_ = done ? std::move(lines) : std::vector<std::string>();
  co_return Outcome<>{};
}

bool Pop3Client::has(std::string_view capability) const {
  return std::ranges::any_of(capabilities_, [&](std::string_view line) {
    return iequals(line.substr(0, line.find(' ')), capability);
  });
}

Task<Pop3Client::TlsResult> Pop3Client::start_tls(const net::ClientTls& tls,
                                                  std::string server_name) {
  auto reply = co_await command("STLS");
  if (!reply) co_return TlsResult{std::move(reply).error(), {}};
  // What came in clear behind the reply must not be taken for what comes under TLS.
  input_.drop();
  capabilities_.clear();
  auto info = co_await stream_->start_tls(tls, std::move(server_name));
  if (!info) co_return TlsResult{{}, std::move(info).error()};
  auto capabilities = co_await ask_capabilities();
  if (!capabilities) co_return TlsResult{std::move(capabilities).error(), {}};
  co_return TlsResult{};
}

// --- logging in ---

/// What can be used of the mechanisms in CAPA.
Result<LoginExchange> Pop3Client::begin_exchange(const Login& login) const {
  std::vector<std::string> offered;
  for (std::string_view line : capabilities_) {
    if (!istarts_with(line, "SASL ")) continue;
    for (auto word : split(line.substr(5), ' '))
      if (!word.empty()) offered.push_back(to_upper(word));
  }
  return LoginExchange::begin(*stream_, offered, login);
}

Task<Pop3Client::Outcome<>> Pop3Client::log_in(const Login& login) {
  auto exchange = begin_exchange(login);
  if (exchange) co_return co_await authenticate(std::move(*exchange), login.show_secrets);
  if (login.mechanism) co_return std::unexpected(ours(exchange.error()));
  if (login.allow_clear || is_private(*stream_)) co_return co_await log_in_by_password(login);
  if (!timestamp_.empty()) co_return co_await log_in_by_apop(login);
  co_return std::unexpected(ours(exchange.error()));
}

Task<Pop3Client::Outcome<>> Pop3Client::log_in_by_sasl(const Login& login) {
  auto exchange = begin_exchange(login);
  if (!exchange) co_return std::unexpected(ours(exchange.error()));
  co_return co_await authenticate(std::move(*exchange), login.show_secrets);
}

/// AUTH (RFC 5034 §4): "+" asks.
class Pop3Client::AuthWire final : public LoginWire {
 public:
  explicit AuthWire(Pop3Client& client) : client_(client) {}
  void say(std::string_view line, std::string_view shown) override { client_.say(line, shown); }
  Task<Reply> reply() override {
    last = co_await client_.read_status();
    if (last.kind == pop3::Status::Kind::Challenge)
      co_return Reply{Reply::Kind::Challenge, last.text};
    co_return Reply{last.kind == pop3::Status::Kind::Err ? Reply::Kind::Refused
                                                         : Reply::Kind::Accepted};
  }
  void close() override { client_.stream_->close(); }

  pop3::Status last;

 private:
  Pop3Client& client_;
};

Task<Pop3Client::Outcome<>> Pop3Client::authenticate(LoginExchange exchange, bool show_secrets) {
  AuthWire wire(*this);
  auto accepted = co_await exchange.run(wire, {.command = "AUTH", .show_secrets = show_secrets});
  if (!accepted) co_return std::unexpected(ours(accepted.error()));
  if (!*accepted)
    co_return std::unexpected(Refusal{std::move(wire.last.code), std::move(wire.last.text)});
  co_return Outcome<>{};
}

Task<Pop3Client::Outcome<>> Pop3Client::log_in_by_password(const Login& login) {
  if (!fits_in_line(login.user) || !fits_in_line(login.password.reveal()))
    co_return std::unexpected(Refusal{{}, "name or password with a line end", true});
  auto user = co_await command("USER " + login.user);
  if (!user) co_return std::unexpected(std::move(user).error());
  auto line = fmt::format("PASS {}", login.password.reveal());
  say(line, login.show_secrets ? std::string_view() : "PASS ***");
  crypto::wipe(line);
  auto done = co_await reply();
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Outcome<>{};
}

Task<Pop3Client::Outcome<>> Pop3Client::log_in_by_apop(const Login& login) {
  if (timestamp_.empty())
    co_return std::unexpected(Refusal{{}, "the server does not offer APOP", true});
  if (!fits_in_line(login.user))
    co_return std::unexpected(Refusal{{}, "name with a line end", true});
  auto digest = sasl::apop_digest(timestamp_, login.password);
  co_return co_await run_plain(fmt::format("APOP {} {}", login.user, digest));
}

// --- the maildrop ---

Task<Pop3Client::Outcome<Pop3Client::Stat>> Pop3Client::stat() {
  auto status = co_await command("STAT");
  if (!status) co_return std::unexpected(std::move(status).error());
  auto line = pop3::parse_numbered(status->text);
  auto size = line ? parse_decimal(line->value) : std::nullopt;
  if (!size) lost("not POP3: STAT without two numbers");
  co_return Stat{line->number, *size};
}

Task<Pop3Client::Outcome<std::vector<Pop3Client::Sized>>> Pop3Client::list() {
  std::vector<Sized> found;
  auto done = co_await read_list("LIST", [&](auto text) {
    auto line = pop3::parse_numbered(text);
    auto size = line ? parse_decimal(line->value) : std::nullopt;
    if (size) found.push_back({line->number, *size});
  });
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return found;
}

Task<Pop3Client::Outcome<std::vector<Pop3Client::Identified>>> Pop3Client::uidl() {
  std::vector<Identified> found;
  auto done = co_await read_list("UIDL", [&](auto text) {
    if (auto line = pop3::parse_numbered(text))
      found.push_back({line->number, std::string(line->value)});
  });
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return found;
}

/// The reply to a RETR or TOP that was sent.
Task<bool> Pop3Client::receive(std::uint32_t number, MailSink& sink) {
  auto status = co_await read_status();
  if (status.kind != pop3::Status::Kind::Ok) {
    co_await sink.refused(number, status);
    co_return false;
  }
  co_await sink.begin(number);
  pop3::BodyDecoder decoder;
  std::string piece;
  while (true) {
    auto left = input_.available();
    auto size = left.size();
    piece.clear();
    bool over = decoder.next(left, piece);
    input_.consume(size - left.size());
    if (!piece.empty()) co_await sink.data(piece);
    if (over) break;
    co_await read_more();
  }
  if (observer_) observer_(false, ".");
  co_await sink.end(number);
  co_return true;
}

Task<bool> Pop3Client::retr(std::uint32_t number, MailSink& sink) {
  say(fmt::format("RETR {}", number));
  co_return co_await receive(number, sink);
}

Task<bool> Pop3Client::top(std::uint32_t number, std::uint32_t lines, MailSink& sink) {
  say(fmt::format("TOP {} {}", number, lines));
  co_return co_await receive(number, sink);
}

Task<std::size_t> Pop3Client::retr_all(std::vector<std::uint32_t> numbers, MailSink& sink) {
  auto window = has("PIPELINING") ? std::max<std::size_t>(1, limits_.pipeline) : 1;
  std::size_t asked = 0;
  std::size_t found = 0;
  for (std::size_t next = 0; next < numbers.size(); ++next) {
    // A half-empty window is filled in one go.
    if (asked - next <= window / 2) {
      while (asked < numbers.size() && asked - next < window)
        say(fmt::format("RETR {}", numbers[asked++]));
      co_await output_.flush();
    }
    found += co_await receive(numbers[next], sink);
  }
  co_return found;
}

Task<Pop3Client::Outcome<std::string>> Pop3Client::retr_text(std::uint32_t number,
                                                             std::size_t most) {
  TextSink sink(most);
  if (!co_await retr(number, sink)) co_return std::unexpected(std::move(sink.refusal));
  if (sink.too_large) {
    co_return std::unexpected(Refusal{"TOOLARGE", fmt::format("more than {} bytes", most), true});
  }
  co_return std::move(sink.text);
}

Task<Pop3Client::Outcome<>> Pop3Client::dele(std::uint32_t number) {
  co_return co_await run_plain(fmt::format("DELE {}", number));
}

Task<Pop3Client::Outcome<>> Pop3Client::rset() {
  co_return co_await run_plain("RSET");
}

Task<Pop3Client::Outcome<>> Pop3Client::noop() {
  co_return co_await run_plain("NOOP");
}

Task<Pop3Client::Outcome<>> Pop3Client::quit() {
  auto done = co_await run_plain("QUIT");
  stream_->finish();
  stream_->close();
  co_return done;
}

}  // namespace hikyaku::client
