#include "app/lab_list.h"

#include <fmt/core.h>

#include "arc/sealer.h"
#include "arc/verifier.h"
#include "base/text.h"
#include "client/smtp_client.h"
#include "dns/zone.h"
#include "mime/header.h"
#include "net/connect.h"
#include "net/input.h"
#include "receive/authentication.h"
#include "receive/sender_findings.h"
#include "smtp/data.h"
#include "smtp/line.h"
#include "smtp/received.h"

namespace hikyaku::app::lab {
namespace {

constexpr milliseconds kWire = std::chrono::seconds(10);
constexpr std::size_t kMostLetter = 1 << 20;
constexpr std::string_view kTag = "[chat] ";
constexpr std::string_view kFooter =
    "\r\n-- \r\nThe list chat@gamma.test, for all who like to talk.\r\n";

using smtp::Reply;

Reply answer(int code, smtp::EnhancedStatus status, std::string text) {
  return {code, status, std::move(text)};
}

/// Where the body begins.
std::size_t body_of(std::string_view text) {
  auto end = text.find("\r\n\r\n");
  return end == std::string_view::npos ? text.size() : end + 4;
}

/// What the list does to a letter: a tag in the Subject, its own List-Id, a footer.
std::string changed(std::string_view text) {
  auto body = body_of(text);
  std::string out;
  for (auto& field : mime::HeaderView(text.substr(0, body))) {
    if (field.is("List-Id")) continue;
    if (field.is("Subject")) {
      out += "Subject: " + std::string(kTag) + std::string(trim(field.value)) + "\r\n";
    } else {
      out += field.raw;
    }
  }
  out += "List-Id: <chat.gamma.test>\r\n\r\n";
  out += text.substr(body);
  return out + std::string(kFooter);
}

/// The set that was put in front, without the values that only programs read.
std::string shown_set(std::string_view set) {
  std::string shown;
  for (auto& field : mime::HeaderView(set)) {
    if (field.is("ARC-Authentication-Results")) {
      shown += field.raw;
    } else if (field.is("ARC-Seal")) {
      shown += "ARC-Seal:";
      for (auto tag : split(field.value, ';'))
        if (!trim(tag).starts_with("b=")) shown += " " + std::string(trim(tag)) + ";";
      shown += "\r\n";
    }
  }
  return shown;
}

class OneText final : public client::MessageSource {
 public:
  explicit OneText(std::string text) : text_(std::move(text)) {}
  Task<Result<std::string>> next() override { co_return std::exchange(text_, {}); }

