// The connection: reading, writing, TLS, logging in. The commands are in imap_commands.cc.
#include "client/imap_client.h"

#include <algorithm>

#include "base/text.h"
#include "imap/quote.h"
#include "imap/scanner.h"

namespace hikyaku::client {
namespace {

using Kind = ImapClient::Refusal::Kind;

/// A line that an observer is shown is cut here.
constexpr std::size_t kMaxShown = 64 * 1024;

ImapClient::Refusal refusal_of(const imap::Response& response) {
  auto kind = Kind::No;
  if (response.is("BAD")) kind = Kind::Bad;
  if (response.is("BYE")) kind = Kind::Bye;
  return {kind, response.code, response.text};
}

ImapClient::Refusal ours(const Error& error) {
  return {Kind::Ours, {}, error.describe()};
}

}  // namespace

Task<void> FetchSink::message(const imap::Response&) {
  co_return;
}
Task<void> FetchSink::begin(const imap::FetchData&, std::string_view, std::uint64_t) {
  co_return;
}
Task<void> FetchSink::data(std::string_view) {
  co_return;
}
Task<void> FetchSink::end() {
  co_return;
}

std::string ImapClient::Refusal::describe() const {
  static constexpr std::string_view kNames[] = {"NO ", "BAD ", "BYE ", ""};
  std::string result(kNames[static_cast<int>(kind)]);
  if (!code.empty()) result += "[" + code + "] ";
  return result + printable(text, 500);
}

ImapClient::ImapClient(std::unique_ptr<net::Stream> stream, ImapTimeouts timeouts,
                       Observer observer, ImapReplyLimits limits)
    : stream_(std::move(stream)),
      input_(*stream_),
      output_(*stream_),
      timeouts_(timeouts),
      limits_(limits),
      observer_(std::move(observer)) {}

ImapClient::~ImapClient() {
  stream_->close();
}

// --- reading ---

/// Shows the observer what was read, line by line.
void ImapClient::watch(std::string_view bytes) {
  while (!bytes.empty()) {
    auto newline = bytes.find('\n');
    auto piece = bytes.substr(0, newline);
    seen_line_ += piece.substr(0, kMaxShown - std::min(kMaxShown, seen_line_.size()));
    if (newline == std::string_view::npos) return;
    bytes.remove_prefix(newline + 1);
    if (seen_line_.ends_with('\r')) seen_line_.pop_back();
    observer_(false, seen_line_);
    seen_line_.clear();
  }
}

Task<ImapClient::Read> ImapClient::read(FetchSink* sink) {
  using Event = imap::ResponseParser::Event;
  while (true) {
    auto before = input_.available();
    auto left = before;
    auto event = parser_.next(left);
    auto used = before.size() - left.size();
    if (event != Event::ContentData) response_ += used;
    if (observer_ && event != Event::ContentData) watch(before.substr(0, used));
    switch (event) {
      case Event::Response: {
        input_.consume(used);
        auto response = parser_.take_response();
        check_length(response);
        absorb(response);
        if (sink && response.is("FETCH")) co_await sink->message(response);
        co_return response;
      }
      case Event::ContentBegin:
        if (sink) {
          auto so_far = imap::read_fetch(parser_.response());
          co_await sink->begin(so_far ? *so_far : imap::FetchData{}, parser_.label(),
                               parser_.size());
        }
        break;
      case Event::ContentData:
        // It may lie in the input: used up only afterwards.
        if (sink) co_await sink->data(parser_.data());
        break;
      case Event::ContentEnd:
        if (sink) co_await sink->end();
        break;
      case Event::Fatal:
        stream_->close();
        throw net::Disconnected(net::Disconnected::Why::Closed,
                                "not IMAP: " + parser_.error().describe());
      case Event::NeedMore:
        break;
    }
    input_.consume(used);
    if (event != Event::NeedMore || input_.fill_now()) continue;
    co_await output_.flush();
    switch (co_await input_.fill()) {
      case net::Input::Filled::Bytes:
        break;
      case net::Input::Filled::Woken:
        co_return std::nullopt;
      case net::Input::Filled::End:
        throw net::Disconnected(net::Disconnected::Why::Closed,
                                bye_.empty() ? "the server closed the connection"
                                             : "the server ended the connection: " + bye_);
    }
  }
}

void ImapClient::check_length(const imap::Response& response) {
  if (response.kind == imap::Response::Kind::Tagged) {
    kept_ = fetched_ = response_ = 0;
    return;
  }
  auto fetch = response.is("FETCH");
  auto& bytes = fetch ? fetched_ : kept_;
  auto limit = fetch ? limits_.fetched : limits_.kept;
  bytes += std::exchange(response_, 0);
  if (bytes <= limit) return;
  stream_->close();
  throw net::Disconnected(net::Disconnected::Why::Closed,
                          fmt::format("the answer to one command has more than {} bytes", limit));
}

Task<imap::Response> ImapClient::read_response(FetchSink* sink) {
  while (true) {
    auto response = co_await read(sink);
    if (response) co_return std::move(*response);
  }
}

void ImapClient::set_capabilities(const imap::Response& response) {
  capabilities_ = imap::read_capabilities(response);
  told_capabilities_ = true;
}

void ImapClient::absorb_code(const imap::Response& response) {
  auto number = [&]() -> std::uint64_t {
    if (response.code_values.empty()) return 0;
    return response.code_values.front().number().value_or(0);
  };
  if (response.code == "CAPABILITY") {
    set_capabilities(response);
  } else if (response.code == "UIDVALIDITY") {
    selected_.uid_validity = static_cast<std::uint32_t>(number());
  } else if (response.code == "UIDNEXT") {
    selected_.uid_next = static_cast<std::uint32_t>(number());
  } else if (response.code == "HIGHESTMODSEQ") {
    selected_.highest_modseq = number();
  } else if (response.code == "READ-ONLY") {
    selected_.read_only = true;
  } else if (response.code == "READ-WRITE") {
    selected_.read_only = false;
  } else if (response.code == "PERMANENTFLAGS" && !response.code_values.empty()) {
    selected_.permanent_flags = {};
    for (auto& flag : response.code_values.front().items) {
      if (flag.text == "\\*") selected_.any_keyword = true;
      (void)imap::add_flag(selected_.permanent_flags, flag.text);
    }
  }
}

/// What every answer tells about the connection and the selected mailbox.
void ImapClient::absorb(const imap::Response& response) {
  if (response.is_status()) {
    absorb_code(response);
    if (response.kind == imap::Response::Kind::Untagged && response.is("BYE"))
      bye_ = printable(response.text, 500);
    return;
  }
  if (response.is("CAPABILITY")) {
    set_capabilities(response);
  } else if (response.is("EXISTS")) {
    selected_.exists = response.number.value_or(0);
  } else if (response.is("EXPUNGE")) {
    if (selected_.exists > 0) --selected_.exists;
  } else if (response.is("FLAGS") && !response.values.empty()) {
    selected_.flags = {};
    for (auto& flag : response.values.front().items)
      (void)imap::add_flag(selected_.flags, flag.text);
  }
}

// --- writing ---

std::string ImapClient::next_tag() {
  return fmt::format("a{}", ++tags_);
}

void ImapClient::say(std::string_view line, std::string_view shown) {
  if (observer_) {
    auto text = shown.empty() ? line : shown;
    if (text.ends_with("\r\n")) text.remove_suffix(2);
    observer_(true, text);
  }
  output_.append(line);
}

/// Waits until the server asks for the rest of the command; or it answers the command at once.
Task<ImapClient::Outcome<>> ImapClient::await_continuation() {
  while (true) {
    auto response = co_await read_response();
    if (response.kind == imap::Response::Kind::Continuation) co_return Outcome<>{};
    if (response.kind == imap::Response::Kind::Tagged)
      co_return std::unexpected(refusal_of(response));
  }
}

Task<ImapClient::Outcome<>> ImapClient::send(std::string text, std::string shown) {
  stream_->set_timeout(timeouts_.command);
  std::string_view left = text;
  bool plus = has("LITERAL+");
  while (true) {
    auto line_end = left.find("\r\n");
    auto line = left.substr(0, line_end);
    auto literal = imap::literal_at_end(line);
    if (!literal || line_end == std::string_view::npos) {
      say(left, shown);
      co_return Outcome<>{};
    }
    if (literal->synchronizing && (plus || (has("LITERAL-") && literal->size <= 4096))) {
      say(fmt::format("{}{{{}+}}\r\n", line.substr(0, literal->begin), literal->size), shown);
    } else {
      say(left.substr(0, line_end + 2), shown);
      if (literal->synchronizing) {
        if (auto asked = co_await await_continuation(); !asked)
          co_return std::unexpected(std::move(asked).error());
      }
    }
    left.remove_prefix(line_end + 2);
    auto content = left.substr(0, literal->size);
    co_await output_.write(content);
    left.remove_prefix(content.size());
  }
}

Task<ImapClient::Outcome<imap::Response>> ImapClient::finish(std::string tag,
                                                             OnResponse on_response,
                                                             FetchSink* sink) {
  while (true) {
    auto response = co_await read_response(sink);
    if (response.kind == imap::Response::Kind::Tagged) {
      // Anything else is the answer to a command that was given up.
      if (response.tag != tag) continue;
      if (!response.is("OK")) co_return std::unexpected(refusal_of(response));
      co_return response;
    }
    if (response.kind == imap::Response::Kind::Untagged && on_response) on_response(response);
  }
}

Task<ImapClient::Outcome<imap::Response>> ImapClient::run(std::string line, OnResponse on_response,
                                                          FetchSink* sink) {
  auto tag = next_tag();
  if (auto sent = co_await send(tag + " " + line + "\r\n"); !sent)
    co_return std::unexpected(std::move(sent).error());
  co_return co_await finish(std::move(tag), std::move(on_response), sink);
}

Task<ImapClient::Outcome<>> ImapClient::run_plain(std::string line) {
  auto done = co_await run(std::move(line));
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Outcome<>{};
}

// --- connecting ---

Task<ImapClient::TlsResult> ImapClient::secure(const net::ClientTls& tls, std::string server_name) {
  stream_->set_timeout(timeouts_.greeting);
  auto info = co_await stream_->start_tls(tls, std::move(server_name));
  if (!info) co_return TlsResult{{}, std::move(info).error()};
  co_return TlsResult{};
}

Task<ImapClient::Outcome<>> ImapClient::greet() {
  stream_->set_timeout(timeouts_.greeting);
  auto greeting = co_await read_response();
  if (greeting.is("PREAUTH"))
    logged_in_ = true;
  else if (!greeting.is("OK"))
    co_return std::unexpected(refusal_of(greeting));
  if (told_capabilities_) co_return Outcome<>{};
  co_return co_await ask_capabilities();
}

Task<ImapClient::Outcome<>> ImapClient::ask_capabilities() {
  co_return co_await run_plain("CAPABILITY");
}

bool ImapClient::has(std::string_view capability) const {
  return std::ranges::find(capabilities_, capability) != capabilities_.end();
}

Task<ImapClient::TlsResult> ImapClient::start_tls(const net::ClientTls& tls,
                                                  std::string server_name) {
  auto reply = co_await run("STARTTLS");
  if (!reply) co_return TlsResult{std::move(reply).error(), {}};
  // What came in clear behind the reply must not be taken for what comes under TLS; nor may the
  // capabilities that anybody could have written (RFC 9051 §6.2.1).
  input_.drop();
  parser_ = imap::ResponseParser();
  seen_line_.clear();
  capabilities_.clear();
  auto info = co_await stream_->start_tls(tls, std::move(server_name));
  if (!info) co_return TlsResult{{}, std::move(info).error()};
  auto capabilities = co_await ask_capabilities();
  if (!capabilities) co_return TlsResult{std::move(capabilities).error(), {}};
  co_return TlsResult{};
}

Task<ImapClient::Outcome<>> ImapClient::log_in(const Login& login) {
  std::vector<std::string> offered;
  for (auto& capability : capabilities_)
    if (capability.starts_with("AUTH=")) offered.push_back(capability.substr(5));
  auto exchange = LoginExchange::begin(*stream_, offered, login);
  if (exchange) co_return co_await authenticate(std::move(*exchange), login.show_secrets);
  bool by_command = !login.mechanism && login.act_as.empty() && !has("LOGINDISABLED") &&
                    (login.allow_clear || is_private(*stream_));
  if (!by_command) co_return std::unexpected(ours(exchange.error()));
  auto tag = next_tag();
  auto line = tag + " LOGIN ";
  auto shown = line + "*** ***";
  imap::append_astring(line, login.user);
  line += ' ';
  imap::append_astring(line, login.password.reveal());
  line += "\r\n";
  told_capabilities_ = false;
  auto sent = co_await send(line, login.show_secrets ? std::string() : shown);
  crypto::wipe(line);
  if (!sent) co_return sent;
  auto reply = co_await finish(std::move(tag), {});
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return co_await logged_in_by(std::move(*reply));
}

/// AUTHENTICATE (RFC 9051 §6.2.2): "+" asks.
class ImapClient::AuthWire final : public LoginWire {
 public:
  explicit AuthWire(ImapClient& client) : client_(client) {}
  void say(std::string_view line, std::string_view shown) override {
    auto whole = fmt::format("{}\r\n", line);
    client_.say(whole, shown);
    crypto::wipe(whole);
  }
  Task<Reply> reply() override {
    while (true) {
      last = co_await client_.read_response();
      if (last.kind == imap::Response::Kind::Continuation)
        co_return Reply{Reply::Kind::Challenge, last.text};
      if (last.kind == imap::Response::Kind::Tagged)
        co_return Reply{last.is("OK") ? Reply::Kind::Accepted : Reply::Kind::Refused};
    }
  }
  void close() override { client_.stream_->close(); }

