#include "app/lab_play.h"

#include <fmt/core.h>

#include "base/text.h"
#include "net/connect.h"
#include "smtp/path.h"

namespace hikyaku::app::lab {
namespace {

using std::chrono::steady_clock;

constexpr milliseconds kConnect = std::chrono::seconds(5);
constexpr milliseconds kWire = std::chrono::seconds(10);
constexpr milliseconds kLook{40};

constexpr Phrase kCannotConnect{"{} can be reached", "{} に接続できる"};
constexpr Phrase kSpeaks{"the server greets its client", "サーバーがクライアントに挨拶する"};
constexpr Phrase kTlsWorks{"the connection is encrypted", "接続が暗号化される"};
constexpr Phrase kLoginWorks{"{} can log in", "{} がログインできる"};
constexpr Phrase kHandshake{"(TLS handshake: {}; from here on nobody on the way can read along)",
                            "(TLS ハンドシェイク: {}。ここから先は途中の誰にも読めません)"};
constexpr Phrase kMore{"… and {} more lines", "… ほか {} 行"};
constexpr Phrase kLoginHidden{"(greeting, STARTTLS and AUTH as in the scene \"road\")",
                              "(挨拶、STARTTLS、AUTH は場面「road」と同じです)"};

/// A message for SmtpClient, shown as it goes out.
class LetterSource final : public client::MessageSource {
 public:
  LetterSource(Play& play, std::string text, bool aloud)
      : play_(play), text_(std::move(text)), aloud_(aloud) {}
  Task<Result<std::string>> next() override {
    if (aloud_ && !text_.empty()) play_.show_content(text_, 24, true);
    co_return std::exchange(text_, {});
  }

 private:
  Play& play_;
  std::string text_;
  bool aloud_;
};

client::SmtpTimeouts short_timeouts() {
  return {kWire, kWire, kWire, kWire, kWire};
}

client::Pop3Limits short_limits() {
  client::Pop3Limits limits;
  limits.timeout = kWire;
  return limits;
}

std::string tls_words(const net::Stream& stream) {
  return stream.tls() ? stream.tls()->version + " " + stream.tls()->cipher : "-";
}

/// Keeps content, and shows its first lines where they stand on the wire.
class Shown {
 public:
  Shown(Play& play, std::size_t most) : play_(play), most_(most) {}

  void take(std::string_view bytes) {
    text_ += bytes;
    for (auto end = text_.find('\n', at_); end != std::string::npos; end = text_.find('\n', at_)) {
      if (lines_++ < most_) play_.show_content(std::string_view(text_).substr(at_, end - at_ + 1));
      at_ = end + 1;
    }
  }
  void end() {
    if (at_ < text_.size() && lines_++ < most_)
      play_.show_content(std::string_view(text_).substr(at_));
    if (lines_ > most_) play_.stage.note(kMore, lines_ - most_);
  }
  std::string release() { return std::move(text_); }

