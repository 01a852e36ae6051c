#include "pop3d/session.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "net/linger.h"
#include "sasl/apop.h"
#include "store/index_error.h"

namespace hikyaku::pop3d {

namespace {
const Metrics kUncounted;
}  // namespace

Session::Session(net::Stream& stream, const Settings& settings, Services services, Log log)
    : stream_(stream),
      settings_(settings),
      services_(services),
      metrics_(services.metrics ? *services.metrics : kUncounted),
      log_(std::move(log)),
      input_(stream),
      output_(stream),
      login_until_(std::chrono::steady_clock::now() + settings.login_timeout) {
  state_.plaintext_allowed = settings.plaintext_on_loopback && stream.peer().address.is_loopback();
  if (settings.capabilities.apop)
    timestamp_ = sasl::make_timestamp(services.random.token(20), settings.host_name);
}

Task<void> Session::run() {
  stream_.set_timeout(settings_.timeout);
  if (settings_.implicit_tls && !co_await start_tls()) co_return;
  std::string greeting;
  pop3::append_reply(greeting, pop3::greeting(settings_.host_name, timestamp_));
  output_.append(greeting);
  while (!closing_) {
    auto line = co_await next_line();
    if (line) {
      co_await execute(*line);
    } else {
      answer(pop3::err("The line is too long"));
    }
    if (output_.full()) co_await output_.flush();
  }
  co_await output_.flush();
  stream_.finish();
}

Task<void> Session::execute(const std::string& line) {
  auto command = pop3::parse_command(line);
  auto verb = command ? pop3::verb_of(*command) : pop3::Verb::Unknown;
  CommandWatch watch(services_.activity, pop3::name_of(verb), metrics_.of(verb));
  if (!command) {
    answer(pop3::err(command.error().text));
    co_return;
  }
  if (auto refusal = pop3::check(state_, settings_.capabilities, *command)) {
    answer(refusal);
    co_return;
  }
  auto task = std::visit([this](auto& kind) { return handle(std::move(kind)); }, *command);
  answer(co_await std::move(task));
}

void Session::answer(const std::optional<pop3::Reply>& reply) {
  if (!reply) return;
  std::string text;
  pop3::append_reply(text, *reply);
  output_.append(text);
  if (!reply->ok && ++errors_ >= settings_.max_errors) {
    text.clear();
    pop3::append_reply(text, pop3::err("Too many errors"));
    output_.append(text);
    closing_ = true;
  }
}

Task<std::optional<std::string>> Session::next_line() {
  auto deadline = std::chrono::steady_clock::now() + settings_.timeout;
  if (state_.phase == pop3::Phase::Authorization) deadline = std::min(deadline, login_until_);
  stream_.end_by(deadline);
  if (input_.turn_is_over()) co_await input_.end_turn();
  while (true) {
    auto available = input_.available();
    auto before = available.size();
    auto event = lines_.next(available);
    std::optional<std::string> line;
    if (event == pop3::LineReader::Event::Line) line = std::string(lines_.line());
    input_.consume(before - available.size());
    if (event != pop3::LineReader::Event::NeedMore) {
      stream_.set_total_timeout(milliseconds(0));
      co_return line;
    }
    if (!input_.fill_now()) co_await need_bytes();
  }
}

void Session::count_memory() {
  if (!services_.activity) return;
  auto held = stream_.memory() + input_.memory() + output_.memory() + ahead_bytes_;
  if (maildrop_) held += maildrop_->memory();
  if (!services_.activity->hold(held)) stream_.shut_down();
}

Task<void> Session::need_bytes() {
  ahead_ = std::vector<Retrieved>();
  ahead_bytes_ = 0;
  count_memory();
  co_await output_.flush();
  while (true) {
    auto filled = co_await input_.fill();
    if (filled == net::Input::Filled::Bytes) co_return;
    if (filled == net::Input::Filled::End)
      throw net::Disconnected(net::Disconnected::Why::Closed, "the client closed the connection");
  }
}

Task<bool> Session::start_tls() {
  auto info = co_await stream_.start_tls(*services_.tls);
  if (!info) {
    log_.info("tls.failed", {{"err", info.error().text}});
    stream_.close();
    closing_ = true;
    co_return false;
  }
  state_.tls = true;
  state_.user.clear();
  co_return true;
}

Task<void> Session::say_goodbye(const pop3::Reply& reply) {
  std::string text;
  pop3::append_reply(text, reply);
  output_.append(text);
  co_await output_.flush();
  stream_.finish();
}

auth::LoginContext Session::login_context() const {
  return {.protocol = "pop3",
          .ip = stream_.peer().address,
          .tls = stream_.tls() != nullptr,
          .log = log_};
}

namespace {

/// What a session is told that is ended by this server, and the word for the log.
std::pair<pop3::Reply, std::string_view> ended_from_outside(const Activity* activity) {
  using End = Activity::End;
  switch (activity ? activity->end : End::Not) {
    case End::Kicked:
      return {pop3::err("An administrator has ended this session", pop3::kCodeSysTemp), "kicked"};
    case End::Revoked:
      return {
          pop3::err("The account or its password has changed, log in again", pop3::kCodeSysTemp),
          "revoked"};
    case End::TooMuch:
      return {pop3::err("This session takes more memory than one may", pop3::kCodeSysTemp),
              "memory"};
    case End::Crowded:
      return {pop3::err("Too much is going on here, try again later", pop3::kCodeSysTemp),
              "crowded"};
    case End::Not:
      break;
  }
  return {pop3::err("The server is shutting down", pop3::kCodeSysTemp), "shutdown"};
}

Task<void> converse(Session& session, net::Stream& stream, const Services& services,
                    const Log& log) {
  std::optional<pop3::Reply> last_words;
  std::string_view ended = "quit";
  try {
    co_await session.run();
  } catch (const net::Disconnected& gone) {
    ended = "closed";
    if (gone.why() == net::Disconnected::Why::Timeout) {
      // RFC 1939 §3: the connection is closed without a response.
      ended = "timeout";
    } else if (gone.why() == net::Disconnected::Why::Shutdown) {
      std::tie(last_words, ended) = ended_from_outside(services.activity);
    }
  } catch (const store::IndexError&) {
    // The store has told whoever runs it.
    ended = "damaged";
    last_words =
        pop3::err("A part of the server's data is damaged and cannot be read", pop3::kCodeSysTemp);
  } catch (const std::exception& defect) {
    log.error("pop3.defect", {{"err", defect.what()}});
    ended = "defect";
    last_words = pop3::err("Something went wrong here", pop3::kCodeSysTemp);
  }
  if (last_words) {
    try {
      stream.set_total_timeout(milliseconds(0));
      stream.set_timeout(std::chrono::seconds(5));
      co_await session.say_goodbye(*last_words);
    } catch (const net::Disconnected&) {
      // It does not listen any more.
    }
  }
  log.info("pop3.end", {{"why", ended}, {"user", session.user()}});
}

}  // namespace

Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log) {
  Session session(*stream, settings, services, log);
  co_await converse(session, *stream, services, log);
  if (services.activity) services.activity->end_with(stream->bytes_in(), stream->bytes_out());
  co_await net::linger(*stream);
}

}  // namespace hikyaku::pop3d
