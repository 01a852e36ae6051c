#include "smtpd/session.h"

#include <algorithm>
#include <fmt/core.h>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "net/linger.h"
#include "smtp/replies.h"
#include "store/index_error.h"

namespace hikyaku::smtpd {

namespace replies = smtp::replies;

namespace {

const Metrics kUncounted;

const smtp::Settings& protocol_for(const net::Stream& stream, const Settings& settings) {
  auto in_clear = settings.plaintext_on_loopback && stream.peer().address.is_loopback();
  return in_clear ? settings.protocol_on_loopback : settings.protocol;
}

}  // namespace

Session::Session(net::Stream& stream, const Settings& settings, Services services, Log log)
    : stream_(stream),
      settings_(settings),
      services_(services),
      metrics_(services.metrics ? *services.metrics : kUncounted),
      log_(std::move(log)),
      input_(stream),
      output_(stream),
      lines_(settings.line_limits),
      state_(protocol_for(stream, settings)) {
  has_proved_useful();
  auto& flavour = state_.settings().flavour;
  if (flavour == smtp::Flavour::Submission || flavour == smtp::Flavour::Submissions)
    useful_until_ = std::chrono::steady_clock::now() + settings_.login_timeout;
  if (auto process = stream.peer_process()) state_.logged_in(fmt::format("uid {}", process->uid));
}

namespace {
/// Passwords stand in AUTH's initial response, and in what is no command: the answers of a client
/// that does not wait and whose AUTH was refused.
std::string_view shown_in_log(std::string_view line, smtp::Verb verb) {
  if (verb == smtp::Verb::Auth) return "AUTH …";
  return verb == smtp::Verb::Unknown ? "…" : line;
}
}  // namespace

Task<void> Session::run() {
  stream_.set_timeout(settings_.command_timeout);
  if (state_.settings().flavour == smtp::Flavour::Submissions && !co_await start_tls()) co_return;
  write(replies::greeting(state_.settings().host_name));
  while (!closing_) {
    auto line = co_await next_line();
    if (!line) {
      co_await answer(smtp::Verb::Unknown, line.error());
      continue;
    }
    auto command = smtp::parse_command(*line);
    auto verb = command ? smtp::verb_of(*command) : command.error().verb;
    log_.trace("smtp.line", {{"line", shown_in_log(*line, verb)}});
    if (!command) {
      co_await answer(verb, command.error().reply);
      continue;
    }
    co_await execute(std::move(*command));
  }
  co_await output_.flush();
  stream_.finish();
}

Task<void> Session::execute(smtp::Command command) {
  auto verb = smtp::verb_of(command);
  CommandWatch watch(services_.activity, smtp::to_string(verb), metrics_.of(verb));
  if (auto refusal = smtp::check(state_, command)) {
    if (auto bdat = std::get_if<smtp::Bdat>(&command)) co_await skip_chunk(bdat->size);
    co_await answer(verb, std::move(*refusal));
    co_return;
  }
  auto task = std::visit([this](auto& kind) { return handle(std::move(kind)); }, command);
  std::optional<smtp::Reply> reply;
  try {
    reply = co_await std::move(task);
  } catch (const store::IndexError&) {
    // The store has told whoever runs it. What is left of a message would be taken for commands.
    if (verb == smtp::Verb::Data || verb == smtp::Verb::Bdat) throw;
    reply = replies::internal_error();
  }
  co_await answer(verb, std::move(*reply));
}

Task<void> Session::answer(smtp::Verb verb, smtp::Reply reply) {
  if (reply == kAnswered) co_return;
  if (auto instead = state_.count(verb, reply)) reply = std::move(*instead);
  if (verb == smtp::Verb::Rcpt) metrics_.recipients.add(reply);
  write(reply);
  if (reply.closes()) closing_ = true;
  if (!state_.transaction()) co_await remember_refusals();
  if (output_.full()) co_await output_.flush();
}

Task<void> Session::remember_refusals() {
  if (!refusals_) co_return;
  auto refusals = std::move(*refusals_);
  refusals_.reset();
  co_await services_.receiver.refused(refusals.peer, std::move(refusals.from),
                                      std::move(refusals.recipients));
}

void Session::write(const smtp::Reply& reply) {
  auto utf8 = state_.transaction() && state_.transaction()->parameters.smtputf8;
  output_.append(smtp::format(reply, utf8));
}

Task<std::expected<std::string, smtp::Reply>> Session::next_line() {
  stream_.end_by(line_deadline());
  if (input_.turn_is_over()) co_await input_.end_turn();
  while (true) {
    input_.consume(lines_.feed(input_.available()));
    if (lines_.ready()) break;
    if (input_.fill_now()) continue;
    co_await need_bytes();
  }
  stream_.set_total_timeout(milliseconds(0));
  co_return lines_.take();
}

std::chrono::steady_clock::time_point Session::line_deadline() const {
  auto deadline =
      std::min(std::chrono::steady_clock::now() + settings_.command_timeout, useful_until_);
  return data_until_ ? std::min(deadline, *data_until_) : deadline;
}

void Session::has_proved_useful() {
  useful_until_ = std::chrono::steady_clock::now() + settings_.idle_timeout;
}

void Session::count_memory() {
  if (!services_.activity) return;
  auto held = stream_.memory() + input_.memory() + output_.memory() + lines_.memory();
  if (state_.transaction()) held += envelope_;
  if (incoming_) held += incoming_->memory();
  if (!services_.activity->hold(held)) stream_.shut_down();
}

Task<void> Session::need_bytes() {
  co_await output_.flush();
  count_memory();
  while (true) {
    switch (co_await input_.fill()) {
      case net::Input::Filled::Bytes:
        co_return;
      case net::Input::Filled::Woken:
        continue;
      case net::Input::Filled::End:
        throw net::Disconnected(net::Disconnected::Why::Closed, "the client closed the connection");
    }
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
  state_.started_tls();
  login_.reset();
  if (services_.activity) services_.activity->log_out();
  forget_message();
  co_return true;
}

Task<void> Session::say_goodbye(const smtp::Reply& reply) {
  output_.append(smtp::format(reply));
  co_await output_.flush();
  stream_.finish();
}

void Session::meet_client() {
  if (!client_ && state_.settings().flavour == smtp::Flavour::Mx)
    client_ = services_.receiver.meet(stream_.peer().address);
}

receive::Peer Session::peer() const {
  receive::Peer peer;
  switch (state_.settings().flavour) {
    case smtp::Flavour::Mx:
      peer.kind = receive::Peer::Kind::Server;
      break;
    case smtp::Flavour::Submission:
    case smtp::Flavour::Submissions:
      peer.kind = receive::Peer::Kind::User;
      break;
    case smtp::Flavour::Local:
      peer.kind = receive::Peer::Kind::Program;
      break;
  }
  // AUTH on port 25 makes a user of whoever passes it.
  if (login_) peer.kind = receive::Peer::Kind::User;
  peer.endpoint = stream_.peer();
  peer.hello = state_.hello();
  if (client_ && peer.kind == receive::Peer::Kind::Server) {
    peer.client = client_;
    peer.reverse_name = client_->reverse_name();
  }
  if (auto tls = stream_.tls()) peer.tls = tls->version + " " + tls->cipher;
  peer.with =
      state_.settings().flavour == smtp::Flavour::Local ? "LOCAL" : smtp::with_protocol(state_);
  peer.login = login_;
  peer.log = log_;
  if (peer.kind == receive::Peer::Kind::Program) peer.program = state_.user();
  return peer;
}

auth::LoginContext Session::login_context() const {
  return {.protocol = "smtp",
          .ip = stream_.peer().address,
          .tls = stream_.tls() != nullptr,
          .log = log_};
}

namespace {

using End = Activity::End;

/// What a session is told that is ended by this server, and the word for the log.
std::pair<smtp::Reply, std::string_view> ended_from_outside(const Activity* activity,
                                                            const std::string& host_name) {
  switch (activity ? activity->end : End::Not) {
    case End::Kicked:
      return {replies::kicked(host_name), "kicked"};
    case End::Revoked:
      return {replies::login_revoked(host_name), "revoked"};
    case End::TooMuch:
      return {replies::too_much_memory(host_name), "memory"};
    case End::Crowded:
      return {replies::busy(host_name), "crowded"};
    case End::Not:
      break;
  }
  return {replies::shutting_down(host_name), "shutdown"};
}

Task<void> converse(Session& session, net::Stream& stream, const Services& services,
                    const std::string& host_name, const Log& log) {
  std::optional<smtp::Reply> last_words;
  std::string_view ended = "quit";
  try {
    co_await session.run();
  } catch (const net::Disconnected& gone) {
    switch (gone.why()) {
      case net::Disconnected::Why::Timeout:
        ended = "timeout";
        last_words = replies::timed_out(host_name);
        break;
      case net::Disconnected::Why::Shutdown:
        std::tie(last_words, ended) = ended_from_outside(services.activity, host_name);
        break;
      default:
        ended = "closed";
        break;
    }
  } catch (const store::IndexError&) {
    ended = "damaged";
    last_words = replies::internal_error();
    last_words->code = 421;
  } catch (const std::exception& defect) {
    log.error("smtp.defect", {{"err", defect.what()}});
    ended = "defect";
    last_words = replies::internal_error();
    last_words->code = 421;
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
  co_await session.remember_refusals();
  log.info("smtp.end",
           {{"why", ended}, {"accepted", session.accepted()}, {"user", session.state().user()}});
}

}  // namespace

Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log) {
  Session session(*stream, settings, services, log);
  co_await converse(session, *stream, services, settings.protocol.host_name, log);
  if (services.activity) services.activity->end_with(stream->bytes_in(), stream->bytes_out());
  co_await net::linger(*stream);
}

}  // namespace hikyaku::smtpd
