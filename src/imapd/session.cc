#include "imapd/session.h"

#include <algorithm>
#include <utility>

#include "imapd/extensions.h"
#include "imapd/limits.h"
#include "net/linger.h"
#include "store/index_error.h"

namespace hikyaku::imapd {

imap::ParserLimits default_limits() {
  imap::ParserLimits limits;
  limits.append_messages = mailbox::kMaxBatch;
  return limits;
}

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
      parser_(settings.limits_before_login) {
  state_.plaintext_allowed =
      settings_.plaintext_on_loopback && stream_.peer().address.is_loopback();
}

/// False: the connection is of no use.
Task<bool> Session::greet(std::optional<auth::Login> login) {
  stream_.set_timeout(settings_.login_timeout);
  stream_.set_total_timeout(settings_.login_total_timeout);
  if (settings_.implicit_tls && !co_await start_tls()) co_return false;
  auto greeting = imap::ok(settings_.host_name + " Hikyaku is ready", capabilities());
  if (login) {
    greeting = logged_in(std::move(*login));
    greeting.status = imap::Reply::Status::PreAuth;
  }
  write(greeting);
  co_return true;
}

Task<void> Session::run(std::optional<auth::Login> login) {
  if (!co_await greet(std::move(login))) co_return;
  while (!closing_) {
    switch (co_await next_event()) {
      case Event::Command:
        co_await execute(parser_.take_command());
        break;
      case Event::Continuation:
        // Before its bytes have come: no password is asked for on an open line.
        if (auto refusal = imap::check(state_, parser_.verb())) {
          parser_.refuse();
          co_await answer(parser_.tag(), std::move(*refusal));
        } else {
          imap::append_continuation(out());
        }
        break;
      case Event::Refused:
        co_await answer(parser_.tag(), parser_.reply());
        break;
      case Event::Fatal:
        write(parser_.reply());
        closing_ = true;
        break;
      default:
        // Lines and messages belong to the commands that ask for them.
        break;
    }
  }
  co_await output_.flush();
  stream_.finish();
}

namespace {

/// A part of the index cannot be read; the store has told whoever runs it.
constexpr std::string_view kDamaged = "A part of the server's data is damaged and cannot be read";

/// What the client sends belongs to the command until it is done.
bool reads_more(imap::Verb verb) {
  return verb == imap::Verb::Append || verb == imap::Verb::Authenticate || verb == imap::Verb::Idle;
}
bool opens_mailbox(imap::Verb verb) {
  return verb == imap::Verb::Select || verb == imap::Verb::Examine;
}

}  // namespace

Task<void> Session::execute(imap::Command command) {
  ++commands_;
  tag_ = std::move(command.tag);
  CommandWatch watch(services_.activity, imap::rule_of(command.verb).name,
                     metrics_.of(command.verb));
  log_.trace("imap.command", {{"verb", imap::display_name(command.verb, command.uid())}});
  if (auto refusal = imap::check(state_, command)) {
    parser_.refuse();
    co_await answer(tag_, std::move(*refusal));
    co_return;
  }
  auto expunges = imap::holds_back_expunges(command) ? Expunges::HoldBack : Expunges::Tell;
  auto task = std::visit([this](auto& kind) { return handle(std::move(kind)); }, command.arguments);
  std::optional<imap::Reply> reply;
  try {
    reply = co_await std::move(task);
  } catch (const store::IndexError&) {
    // Between whole lines of both sides the session can go on.
    if (reads_more(command.verb) || !(out().empty() || out().ends_with("\r\n"))) throw;
  }
  work_ = 0;
  probed_ = false;
  if (reply) {
    co_await refresh_if_changed(expunges);
  } else {
    // RFC 9051 §6.3.2: after a failed SELECT nothing is selected.
    if (selected_ && opens_mailbox(command.verb)) leave_mailbox();
    tell_known_change();
    reply = imap::no(std::string(kDamaged), "CORRUPTION");
  }
  co_await answer(tag_, std::move(*reply));
}

Task<void> Session::answer(std::string_view tag, imap::Reply reply) {
  if (reply == kAnswered) co_return;
  auto failed = reply.status == imap::Reply::Status::Bad ||
                (!login_ && reply.status == imap::Reply::Status::No);
  errors_ = failed ? errors_ + 1 : 0;
  imap::append_reply(out(), tag, reply, state_.wire());
  set_within_command(false);
  if (errors_ >= settings_.max_errors) {
    write(imap::bye("Too many errors"));
    closing_ = true;
  }
  count_memory();
  if (output_.full()) co_await output_.flush();
}

imap::Reply Session::refusal(const Error& error) {
  if (error.code == ErrorCode::Corrupt || error.code == ErrorCode::Io)
    log_.warn("imap.failed", {{"err", error.describe()}});
  return imap::reply_for(error);
}

void Session::write(const imap::Reply& untagged) {
  imap::append_reply(out(), "", untagged, state_.wire());
}

Task<Session::Event> Session::next_event() {
  while (true) {
    if (auto event = co_await next_event_or_change()) co_return *event;
  }
}

Task<std::optional<Session::Event>> Session::next_event_or_change() {
  while (true) {
    input_.consume(std::exchange(used_, 0));
    if (input_.turn_is_over()) co_await input_.end_turn();
    auto bytes = input_.available();
    auto before = bytes.size();
    auto event = parser_.next(bytes);
    used_ = before - bytes.size();
    if (event != Event::NeedMore) {
      auto more_comes = event == Event::Continuation || event == Event::Message ||
                        event == Event::MessageData || event == Event::MessageEnd;
      if (!more_comes) set_within_command(false);
      co_return event;
    }
    if (used_ > 0) set_within_command(true);
    input_.consume(std::exchange(used_, 0));
    if (input_.fill_now()) continue;
    if (idling_ && selected_ && selected_->watch->changed) co_return std::nullopt;
    co_await wait_for_client();
  }
}

/// What has begun must end: bytes that trickle in keep no command open for ever.
void Session::set_within_command(bool within) {
  if (std::exchange(within_command_, within) == within || !login_) return;
  stream_.set_total_timeout(within ? settings_.command_timeout : milliseconds(0));
}

void Session::count_memory() {
  if (!services_.activity) return;
  auto held = stream_.memory() + input_.memory() + output_.memory() + parser_.memory() + work_;
  if (selected_)
    held += selected_->messages.memory() +
            8 * (selected_->recent.ranges().size() + selected_->saved.ranges().size());
  auto old_rows = selected_ ? selected_->old_rows : 0;
  // Who does not read is not waited for: others need the memory.
  if (!services_.activity->hold(held, old_rows)) stream_.shut_down(kLastWordsWithin);
}

void Session::work_with(std::uint64_t bytes) {
  work_ = bytes;
  count_memory();
}

std::uint64_t Session::at_once(std::uint64_t most) const {
  if (!services_.activity) return most;
  return std::clamp(services_.activity->room() / 4, std::min(kLeastPiece, most), most);
}

std::size_t Session::uids_at_once() const {
  return at_once(kUidsAtOnce * sizeof(mailbox::Uid)) / sizeof(mailbox::Uid);
}

bool Session::is_ended() const {
  return services_.activity && services_.activity->end != Activity::End::Not;
}

bool Session::server_ends() const {
  return stream_.out_of_grace() && !is_ended();
}

void Session::check_still_wanted() {
  if (is_ended() || stream_.out_of_grace())
    throw net::Disconnected(net::Disconnected::Why::Shutdown, "the session is ended");
  if (stream_.peer_side() == net::PeerSide::Gone)
    throw net::Disconnected(net::Disconnected::Why::Closed, "the client is gone");
}

Task<void> Session::go_on() {
  check_still_wanted();
  // A client that has said all may wait for its answers yet; one that is gone answers a word from
  // us with a reset.
  if (stream_.peer_side() != net::PeerSide::Ended || std::exchange(probed_, true)) co_return;
  write(imap::ok("Still at work"));
  co_await output_.flush();
}

Task<void> Session::wait_for_client() {
  count_memory();
  co_await output_.flush();
  std::unique_ptr<Executor::Timer> timer;
  if (selected_ && selected_->may_park && !within_command_) {
    timer = Executor::current()->after(settings_.park_after, [this] {
      park_due_ = true;
      stream_.wake();
    });
  }
  stream_.set_timeout(!login_           ? settings_.login_timeout
                      : within_command_ ? settings_.command_timeout
                                        : settings_.idle_timeout);
  auto filled = co_await input_.fill();
  stream_.set_timeout(settings_.command_timeout);
  if (filled == net::Input::Filled::End)
    throw net::Disconnected(net::Disconnected::Why::Closed, "the client closed the connection");
  if (std::exchange(park_due_, false) && selected_) {
    selected_->may_park = false;
    if (selected_->messages.park()) selected_->old_rows = 0;
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
  co_return true;
}

const std::vector<std::string>& Session::mechanisms() const {
  if (state_.tls) return settings_.mechanisms_under_tls;
  return state_.plaintext_allowed ? settings_.mechanisms_on_loopback
                                  : settings_.mechanisms_in_clear;
}

/// Made when it is wanted: an idle session need not keep it.
imap::CapabilitySettings Session::offered() const {
  imap::CapabilitySettings offered;
  offered.imap4rev2 = true;
  offered.starttls = services_.tls != nullptr;
  offered.literal_minus = settings_.limits.literal_minus;
  offered.mechanisms = mechanisms();
  offered.mechanisms_without_tls = mechanisms();
  offered.login = std::ranges::find(mechanisms(), "PLAIN") != mechanisms().end();
  offered.extensions = extensions();
  offered.append_limit = settings_.limits.message;
  return offered;
}

std::string Session::capabilities() const {
  return "CAPABILITY " + imap::capability_list(state_, offered());
}

auth::LoginContext Session::login_context() const {
  return {.protocol = "imap", .ip = stream_.peer().address, .tls = state_.tls, .log = log_};
}

imap::Reply Session::logged_in(auth::Login login) {
  login_ = std::move(login);
  log_ = log_.with({{"user", login_->address}});
  if (services_.activity)
    services_.activity->log_in(login_->account, login_->address, login_->credential,
                               login_->credential_made);
  state_.phase = imap::Phase::Authenticated;
  parser_.set_limits(settings_.limits);
  stream_.set_total_timeout(milliseconds(0));
  return imap::ok("Logged in", capabilities());
}

Task<void> Session::say_goodbye(const imap::Reply& reply) {
  write(reply);
  co_await output_.flush();
  stream_.finish();
}

namespace {

struct Ended {
  std::string_view why = "logout";
  std::optional<imap::Reply> last_words;
};

Ended ended_from_outside(const Activity* activity) {
  using End = Activity::End;
  switch (activity ? activity->end : End::Not) {
    case End::Kicked:
      return {"kicked", imap::bye("An administrator has ended this session", "UNAVAILABLE")};
    case End::Revoked:
      // RFC 5530 §3: the authentication or authorization has failed.
      return {"revoked",
              imap::bye("The account or its password has changed, log in again", "EXPIRED")};
    case End::TooMuch:
      // RFC 5530 §3: an implementation's limit.
      return {"memory", imap::bye("This session takes more memory than one may", "LIMIT")};
    case End::Crowded:
      return {"crowded", imap::bye("Too much is going on here, try again later", "UNAVAILABLE")};
    case End::Not:
      break;
  }
  return {"shutdown", imap::bye("The server is going down", "UNAVAILABLE")};
}

Ended ended_by(const net::Disconnected& gone, const Activity* activity) {
  switch (gone.why()) {
    case net::Disconnected::Why::Timeout:
      return {"timeout", imap::bye("Logged out: nothing was heard for too long")};
    case net::Disconnected::Why::Shutdown:
      return ended_from_outside(activity);
    default:
      return {"closed", std::nullopt};
  }
}

Task<Ended> converse(Session& session, std::optional<auth::Login> login, const Activity* activity,
                     const Log& log) {
  Ended ended;
  try {
    co_await session.run(std::move(login));
  } catch (const net::Disconnected& gone) {
    ended = ended_by(gone, activity);
  } catch (const SessionEnds& end) {
    ended = {"failed", end.bye};
  } catch (const store::IndexError&) {
    ended = {"damaged", imap::bye(std::string(kDamaged), "CORRUPTION")};
  } catch (const std::exception& defect) {
    log.error("imap.defect", {{"err", defect.what()}});
    ended = {"defect", imap::bye("Internal error", "SERVERBUG")};
  }
  co_return ended;
}

}  // namespace

Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log, std::optional<auth::Login> login) {
  Session session(*stream, settings, services, log);
  auto ended = co_await converse(session, std::move(login), services.activity, log);
  if (ended.last_words) {
    try {
      stream->set_timeout(std::chrono::seconds(5));
      stream->set_total_timeout(std::chrono::seconds(5));
      co_await session.say_goodbye(*ended.last_words);
    } catch (const net::Disconnected&) {
      // It does not listen any more.
    }
  }
  log.info("imap.end", {{"why", ended.why},
                        {"user", session.user()},
                        {"commands", session.commands()},
                        {"in", stream->bytes_in()},
                        {"out", stream->bytes_out()}});
  if (services.activity) services.activity->end_with(stream->bytes_in(), stream->bytes_out());
  co_await net::linger(*stream);
}

}  // namespace hikyaku::imapd