 private:
  Play& play_;
  std::size_t most_;
  std::string text_;
  std::size_t at_ = 0;
  std::size_t lines_ = 0;
};

class ShownContent final : public client::FetchSink {
 public:
  ShownContent(Play& play, std::size_t most) : shown(play, most) {}
  Task<void> data(std::string_view bytes) override {
    shown.take(bytes);
    co_return;
  }
  Task<void> end() override {
    shown.end();
    co_return;
  }
  Shown shown;
};

class ShownMail final : public client::MailSink {
 public:
  ShownMail(Play& play, std::size_t most) : shown(play, most) {}
  Task<void> data(std::string_view bytes) override {
    shown.take(bytes);
    co_return;
  }
  Task<void> end(std::uint32_t) override {
    shown.end();
    co_return;
  }
  Shown shown;
};

}  // namespace

std::string Letter::text() const {
  auto fields = fmt::format("From: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: <{}>\r\n{}", from, to,
                            subject, message_id, more);
  return fields + "\r\n" + body;
}

// --- Ear ---

Ear::Ear(Stage& stage, std::string talk, bool on)
    : state_(std::make_shared<State>(stage.observer(std::move(talk)), &stage, nullptr, on)) {}

client::Observer Ear::observer() const {
  return [state = state_](bool by_client, std::string_view line) {
    if (!state->on) return;
    if (!state->told_tls && state->stream && state->stream->tls()) {
      state->told_tls = true;
      state->stage->note(kHandshake, tls_words(*state->stream));
    }
    state->shown(by_client, line);
  };
}

void Ear::listen(bool on) {
  state_->told_tls |= on && !state_->on && state_->stream && state_->stream->tls();
  state_->on = on;
}

// --- Play ---

std::string Play::make_id(std::string_view domain) {
  auto now = steady_clock::now().time_since_epoch().count();
  return fmt::format("{:x}.{}@{}", now, ++letters_, domain);
}

std::unique_ptr<net::Stream> Play::connect(Endpoint to, std::optional<IpAddress> from) {
  auto stream = wait(net::connect(to, from, kConnect));
  if (!stream) {
    stage.check(false, kCannotConnect, to.to_string());
    return nullptr;
  }
  world.cores().call(0, [&] { (*stream)->set_timeout(kWire); });
  return std::move(*stream);
}

std::unique_ptr<net::Stream> Play::must_connect(Endpoint to, std::optional<IpAddress> from) {
  auto stream = connect(to, from);
  if (!stream) throw SceneEnded();
  return stream;
}

Smtp Play::open_smtp(Endpoint to, std::string hello, Ear& ear, std::optional<IpAddress> from) {
  auto client = own(new client::SmtpClient(must_connect(to, from), std::move(hello),
                                           short_timeouts(), ear.observer()));
  ear.attach(client->stream());
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  return client;
}

Imap Play::open_imap(Endpoint to, Ear& ear) {
  auto client = own(new client::ImapClient(must_connect(to), {kWire, kWire}, ear.observer()));
  ear.attach(client->stream());
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  return client;
}

Pop3 Play::open_pop3(Endpoint to, Ear& ear) {
  auto client = own(new client::Pop3Client(must_connect(to), short_limits(), ear.observer()));
  ear.attach(client->stream());
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  return client;
}

Smtp Play::open_secure_smtp(Site& site, Ear& ear) {
  auto client = open_smtp(site.endpoint(kSubmission), "[127.0.0.1]", ear);
  if (!wait(client->start_tls(world.tls(), site.host())).ok()) stage.require(false, kTlsWorks);
  return client;
}

Imap Play::open_imaps(Endpoint to, const std::string& server_name, Ear& ear) {
  auto client = own(new client::ImapClient(must_connect(to), {kWire, kWire}, ear.observer()));
  ear.attach(client->stream());
  if (!wait(client->secure(world.tls(), server_name)).ok()) stage.require(false, kTlsWorks);
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  return client;
}

Pop3 Play::open_pop3s(Endpoint to, const std::string& server_name, Ear& ear) {
  auto client = own(new client::Pop3Client(must_connect(to), short_limits(), ear.observer()));
  ear.attach(client->stream());
  if (!wait(client->secure(world.tls(), server_name)).ok()) stage.require(false, kTlsWorks);
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  return client;
}

Imap Play::open_secure_imap(Site& site, Ear& ear) {
  return open_imaps(site.endpoint(kImaps), site.host(), ear);
}

Pop3 Play::open_secure_pop3(Site& site, Ear& ear) {
  return open_pop3s(site.endpoint(kPop3s), site.host(), ear);
}

client::Login Play::login(const Person& person, std::optional<sasl::Mechanism> mechanism) {
  client::Login login;
  login.user = person.address;
  login.password = crypto::Secret::take(std::string(person.password));
  login.mechanism = mechanism;
  login.show_secrets = true;
  return login;
}

Smtp Play::smtp(Site& site, const Person& person, const Manner& manner) {
  Ear ear(stage, manner.talk, manner.aloud && manner.login_aloud);
  auto client = open_secure_smtp(site, ear);
  auto who = login(person);
  if (!wait(client->log_in(who))) stage.require(false, kLoginWorks, person.address);
  if (manner.aloud && !manner.login_aloud) stage.note(kLoginHidden);
  ear.listen(manner.aloud);
  return client;
}

Imap Play::imap(Site& site, const Person& person, const Manner& manner) {
  Ear ear(stage, manner.talk, manner.aloud && manner.login_aloud);
  auto client = open_secure_imap(site, ear);
  auto who = login(person);
  if (!wait(client->log_in(who))) stage.require(false, kLoginWorks, person.address);
  ear.listen(manner.aloud);
  return client;
}

Pop3 Play::pop3(Site& site, const Person& person, const Manner& manner) {
  Ear ear(stage, manner.talk, manner.aloud && manner.login_aloud);
  auto client = open_secure_pop3(site, ear);
  auto who = login(person);
  if (!wait(client->log_in_by_password(who))) stage.require(false, kLoginWorks, person.address);
  ear.listen(manner.aloud);
  return client;
}

smtp::Reply Play::submit(Site& site, const Person& from, std::string_view rcpt,
                         const Letter& letter, const Manner& manner) {
  auto client = smtp(site, from, manner);
  Ear ear(stage, manner.talk, manner.aloud);
  auto reply = hand_over(*client, from.address, rcpt, letter, ear);
  wait(client->quit());
  return reply;
}

smtp::Reply Play::hand_over(client::SmtpClient& client, std::string_view mail_from,
                            std::string_view rcpt, std::string text, const Ear& ear) {
  smtp::Outgoing outgoing;
  if (auto from = smtp::parse_mailbox(mail_from)) outgoing.from.mailbox = std::move(*from);
  outgoing.size = text.size();
  outgoing.has_8bit = !is_ascii(text);
  client::SmtpClient::Recipient recipient;
  if (auto to = smtp::parse_mailbox(rcpt)) recipient.to = std::move(*to);
  LetterSource source(*this, std::move(text), ear.listens());
  std::vector<client::SmtpClient::Recipient> recipients{recipient};
  auto results = wait(client.send(std::move(outgoing), recipients, source));
  return results.front().reply;
}

std::optional<std::uint32_t> Play::await_mail(Site& site, const Person& person,
                                              std::string_view message_id, milliseconds patience) {
  return await_search(site, person, fmt::format("HEADER MESSAGE-ID \"<{}>\"", message_id),
                      patience);
}

std::optional<std::uint32_t> Play::await_search(Site& site, const Person& person,
                                                const std::string& criteria,
                                                milliseconds patience) {
  auto client = imap(site, person, {.aloud = false});
  if (!wait(client->select("INBOX", client::ImapClient::Access::ReadOnly))) return std::nullopt;
  std::optional<std::uint32_t> uid;
  eventually(
      [&] {
        (void)wait(client->noop());
        auto found = wait(client->search(criteria));
        if (found && !found->found.empty()) uid = found->found.highest();
        return uid.has_value();
      },
      patience);
  wait(client->log_out());
  return uid;
}

std::string Play::read_aloud(Site& site, const Person& person, std::uint32_t uid,
                             std::size_t most) {
  auto client = imap(site, person);
  if (!wait(client->select("INBOX", client::ImapClient::Access::ReadOnly))) return {};
  auto text = fetch_aloud(*client, uid, "BODY.PEEK[]", most);
  wait(client->log_out());
  return text;
}

std::string Play::fetch_aloud(client::ImapClient& client, std::uint32_t uid,
                              const std::string& item, std::size_t most) {
  ShownContent content(*this, most);
  auto fetched = wait(client.fetch(std::to_string(uid), "(" + item + ")", content));
  return fetched ? content.shown.release() : std::string();
}

std::string Play::retr_aloud(client::Pop3Client& client, std::uint32_t number, std::size_t most) {
  ShownMail mail(*this, most);
  return wait(client.retr(number, mail)) ? mail.shown.release() : std::string();
}

void Play::show_content(std::string_view text, std::size_t most, bool by_client,
                        std::string_view talk) {
  auto lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (std::size_t i = 0; i < lines.size() && i < most; ++i) {
    auto line = lines[i];
    if (line.ends_with('\r')) line.remove_suffix(1);
    stage.line(talk, by_client, line);
  }
  if (lines.size() > most) stage.note(kMore, lines.size() - most);
}

bool Play::eventually(const std::function<bool()>& probe, milliseconds patience) {
  auto deadline = steady_clock::now() + patience;
  while (!probe()) {
    stage.stop_if_interrupted();
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

std::optional<Site::Traced> Play::await_story(
    Site& site, std::string_view message_id,
    const std::function<bool(const boost::json::object&)>& ready, milliseconds patience) {
  std::optional<Site::Traced> traced;
  auto told = eventually(
      [&] {
        traced = site.trace(message_id);
        return traced && ready(traced->story);
      },
      patience);
  return told ? traced : std::nullopt;
}

// --- stories ---

StoryParts split_story(std::string_view text) {
  StoryParts parts;
  int dated = 0;
  for (auto line : split(text, '\n')) {
    // The lines of the arrival are indented under the first dated one.
    if (!line.empty() && is_ascii_digit(line.front())) ++dated;
    (dated < 2 ? parts.arrival : parts.events) += std::string(line) + "\n";
  }
  return parts;
}

std::vector<boost::json::object> attempts_of(const boost::json::object& story) {
  std::vector<boost::json::object> attempts;
  auto events = story.if_contains("events");
  if (!events || !events->is_array()) return attempts;
  for (auto& event : events->as_array()) {
    if (!event.is_object()) continue;
    auto attempt = event.as_object().if_contains("attempt");
    if (attempt && attempt->is_object()) attempts.push_back(attempt->as_object());
  }
  return attempts;
}

std::string text_of(const boost::json::object& object, std::string_view member) {
  auto value = object.if_contains(member);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

bool has_attempt(const boost::json::object& story, std::string_view result) {
  for (auto& attempt : attempts_of(story))
    if (text_of(attempt, "result") == result) return true;
  return false;
}

}  // namespace hikyaku::app::lab
