#include "imap/rules.h"

#include <array>

#include "base/text.h"

namespace hikyaku::imap {
namespace {

constexpr std::uint8_t kBefore = static_cast<std::uint8_t>(Phase::NotAuthenticated);
constexpr std::uint8_t kSelected = static_cast<std::uint8_t>(Phase::Selected);
constexpr std::uint8_t kAfter = static_cast<std::uint8_t>(Phase::Authenticated) | kSelected;
constexpr std::uint8_t kAny = kBefore | kAfter;

constexpr std::array kCommands = std::to_array<CommandRule>({
    {Verb::Fetch, "FETCH", kSelected, kHasUidForm | kUsesSeqnums},
    {Verb::Noop, "NOOP", kAny, 0},
    {Verb::Search, "SEARCH", kSelected, kHasUidForm | kUsesSeqnums},
    {Verb::Store, "STORE", kSelected,
     kHasUidForm | kUsesSeqnums | kNeedsWritable | kChangesMailbox},
    {Verb::Select, "SELECT", kAfter, 0},
    {Verb::Idle, "IDLE", kAfter, kLastInGroup},
    {Verb::Status, "STATUS", kAfter, 0},
    {Verb::List, "LIST", kAfter, 0},
    {Verb::Login, "LOGIN", kBefore, kSecret},
    {Verb::Logout, "LOGOUT", kAny, 0},
    {Verb::Capability, "CAPABILITY", kAny, 0},
    {Verb::Append, "APPEND", kAfter, kChangesMailbox},
    {Verb::Authenticate, "AUTHENTICATE", kBefore, kSecret | kLastInGroup},
    {Verb::Check, "CHECK", kSelected, 0},
    {Verb::Close, "CLOSE", kSelected, 0},
    {Verb::Copy, "COPY", kSelected, kHasUidForm | kUsesSeqnums | kChangesMailbox},
    {Verb::Create, "CREATE", kAfter, kChangesMailbox},
    {Verb::Delete, "DELETE", kAfter, kChangesMailbox},
    {Verb::Enable, "ENABLE", kAfter, 0},
    {Verb::Examine, "EXAMINE", kAfter, 0},
    {Verb::Expunge, "EXPUNGE", kSelected,
     kHasUidForm | kBreaksSeqnums | kNeedsWritable | kChangesMailbox},
    {Verb::Id, "ID", kAny, 0},
    {Verb::Lsub, "LSUB", kAfter, 0},
    {Verb::Move, "MOVE", kSelected,
     kHasUidForm | kUsesSeqnums | kBreaksSeqnums | kNeedsWritable | kChangesMailbox},
    {Verb::Namespace, "NAMESPACE", kAfter, 0},
    {Verb::Rename, "RENAME", kAfter, kChangesMailbox},
    {Verb::StartTls, "STARTTLS", kBefore, kLastInGroup},
    {Verb::Subscribe, "SUBSCRIBE", kAfter, kChangesMailbox},
    {Verb::Unselect, "UNSELECT", kSelected, 0},
    {Verb::Unsubscribe, "UNSUBSCRIBE", kAfter, kChangesMailbox},
});

constexpr CommandRule kUnknown{Verb::Unknown, "?", 0, 0};

Reply wrong_phase(const CommandRule& rule, Phase phase) {
  if (phase == Phase::Logout) return bad("the session is ending");
  if (rule.phases == kBefore) return bad(fmt::format("{}: you are logged in already", rule.name));
  if (phase == Phase::NotAuthenticated) return bad(fmt::format("{}: log in first", rule.name));
  return bad(fmt::format("{}: select a mailbox first", rule.name));
}

}  // namespace

const CommandRule* find_command(std::string_view name) {
  for (auto& rule : kCommands) {
    if (iequals(rule.name, name)) return &rule;
  }
  return nullptr;
}

const CommandRule& rule_of(Verb verb) {
  for (auto& rule : kCommands) {
    if (rule.verb == verb) return rule;
  }
  return kUnknown;
}

std::string display_name(Verb verb, bool uid) {
  return fmt::format("{}{}", uid ? "UID " : "", rule_of(verb).name);
}

bool holds_back_expunges(const Command& command) {
  switch (command.verb) {
    case Verb::Fetch:
    case Verb::Store:
      return !command.uid();
    case Verb::Search: {
      auto* search = std::get_if<SearchCommand>(&command.arguments);
      return !command.uid() || (search && uses_message_numbers(search->program.key));
    }
    default:
      return false;
  }
}

std::optional<Reply> check(const Session& session, Verb verb) {
  auto& rule = rule_of(verb);
  if (verb == Verb::Unknown) return bad("unknown command");
  if (!rule.allowed_in(session.phase)) return wrong_phase(rule, session.phase);
  if (verb == Verb::StartTls && session.tls) return bad("STARTTLS: TLS is on already");
  // AUTHENTICATE depends on its mechanism: the driver offers by confidential().
  if (verb == Verb::Login && !session.confidential())
    return no("LOGIN needs TLS: STARTTLS first", "PRIVACYREQUIRED");
  if (rule.has(kNeedsWritable) && session.read_only)
    return no(fmt::format("{}: the mailbox was opened read-only", rule.name), "READ-ONLY");
  return std::nullopt;
}

std::optional<Reply> check(const Session& session, const Command& command) {
  if (auto refusal = check(session, command.verb)) return refusal;
  if (auto* select = std::get_if<SelectCommand>(&command.arguments)) {
    if (select->qresync && !session.has(Enabled::QResync))
      return bad("QRESYNC: ENABLE QRESYNC first");
  }
  if (auto* fetch = std::get_if<FetchCommand>(&command.arguments)) {
    if (fetch->modifiers.vanished && !session.has(Enabled::QResync))
      return bad("VANISHED: ENABLE QRESYNC first");
  }
  return std::nullopt;
}

}  // namespace hikyaku::imap
