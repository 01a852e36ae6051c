// Play: what a scene has at hand: the world, the stage, and clients that talk aloud.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "app/lab_stage.h"
#include "app/lab_world.h"
#include "client/imap_client.h"
#include "client/pop3_client.h"
#include "client/smtp_client.h"

namespace hikyaku::app::lab {

/// How long a scene waits for what takes some milliseconds.
inline constexpr milliseconds kPatience = std::chrono::seconds(8);

/// Clients live on the lab's event loop and end there.
template <class T>
struct EndOnLoop {
  World* world = nullptr;
  void operator()(T* client) const {
    world->cores().call(0, [client] { delete client; });
  }
};
template <class T>
using OnLoop = std::unique_ptr<T, EndOnLoop<T>>;
using Smtp = OnLoop<client::SmtpClient>;
using Imap = OnLoop<client::ImapClient>;
using Pop3 = OnLoop<client::Pop3Client>;

/// A message as a mail client writes it.
struct Letter {
  std::string from;  ///< the field, which need not be the envelope's sender
  std::string to;
  std::string subject;
  std::string body;        ///< with CRLF
  std::string message_id;  ///< without brackets; make_id()
  std::string more = {};   ///< further fields, each with CRLF

  std::string text() const;
};

/// An observer of a client's dialogue that can be switched on and off, and tells when TLS began.
class Ear {
 public:
  Ear(Stage& stage, std::string talk, bool on);
  client::Observer observer() const;
  /// What TLS began before is not told afterwards.
  void listen(bool on);
  bool listens() const { return state_->on; }
  /// For the note about the handshake; the stream outlives the dialogue.
  void attach(net::Stream& stream) { state_->stream = &stream; }

 private:
  struct State {
    client::Observer shown;
    Stage* stage = nullptr;
    net::Stream* stream = nullptr;
    bool on = false;
    bool told_tls = false;
  };
  std::shared_ptr<State> state_;
};

/// How a client talks.
struct Manner {
  std::string talk = {};     ///< the dialogue's name, where there are several
  bool aloud = true;         ///< its dialogue is shown
  bool login_aloud = false;  ///< also what comes before MAIL or SELECT
};

class Play {
 public:
  Play(World& w, Stage& s) : world(w), stage(s) {}

  World& world;
  Stage& stage;

  template <class T>
  T wait(Task<T> task) {
    return world.wait(std::move(task));
  }

  /// A Message-ID that nobody had before, without brackets.
  std::string make_id(std::string_view domain);

  /// Connects; nullptr and a failed check when nobody answers.
  std::unique_ptr<net::Stream> connect(Endpoint to, std::optional<IpAddress> from = {});
  /// The same, where the scene cannot go on without it.
  std::unique_ptr<net::Stream> must_connect(Endpoint to, std::optional<IpAddress> from = {});

  /// Clients that have read the greeting.
  Smtp open_smtp(Endpoint to, std::string hello, Ear& ear, std::optional<IpAddress> from = {});
  Imap open_imap(Endpoint to, Ear& ear);
  Pop3 open_pop3(Endpoint to, Ear& ear);
  /// TLS from the first byte.
  Imap open_imaps(Endpoint to, const std::string& server_name, Ear& ear);
  Pop3 open_pop3s(Endpoint to, const std::string& server_name, Ear& ear);
  /// The same over TLS: from the first byte for ports 993 and 995, by STARTTLS for the others.
  Smtp open_secure_smtp(Site& site, Ear& ear);
  Imap open_secure_imap(Site& site, Ear& ear);
  Pop3 open_secure_pop3(Site& site, Ear& ear);
  /// For log_in of all three; secrets are shown.
  static client::Login login(const Person& person,
                             std::optional<sasl::Mechanism> mechanism = std::nullopt);

  /// Clients that are logged in, over TLS.
  Smtp smtp(Site& site, const Person& person, const Manner& manner = {});
  Imap imap(Site& site, const Person& person, const Manner& manner = {});
  Pop3 pop3(Site& site, const Person& person, const Manner& manner = {});

  /// A message goes from a person's mail client to its own server: 587, STARTTLS, AUTH. What the
  /// server said about the recipient.
  smtp::Reply submit(Site& site, const Person& from, std::string_view rcpt, const Letter& letter,
                     const Manner& manner = {});
  /// The dialogue of one message. `mail_from` may be "" for the null sender.
  smtp::Reply hand_over(client::SmtpClient& client, std::string_view mail_from,
                        std::string_view rcpt, const Letter& letter, const Ear& ear) {
    return hand_over(client, mail_from, rcpt, letter.text(), ear);
  }
  /// The same with a message that somebody wrote before.
  smtp::Reply hand_over(client::SmtpClient& client, std::string_view mail_from,
                        std::string_view rcpt, std::string text, const Ear& ear);

  /// The UID of the message with this Message-ID in INBOX, looked for (silently) until it is there.
  std::optional<std::uint32_t> await_mail(Site& site, const Person& person,
                                          std::string_view message_id,
                                          milliseconds patience = kPatience);
  /// The same by any criteria of SEARCH.
  std::optional<std::uint32_t> await_search(Site& site, const Person& person,
                                            const std::string& criteria,
                                            milliseconds patience = kPatience);
  /// Reads one message aloud by IMAP; its text, "" if that failed.
  std::string read_aloud(Site& site, const Person& person, std::uint32_t uid,
                         std::size_t most = 30);
  /// Fetches one message aloud, content where it comes on the wire; "" if that failed.
  std::string fetch_aloud(client::ImapClient& client, std::uint32_t uid, const std::string& item,
                          std::size_t most = 24);
  std::string retr_aloud(client::Pop3Client& client, std::uint32_t number, std::size_t most = 24);
  /// Shows text that came over the wire as content: at most `most` lines.
  void show_content(std::string_view text, std::size_t most = 24, bool by_client = false,
                    std::string_view talk = {});

  /// Looks until `probe` says true.
  bool eventually(const std::function<bool()>& probe, milliseconds patience = kPatience);
  /// The server's story of a message, once `ready` says that it is told to the point.
  std::optional<Site::Traced> await_story(
      Site& site, std::string_view message_id,
      const std::function<bool(const boost::json::object&)>& ready,
      milliseconds patience = kPatience);

 private:
  template <class Client>
  OnLoop<Client> own(Client* client) {
    return OnLoop<Client>(client, EndOnLoop<Client>{&world});
  }

  std::uint64_t letters_ = 0;
};

/// The parts of a story: what was recorded at arrival, and what came after.
struct StoryParts {
  std::string arrival, events;
};
StoryParts split_story(std::string_view text);
/// The attempts of a story, as JSON objects.
std::vector<boost::json::object> attempts_of(const boost::json::object& story);
std::string text_of(const boost::json::object& object, std::string_view member);
/// True once an attempt ended with this result ("delivered", "deferred", "bounced").
bool has_attempt(const boost::json::object& story, std::string_view result);

}  // namespace hikyaku::app::lab
