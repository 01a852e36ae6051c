#include "pop3/rules.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>

namespace hikyaku::pop3 {
namespace {

constexpr std::uint8_t kBefore = static_cast<std::uint8_t>(Phase::Authorization);
constexpr std::uint8_t kAfter = static_cast<std::uint8_t>(Phase::Transaction);
constexpr std::uint8_t kAny = kBefore | kAfter;

constexpr std::array kCommands = std::to_array<CommandRule>({
    {Verb::Retr, kAfter, kMultiLine},
    {Verb::Dele, kAfter, kChangesMailbox},
    {Verb::Stat, kAfter, 0},
    {Verb::List, kAfter, kMultiLine},
    {Verb::Uidl, kAfter, kMultiLine},
    {Verb::Top, kAfter, kMultiLine},
    {Verb::Noop, kAfter, 0},
    {Verb::Rset, kAfter, 0},
    {Verb::Quit, kAny, 0},
    {Verb::Capa, kAny, kMultiLine},
    {Verb::User, kBefore, kSecret},
    {Verb::Pass, kBefore, kSecret},
    {Verb::Apop, kBefore, kSecret},
    {Verb::Auth, kBefore, kSecret | kLastInGroup},
    {Verb::Stls, kBefore, kLastInGroup},
    {Verb::Utf8, kBefore, 0},
    {Verb::Lang, kAny, kMultiLine},
});
constexpr CommandRule kUnknown{Verb::Unknown, 0, 0};

std::string sasl_line(const std::vector<std::string>& mechanisms) {
  std::string line = "SASL";
  for (auto& mechanism : mechanisms) line += ' ' + mechanism;
  return line;
}

bool user_pass_now(const Session& session, const CapabilitySettings& settings) {
  return settings.user_pass && session.confidential();
}

}  // namespace

const CommandRule& rule_of(Verb verb) {
  for (auto& rule : kCommands) {
    if (rule.verb == verb) return rule;
  }
  return kUnknown;
}

std::optional<Reply> check(const Session& session, const CapabilitySettings& settings,
                           const Command& command) {
  auto verb = verb_of(command);
  auto name = name_of(verb);
  auto& rule = rule_of(verb);
  if (session.phase == Phase::Update) return err("the session is ending");
  if (!rule.allowed_in(session.phase))
    return err(session.phase == Phase::Authorization
                   ? fmt::format("{}: log in first", name)
                   : fmt::format("{}: you are logged in already", name));
  switch (verb) {
    case Verb::User:
    case Verb::Pass:
      if (!session.confidential()) return err("STLS first: no passwords in clear", kCodeSysPerm);
      if (!settings.user_pass) return err("USER and PASS are switched off", kCodeSysPerm);
      if (verb == Verb::Pass && session.user.empty()) return err("USER first");
      break;
    case Verb::Apop:
      if (!settings.apop) return err("APOP is switched off", kCodeSysPerm);
      break;
    case Verb::Stls:
      if (session.tls) return err("TLS is on already");
      if (!settings.starttls) return err("there is no certificate", kCodeSysPerm);
      break;
    case Verb::Utf8:
    case Verb::Lang:
      if (!settings.utf8) return err(fmt::format("{} is switched off", name));
      break;
    default:
      break;
  }
  return std::nullopt;
}

const std::vector<std::string>& offered_mechanisms(const Session& session,
                                                   const CapabilitySettings& settings) {
  if (session.tls) return settings.mechanisms;
  // The -PLUS mechanisms need TLS to bind to, so loopback has a list of its own.
  return session.confidential() ? settings.mechanisms_on_loopback : settings.mechanisms_without_tls;
}

bool mechanism_offered(const Session& session, const CapabilitySettings& settings,
                       std::string_view mechanism) {
  auto& mechanisms = offered_mechanisms(session, settings);
  return std::ranges::find(mechanisms, mechanism) != mechanisms.end();
}

std::vector<std::string> capabilities(const Session& session, const CapabilitySettings& settings) {
  std::vector<std::string> lines{"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"};
  auto add = [&](std::string line) { lines.push_back(std::move(line)); };
  if (session.phase == Phase::Authorization) {
    if (settings.starttls && !session.tls) add("STLS");
    if (user_pass_now(session, settings)) add("USER");
    auto& mechanisms = offered_mechanisms(session, settings);
    if (!mechanisms.empty()) add(sasl_line(mechanisms));
  } else {
    // RFC 2449 §6.3: what authentication would be possible is told in both states.
    if (settings.user_pass) add("USER");
    if (!settings.mechanisms.empty()) add(sasl_line(settings.mechanisms));
  }
  if (settings.utf8) {
    add("UTF8");
    add("LANG");
  }
  if (settings.login_delay_seconds)
    add(fmt::format("LOGIN-DELAY {}", *settings.login_delay_seconds));
  if (settings.never_expires) add("EXPIRE NEVER");
  if (!settings.implementation.empty()) add("IMPLEMENTATION " + settings.implementation);
  return lines;
}

}  // namespace hikyaku::pop3