  imap::Response last;

 private:
  ImapClient& client_;
};

Task<ImapClient::Outcome<>> ImapClient::authenticate(LoginExchange exchange, bool show_secrets) {
  stream_->set_timeout(timeouts_.command);
  told_capabilities_ = false;
  AuthWire wire(*this);
  auto accepted = co_await exchange.run(wire, {.command = next_tag() + " AUTHENTICATE",
                                               .initial_response = has("SASL-IR"),
                                               .show_secrets = show_secrets});
  if (!accepted) co_return std::unexpected(ours(accepted.error()));
  if (!*accepted) co_return std::unexpected(refusal_of(wire.last));
  co_return co_await logged_in_by(std::move(wire.last));
}

Task<ImapClient::Outcome<>> ImapClient::logged_in_by(imap::Response) {
  logged_in_ = true;
  if (told_capabilities_) co_return Outcome<>{};
  co_return co_await ask_capabilities();
}

Task<ImapClient::Outcome<imap::Response>> ImapClient::command(std::string line,
                                                              OnResponse on_response) {
  co_return co_await run(std::move(line), std::move(on_response));
}

Task<void> ImapClient::log_out() {
  try {
    stream_->set_timeout(seconds(5));
    auto tag = next_tag();
    say(tag + " LOGOUT\r\n");
    co_await output_.flush();
    co_await finish(std::move(tag), {});
    stream_->finish();
  } catch (const net::Disconnected&) {
    // It was to end anyway.
  }
  stream_->close();
}

}  // namespace hikyaku::client
