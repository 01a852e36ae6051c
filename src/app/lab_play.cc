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

client::Login login_of(const Person& person) {
  client::Login login;
  login.user = person.address;
  login.password = crypto::Secret::take(std::string(person.password));
  login.show_secrets = true;
  return login;
}

std::string tls_words(const net::Stream& stream) {
  return stream.tls() ? stream.tls()->version + " " + stream.tls()->cipher : "-";
}

/// An observer that can be switched on and off.
struct Ear {
  client::Observer inner;
  std::shared_ptr<bool> on;
  client::Observer observer() const {
    return [inner = inner, on = on](bool by_client, std::string_view line) {
      if (*on) inner(by_client, line);
    };
  }
};

}  // namespace

std::string Letter::text() const {
  auto fields = fmt::format("From: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: <{}>\r\n{}", from, to,
                            subject, message_id, more);
  return fields + "\r\n" + body;
}

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

Smtp Play::smtp(Endpoint to, std::string hello, client::Observer observer,
                std::optional<IpAddress> from) {
  auto client = own(new client::SmtpClient(must_connect(to, from), std::move(hello),
                                           short_timeouts(), std::move(observer)));
  auto greeted = wait(client->greet());
  if (!greeted) stage.require(false, kSpeaks);
  return client;
}

smtp::Reply Play::hand_over(client::SmtpClient& client, std::string_view mail_from,
                            std::string_view rcpt, const Letter& letter,
                            client::Observer observer) {
  auto text = letter.text();
  smtp::Outgoing outgoing;
  if (auto from = smtp::parse_mailbox(mail_from)) outgoing.from.mailbox = std::move(*from);
  outgoing.size = text.size();
  outgoing.has_8bit = !is_ascii(text);
  client::SmtpClient::Recipient recipient;
  if (auto to = smtp::parse_mailbox(rcpt)) recipient.to = std::move(*to);
  LetterSource source(*this, std::move(text), static_cast<bool>(observer));
  std::vector<client::SmtpClient::Recipient> recipients{recipient};
  auto results = wait(client.send(std::move(outgoing), recipients, source));
  return results.front().reply;
}

smtp::Reply Play::submit(Site& site, const Person& from, std::string_view rcpt,
                         const Letter& letter, const Manner& manner) {
  Ear ear{stage.observer(manner.talk), std::make_shared<bool>(manner.aloud && manner.login_aloud)};
  auto client = smtp(site.endpoint(kSubmission), "[127.0.0.1]", ear.observer());
  auto secured = wait(client->start_tls(world.tls(), site.host()));
  if (!secured.ok()) stage.require(false, kTlsWorks);
  if (*ear.on) stage.note(kHandshake, tls_words(client->stream()));
  auto login = login_of(from);
  auto logged_in = wait(client->log_in(login));
  if (!logged_in) stage.require(false, kLoginWorks, from.address);
  if (manner.aloud && !manner.login_aloud) stage.note(kLoginHidden);
  *ear.on = manner.aloud;
  auto reply = hand_over(*client, from.address, rcpt, letter,
                         manner.aloud ? ear.observer() : client::Observer());
  wait(client->quit());
  return reply;
}

Imap Play::imap(Site& site, const Person& person, const Manner& manner) {
  Ear ear{stage.observer(manner.talk), std::make_shared<bool>(manner.aloud && manner.login_aloud)};
  auto client = own(
      new client::ImapClient(must_connect(site.endpoint(kImaps)), {kWire, kWire}, ear.observer()));
  auto secured = wait(client->secure(world.tls(), site.host()));
  if (!secured.ok()) stage.require(false, kTlsWorks);
  if (*ear.on) stage.note(kHandshake, tls_words(client->stream()));
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  auto login = login_of(person);
  if (!wait(client->log_in(login))) stage.require(false, kLoginWorks, person.address);
  *ear.on = manner.aloud;
  return client;
}

Pop3 Play::pop3(Site& site, const Person& person, const Manner& manner) {
  Ear ear{stage.observer(manner.talk), std::make_shared<bool>(manner.aloud && manner.login_aloud)};
  client::Pop3Limits limits;
  limits.timeout = kWire;
  auto client =
      own(new client::Pop3Client(must_connect(site.endpoint(kPop3s)), limits, ear.observer()));
  auto secured = wait(client->secure(world.tls(), site.host()));
  if (!secured.ok()) stage.require(false, kTlsWorks);
  if (*ear.on) stage.note(kHandshake, tls_words(client->stream()));
  if (!wait(client->greet())) stage.require(false, kSpeaks);
  auto login = login_of(person);
  if (!wait(client->log_in_by_password(login))) stage.require(false, kLoginWorks, person.address);
  *ear.on = manner.aloud;
  return client;
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

std::string Play::read_aloud(Site& site, const Person& person, std::uint32_t uid) {
  auto client = imap(site, person);
  if (!wait(client->select("INBOX", client::ImapClient::Access::ReadOnly))) return {};
  auto text = wait(client->fetch_content(uid, "BODY.PEEK[]"));
  if (text) show_content(*text);
  wait(client->log_out());
  return text.value_or("");
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
