#include "smtp/client.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "base/text.h"
#include "smtp/parameters.h"

namespace hikyaku::smtp {
namespace {

constexpr std::size_t kMaxMechanisms = 64;

std::vector<std::string> parse_mechanisms(std::string_view words) {
  std::vector<std::string> mechanisms;
  for (auto word : split(words, ' '))
    if (!word.empty() && mechanisms.size() < kMaxMechanisms) mechanisms.push_back(to_upper(word));
  return mechanisms;
}

void parse_limits(std::string_view words, Offers& offers) {
  for (auto word : split(words, ' ')) {
    auto equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    // A value is 1*6DIGIT and not 0 (RFC 9422 §3).
    auto value = parse_decimal(word.substr(equals + 1), 999'999);
    if (!value || *value == 0) continue;
    auto name = word.substr(0, equals);
    if (iequals(name, "MAILMAX")) offers.max_mails = *value;
    if (iequals(name, "RCPTMAX")) offers.max_recipients = *value;
    if (iequals(name, "RCPTDOMAINMAX")) offers.max_recipient_domains = *value;
  }
}

void parse_offer(std::string_view line, Offers& offers) {
  // Some old servers write AUTH=LOGIN.
  auto end = line.find_first_of(" =");
  auto keyword = line.substr(0, end);
  auto words = end == std::string_view::npos ? "" : trim_space(line.substr(end + 1));
  struct Flag {
    std::string_view keyword;
    bool Offers::* member;
  };
  constexpr Flag kFlags[] = {
      {"PIPELINING", &Offers::pipelining},
      {"8BITMIME", &Offers::eight_bit_mime},
      {"ENHANCEDSTATUSCODES", &Offers::enhanced_status_codes},
      {"SMTPUTF8", &Offers::smtputf8},
      {"DSN", &Offers::dsn},
      {"CHUNKING", &Offers::chunking},
      {"BINARYMIME", &Offers::binary_mime},
      {"STARTTLS", &Offers::starttls},
      {"SIZE", &Offers::size},
  };
  for (const auto& flag : kFlags)
    if (iequals(keyword, flag.keyword)) offers.*flag.member = true;
  if (iequals(keyword, "SIZE"))
    if (auto limit = parse_decimal(words); limit && *limit > 0) offers.max_size = *limit;
  if (iequals(keyword, "AUTH"))
    for (auto& mechanism : parse_mechanisms(words))
      if (std::ranges::find(offers.auth, mechanism) == offers.auth.end())
        offers.auth.push_back(std::move(mechanism));
  if (iequals(keyword, "LIMITS")) parse_limits(words, offers);
}

Reply own(int code, EnhancedStatus status, std::string text) {
  return Reply{code, status, std::move(text)};
}

/// Whether a path can be told to the server, and how.
std::expected<std::string, Reply> path_for(const Mailbox& mailbox, const Offers& offers) {
  if (mailbox.needs_utf8() && !offers.smtputf8)
    return std::unexpected(
        own(553, {5, 6, 7}, "the address is not ASCII, and the server does not offer SMTPUTF8"));
  return mailbox.to_string();
}

/// 550 5.7.1 at the door and the like: no retry will help.
bool closed_for_good(const Reply& reply) {
  if (!reply.permanent()) return false;
  return reply.code == 521 || reply.code == 554 || (reply.status && reply.status->subject == 7);
}

/// RFC 5321 §4.5.3.1.10: 552 to RCPT is an old way to say 452.
bool too_many_recipients(const Reply& reply) {
  if (reply.code != 552) return false;
  return !reply.status || *reply.status == EnhancedStatus{5, 5, 3};
}

EnhancedStatus status_for(const Reply& reply, Meaning meaning) {
  std::uint16_t klass = meaning == Meaning::GoOn ? 2 : meaning == Meaning::Temporary ? 4 : 5;
  if (!reply.status) return {klass, 0, 0};
  auto status = *reply.status;
  status.klass = klass;
  return status;
}

Meaning meaning_of(Stage stage, const Reply& reply) {
  if (stage == Stage::Data ? reply.intermediate() : reply.positive()) return Meaning::GoOn;
  if (!reply.permanent()) return Meaning::Temporary;
  bool at_the_door = stage == Stage::Greeting || stage == Stage::Hello;
  if (at_the_door && !closed_for_good(reply)) return Meaning::Temporary;
  if (stage == Stage::Rcpt && too_many_recipients(reply)) return Meaning::Temporary;
  return Meaning::Permanent;
}

Concern concern_of(Stage stage, const Reply& reply) {
  bool out_of_place = stage == Stage::Data ? reply.positive() : reply.intermediate();
  if (reply.code == 421 || out_of_place) return Concern::Connection;
  switch (stage) {
    case Stage::Greeting:
    case Stage::Hello:
    case Stage::StartTls:
    case Stage::Auth:
      return Concern::Connection;
    case Stage::Rcpt:
      return Concern::Recipient;
    case Stage::Mail:
    case Stage::Data:
    case Stage::Chunk:
    case Stage::EndOfData:
      break;
  }
  return Concern::Message;
}

}  // namespace

Offers parse_ehlo(const Reply& reply) {
  Offers offers;
  auto lines = reply.lines();
  auto first = trim_space(lines.front());
  offers.name = printable(first.substr(0, first.find(' ')), 255);
  for (auto line : std::span(lines).subspan(1)) parse_offer(trim_space(line), offers);
  return offers;
}

std::expected<std::string, Reply> mail_command(const Outgoing& message, const Offers& offers) {
  if (offers.max_size && message.size > *offers.max_size)
    return std::unexpected(
        own(552, {5, 3, 4},
            fmt::format("the message has {} octets, and the server takes {} at most", message.size,
                        *offers.max_size)));
  if (message.has_utf8_header && !offers.smtputf8)
    return std::unexpected(
        own(554, {5, 6, 9}, "the header is UTF-8, and the server does not offer SMTPUTF8"));
  std::string path;
  if (message.from.mailbox) {
    auto told = path_for(*message.from.mailbox, offers);
    if (!told) return told;
    path = *std::move(told);
  }
  auto line = fmt::format("MAIL FROM:<{}>", path);
  if (offers.size && message.size) line += fmt::format(" SIZE={}", message.size);
  if (offers.eight_bit_mime && message.has_8bit) line += " BODY=8BITMIME";
  bool utf8 = message.has_utf8_header || message.has_utf8_recipient || !is_ascii(path);
  if (offers.smtputf8 && utf8) line += " SMTPUTF8";
  if (offers.dsn && message.ret) line += *message.ret == Return::Full ? " RET=FULL" : " RET=HDRS";
  if (offers.dsn && message.envid) line += " ENVID=" + encode_xtext(*message.envid);
  return line + "\r\n";
}

std::expected<std::string, Reply> rcpt_command(const Mailbox& to, const RcptParameters& parameters,
                                               const Offers& offers) {
  auto path = path_for(to, offers);
  if (!path) return path;
  auto line = fmt::format("RCPT TO:<{}>", *path);
  if (offers.dsn && parameters.notify) line += " NOTIFY=" + to_string(*parameters.notify);
  if (offers.dsn && parameters.orcpt)
    line += " ORCPT=" + format_orcpt(*parameters.orcpt, offers.smtputf8);
  return line + "\r\n";
}

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::Greeting:
      return "greeting";
    case Stage::Hello:
      return "EHLO";
    case Stage::StartTls:
      return "STARTTLS";
    case Stage::Auth:
      return "AUTH";
    case Stage::Mail:
      return "MAIL FROM";
    case Stage::Rcpt:
      return "RCPT TO";
    case Stage::Data:
      return "DATA";
    case Stage::Chunk:
      return "BDAT";
    case Stage::EndOfData:
      break;
  }
  return "end of data";
}

Judgement judge(Stage stage, const Reply& reply) {
  auto meaning = meaning_of(stage, reply);
  auto concern = concern_of(stage, reply);
  return {meaning, concern, status_for(reply, meaning)};
}

bool should_try_helo(const Reply& ehlo_reply) {
  return ehlo_reply.permanent() && !closed_for_good(ehlo_reply);
}

}  // namespace hikyaku::smtp