 private:
  std::string text_;
};

}  // namespace

struct MailingList::Session {
  explicit Session(net::Stream& s) : stream(s), input(s) {}
  net::Stream& stream;
  net::Input input;
  Letter letter;
};

MailingList::MailingList(World& world, Settings settings)
    : world_(world), settings_(std::move(settings)), workers_(1), server_(world) {}

Result<std::unique_ptr<MailingList>> MailingList::open(World& world, Settings settings) {
  std::unique_ptr<MailingList> list(new MailingList(world, std::move(settings)));
  TRY(auto zone, dns::Zone::read(world.zone().path().string()));
  list->dns_ =
      std::make_unique<dns::ZoneResolver>(std::make_shared<const dns::Zone>(std::move(zone)));
  TRY_DO(list->server_.open(list->settings_.at, [raw = list.get()](LabServer::Shared stream) {
    return raw->serve(std::move(stream));
  }));
  return list;
}

std::string MailingList::story() const {
  return world_.cores().call(0, [this] { return story_; });
}

Task<void> MailingList::serve(LabServer::Shared stream) {
  // The top of this session: whatever ends the connection ends it.
  try {
    Session session(*stream);
    co_await converse(session);
    stream->finish();
  } catch (const net::Disconnected&) {
  }
}

Task<void> MailingList::converse(Session& session) {
  session.letter.client = session.stream.peer().address;
  co_await session.stream.write("220 " + settings_.host + " ESMTP list\r\n");
  smtp::LineParser lines;
  while (true) {
    session.input.consume(lines.feed(session.input.available()));
    if (!lines.ready()) {
      if (co_await session.input.fill() != net::Input::Filled::Bytes) co_return;
      continue;
    }
    auto line = lines.take();
    Reply reply;
    if (!line) {
      reply = std::move(line.error());
    } else if (auto command = smtp::parse_command(*line)) {
      reply = co_await obey(session, *command);
    } else {
      reply = command.error().reply;
    }
    co_await session.stream.write(smtp::format(reply));
    if (reply.closes()) co_return;
  }
}

Task<Reply> MailingList::obey(Session& session, const smtp::Command& command) {
  auto& letter = session.letter;
  switch (smtp::verb_of(command)) {
    case smtp::Verb::Helo:
      letter.helo = std::get<smtp::Helo>(command).name;
      co_return Reply{250, std::nullopt, settings_.host};
    case smtp::Verb::Ehlo:
      letter.helo = std::get<smtp::Ehlo>(command).name;
      co_return Reply{250, std::nullopt, settings_.host + "\n8BITMIME"};
    case smtp::Verb::Mail:
      letter.mail_from = std::get<smtp::Mail>(command).from.to_string();
      letter.for_list = false;
      co_return answer(250, {2, 1, 0}, "Sender OK");
    case smtp::Verb::Rcpt:
      if (!iequals(std::get<smtp::Rcpt>(command).to.to_string(), settings_.address))
        co_return answer(550, {5, 1, 1}, "Only the list lives here");
      letter.for_list = true;
      co_return answer(250, {2, 1, 5}, "Recipient OK");
    case smtp::Verb::Data:
      if (!letter.for_list) co_return answer(503, {5, 5, 1}, "For whom?");
      co_return co_await take_data(session);
    case smtp::Verb::Rset:
      letter.for_list = false;
      [[fallthrough]];
    case smtp::Verb::Noop:
      co_return answer(250, {2, 0, 0}, "OK");
    case smtp::Verb::Quit:
      co_return answer(221, {2, 0, 0}, "Bye");
    default:
      co_return answer(502, {5, 5, 1}, "Not here");
  }
}

Task<Reply> MailingList::take_data(Session& session) {
  co_await session.stream.write("354 Go ahead\r\n");
  smtp::DataDecoder decoder(kMostLetter);
  auto& letter = session.letter;
  letter.text.clear();
  while (true) {
    session.input.consume(decoder.feed(session.input.available(), letter.text));
    if (decoder.done()) break;
    if (decoder.hopeless() || co_await session.input.fill() != net::Input::Filled::Bytes)
      co_return answer(421, {4, 3, 0}, "That cannot be read");
  }
  letter.for_list = false;
  if (decoder.problem() != smtp::DataProblem::None)
    co_return answer(554, {5, 6, 0}, "That cannot be read");
  co_return co_await pass_on(letter);
}

Task<Reply> MailingList::pass_on(Letter letter) {
  auto results = co_await authenticate(letter);
  story_ += results;
  auto out = changed(letter.text);
  smtp::ReceivedField received{.hello = letter.helo,
                               .reverse_name = {},
                               .from = letter.client,
                               .by = settings_.host,
                               .with = "ESMTP",
                               .tls = {},
                               .id = "list",
                               .recipient = std::nullopt,
                               .when = SystemClock().now()};
  out = smtp::format_received(received) + out;
  if (settings_.seals == Seals::Yes) {
    auto set = co_await seal(letter.text, std::move(results), out);
    if (!set) co_return answer(451, {4, 3, 0}, "cannot seal: " + set.error().describe());
    out = *set + out;
    story_ += shown_set(*set);
  }
  co_return co_await send(std::move(out));
}

/// The field that says what was found out, as every receiver does it.
Task<std::string> MailingList::authenticate(const Letter& letter) {
  SystemClock clock;
  receive::AuthenticationSettings settings;
  settings.host_name = settings_.host;
  receive::AuthenticationServices services{*dns_, clock, workers_};
  auto client = std::make_shared<receive::Client>(settings, services, letter.client);
  client->begins_mail(letter.helo, letter.mail_from);
  receive::Authentication authentication(settings, services, client);
  auto body = body_of(letter.text);
  authentication.header(std::string_view(letter.text).substr(0, body), true);
  co_await authentication.body(std::string_view(letter.text).substr(body));
  auto found = co_await authentication.finish();
  co_return receive::authentication_results_field(found, settings_.host);
}

/// The chain is judged on the letter as it came; the new set covers it as it leaves (RFC 8617
/// §5.1).
Task<Result<std::string>> MailingList::seal(std::string_view original, std::string results,
                                            std::string_view changed_text) {
  auto now = SystemClock().now();
  auto body = body_of(original);
  arc::Verifier verifier(std::string(original.substr(0, body)), {.now = now});
  verifier.body(original.substr(body));
  auto chain = co_await verifier.finish(*dns_);
  CO_TRY(auto key, settings_.site->signing_key(settings_.site->domain(), "rsa"));
  arc::Sealer sealer({.key = std::move(key), .now = now});
  auto changed_body = body_of(changed_text);
  sealer.body(changed_text.substr(changed_body));
  co_return sealer.finish(changed_text.substr(0, changed_body), chain,
                          arc::collect_results(dkim::HeaderFields(results), settings_.host));
}

Task<Reply> MailingList::send(std::string text) {
  auto connected = co_await net::connect(settings_.subscribers_server, settings_.at.address, kWire);
  if (!connected) co_return answer(451, {4, 4, 1}, connected.error().describe());
  client::SmtpTimeouts timeouts{kWire, kWire, kWire, kWire, kWire};
  client::SmtpClient client(std::move(*connected), settings_.host, timeouts);
  if (!co_await client.greet()) co_return answer(451, {4, 4, 1}, "no greeting");
  smtp::Outgoing outgoing;
  if (auto from = smtp::parse_mailbox(settings_.owner)) outgoing.from.mailbox = *from;
  outgoing.size = text.size();
  outgoing.has_8bit = !is_ascii(text);
  client::SmtpClient::Recipient recipient;
  if (auto to = smtp::parse_mailbox(settings_.subscriber)) recipient.to = *to;
  OneText source(std::move(text));
  std::vector<client::SmtpClient::Recipient> recipients{recipient};
  auto sent = co_await client.send(std::move(outgoing), recipients, source);
  co_await client.quit();
  co_return sent.front().reply;
}

}  // namespace hikyaku::app::lab
