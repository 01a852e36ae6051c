#include "imap/grammar.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "imap/characters.h"
#include "imap/rules.h"

namespace hikyaku::imap {
namespace {

template <class T>
Result<T> no_arguments(Scanner& in) {
  TRY_DO(in.expect_end());
  return T{};
}

Result<IdCommand> parse_id(Scanner& in, const GrammarLimits& limits) {
  IdCommand command;
  TRY_DO(in.expect_space());
  if (in.take_word("NIL")) return command;
  TRY_DO(in.expect('('));
  while (!in.take(')')) {
    if (!command.fields.empty()) TRY_DO(in.expect_space());
    TRY(auto name, in.expect_string("a field name"));
    TRY_DO(in.expect_space());
    TRY(auto value, in.expect_nstring("a field value"));
    if (command.fields.size() == limits.id_fields)
      return fail(ErrorCode::TooLarge, "ID may have {} fields", limits.id_fields);
    if (name.size() > limits.id_field_bytes || (value && value->size() > limits.id_value_bytes))
      return fail(ErrorCode::TooLarge, "an ID field is too long");
    command.fields.emplace_back(std::move(name), std::move(value));
  }
  return command;
}

Result<AuthenticateCommand> parse_authenticate(Scanner& in, const GrammarLimits& limits) {
  AuthenticateCommand command;
  TRY_DO(in.expect_space());
  TRY(auto mechanism, in.expect_atom("an authentication mechanism"));
  command.mechanism = to_upper(mechanism);
  if (in.take(' ')) {
    auto response =
        in.take_while([](char c) { return is_ascii_alnum(c) || c == '+' || c == '/' || c == '='; });
    if (!response) return in.wrong("an initial response in base64");
    if (response->size() > limits.initial_response)
      return fail(ErrorCode::TooLarge, "an initial response may have {} bytes",
                  limits.initial_response);
    command.initial_response = std::string(*response);
  }
  return command;
}

Result<LoginCommand> parse_login(Scanner& in) {
  LoginCommand command;
  TRY_DO(in.expect_space());
  TRY(command.user, in.expect_astring("a user name"));
  TRY_DO(in.expect_space());
  TRY(command.password, in.expect_astring("a password"));
  return command;
}

Result<EnableCommand> parse_enable(Scanner& in, const GrammarLimits& limits) {
  EnableCommand command;
  do {
    TRY_DO(in.expect_space());
    TRY(auto capability, in.expect_atom("a capability"));
    if (command.capabilities.size() == limits.enable_capabilities)
      return fail(ErrorCode::TooLarge, "ENABLE may name {} capabilities",
                  limits.enable_capabilities);
    command.capabilities.push_back(to_upper(capability));
  } while (!in.at_end());
  return command;
}

template <class T>
Result<T> parse_mailbox_command(Scanner& in) {
  T command;
  TRY_DO(in.expect_space());
  TRY(command.mailbox, in.expect_mailbox());
  return command;
}

/// "a/b/" asks for "a/b", below which there will be others (RFC 9051 §6.3.4).
void drop_trailing_separator(std::string& name) {
  if (name.size() > 1 && name.ends_with(kSeparator)) name.pop_back();
}

Result<CreateCommand> parse_create(Scanner& in, const GrammarLimits& limits) {
  TRY(auto command, parse_mailbox_command<CreateCommand>(in));
  drop_trailing_separator(command.mailbox);
  if (!in.take(' ')) return command;
  TRY_DO(in.expect('('));
  if (!in.take_word("USE")) return in.wrong("USE");
  TRY_DO(in.expect_space());
  TRY_DO(in.expect('('));
  while (!in.take(')')) {
    if (!command.special_uses.empty()) TRY_DO(in.expect_space());
    if (!in.next_is('\\')) return in.wrong("a special use");
    TRY(auto use, in.expect_flag());
    if (command.special_uses.size() == limits.special_uses)
      return fail(ErrorCode::TooLarge, "USE may name {} uses", limits.special_uses);
    command.special_uses.emplace_back(use);
  }
  TRY_DO(in.expect(')'));
  return command;
}

Result<RenameCommand> parse_rename(Scanner& in) {
  RenameCommand command;
  TRY_DO(in.expect_space());
  TRY(command.from, in.expect_mailbox());
  TRY_DO(in.expect_space());
  TRY(command.to, in.expect_mailbox());
  drop_trailing_separator(command.to);
  return command;
}

Result<StatusCommand> parse_status(Scanner& in) {
  TRY(auto command, parse_mailbox_command<StatusCommand>(in));
  TRY_DO(in.expect_space());
  TRY(command.items, parse_status_items(in));
  return command;
}

Result<ExpungeCommand> parse_expunge(Scanner& in, bool uid) {
  ExpungeCommand command;
  if (uid) {
    TRY_DO(in.expect_space());
    TRY(command.uids, in.expect_sequence_set());
  }
  return command;
}

template <class T>
Result<T> parse_transfer(Scanner& in, bool uid) {
  T command;
  command.uid = uid;
  TRY_DO(in.expect_space());
  TRY(command.set, in.expect_sequence_set());
  TRY_DO(in.expect_space());
  TRY(command.mailbox, in.expect_mailbox());
  return command;
}

Result<SelectCommand> parse_read_write(Scanner& in, bool, const GrammarLimits& limits) {
  return parse_select(in, false, limits);
}

Result<SelectCommand> parse_examine(Scanner& in, bool, const GrammarLimits& limits) {
  return parse_select(in, true, limits);
}

Result<ListCommand> parse_any_list(Scanner& in, bool, const GrammarLimits& limits) {
  return parse_list(in, false, limits);
}

Result<ListCommand> parse_lsub(Scanner& in, bool, const GrammarLimits& limits) {
  return parse_list(in, true, limits);
}

using ParseArguments = Result<Arguments> (*)(Scanner& in, bool uid, const GrammarLimits& limits);

/// Calls a command's own function with what it takes of these.
template <auto parse>
Result<Arguments> arguments_by(Scanner& in, bool uid, const GrammarLimits& limits) {
  auto call = [&] {
    if constexpr (requires { parse(in); })
      return parse(in);
    else if constexpr (requires { parse(in, uid); })
      return parse(in, uid);
    else if constexpr (requires { parse(in, limits); })
      return parse(in, limits);
    else
      return parse(in, uid, limits);
  };
  auto parsed = call();
  if (!parsed) return std::unexpected(std::move(parsed).error());
  return Arguments(std::move(*parsed));
}

struct ArgumentsRule {
  Verb verb;
  ParseArguments parse;
};

/// All but APPEND, whose message does not stand in its line.
constexpr ArgumentsRule kArguments[] = {
    {Verb::Authenticate, arguments_by<parse_authenticate>},
    {Verb::Capability, arguments_by<no_arguments<CapabilityCommand>>},
    {Verb::Check, arguments_by<no_arguments<CheckCommand>>},
    {Verb::Close, arguments_by<no_arguments<CloseCommand>>},
    {Verb::Copy, arguments_by<parse_transfer<CopyCommand>>},
    {Verb::Create, arguments_by<parse_create>},
    {Verb::Delete, arguments_by<parse_mailbox_command<DeleteCommand>>},
    {Verb::Enable, arguments_by<parse_enable>},
    {Verb::Examine, arguments_by<parse_examine>},
    {Verb::Expunge, arguments_by<parse_expunge>},
    {Verb::Fetch, arguments_by<parse_fetch>},
    {Verb::Id, arguments_by<parse_id>},
    {Verb::Idle, arguments_by<no_arguments<IdleCommand>>},
    {Verb::List, arguments_by<parse_any_list>},
    {Verb::Login, arguments_by<parse_login>},
    {Verb::Logout, arguments_by<no_arguments<LogoutCommand>>},
    {Verb::Lsub, arguments_by<parse_lsub>},
    {Verb::Move, arguments_by<parse_transfer<MoveCommand>>},
    {Verb::Namespace, arguments_by<no_arguments<NamespaceCommand>>},
    {Verb::Noop, arguments_by<no_arguments<NoopCommand>>},
    {Verb::Rename, arguments_by<parse_rename>},
    {Verb::Search, arguments_by<parse_search>},
    {Verb::Select, arguments_by<parse_read_write>},
    {Verb::StartTls, arguments_by<no_arguments<StartTlsCommand>>},
    {Verb::Status, arguments_by<parse_status>},
    {Verb::Store, arguments_by<parse_store>},
    {Verb::Subscribe, arguments_by<parse_mailbox_command<SubscribeCommand>>},
    {Verb::Unselect, arguments_by<no_arguments<UnselectCommand>>},
    {Verb::Unsubscribe, arguments_by<parse_mailbox_command<UnsubscribeCommand>>},
};

Result<Arguments> parse_arguments(const CommandHead& head, Scanner& in,
                                  const GrammarLimits& limits) {
  auto rule = std::ranges::find(kArguments, head.verb, &ArgumentsRule::verb);
  if (rule != std::end(kArguments)) return rule->parse(in, head.uid, limits);
  if (head.verb == Verb::Append)
    return fail(ErrorCode::Invalid, "APPEND needs a message as a literal");
  if (head.name.empty()) return fail(ErrorCode::Invalid, "expected a command after the tag");
  return fail(ErrorCode::Invalid, "unknown command {}{}", head.uid ? "UID " : "",
              printable(head.name, 40));
}

}  // namespace

bool Command::uid() const {
  return std::visit(
      [](auto& arguments) {
        using T = std::decay_t<decltype(arguments)>;
        if constexpr (std::is_same_v<T, ExpungeCommand>)
          return arguments.uids.has_value();
        else if constexpr (requires { arguments.uid; })
          return arguments.uid;
        else
          return false;
      },
      arguments);
}

CommandHead read_head(std::string_view text) {
  CommandHead head;
  std::size_t at = 0;
  auto take_word = [&] {
    auto start = at;
    while (at < text.size() && text[at] != ' ' && text[at] != '\r' && text[at] != '\n') ++at;
    return text.substr(start, at - start);
  };
  auto tag = take_word();
  if (is_tag(tag)) head.tag = tag;
  if (at == text.size() || text[at] != ' ') return head;
  ++at;
  head.name = take_word();
  if (iequals(head.name, "UID") && at < text.size() && text[at] == ' ') {
    head.uid = true;
    ++at;
    head.name = take_word();
  }
  head.length = at;
  if (auto* rule = find_command(head.name); rule && (!head.uid || rule->has_uid_form()))
    head.verb = rule->verb;
  return head;
}

Result<Command> parse_command(std::string_view text, NameForm form, const GrammarLimits& limits) {
  auto head = read_head(text);
  if (head.tag.empty())
    return fail(ErrorCode::Invalid, "expected a tag, found \"{}\"", printable(text, 20));
  Scanner in(text, form);
  in.skip(head.length);
  TRY(auto arguments, parse_arguments(head, in, limits));
  TRY_DO(in.expect_end());
  return Command{std::string(head.tag), head.verb, std::move(arguments)};
}

Result<AppendCommand> parse_append(Scanner& in) {
  return parse_mailbox_command<AppendCommand>(in);
}

Result<AppendMessage> parse_append_message(Scanner& in, const GrammarLimits& limits) {
  AppendMessage message;
  TRY_DO(in.expect_space());
  if (in.next_is('(')) {
    TRY(message.flags, parse_flag_list(in, limits));
    TRY_DO(in.expect_space());
  }
  if (in.next_is('"')) {
    TRY(auto text, in.expect_string("a date"));
    auto date = parse_date_time(text);
    if (!date)
      return fail(ErrorCode::Invalid, "\"{}\" is no date such as \"17-Jul-1996 02:44:25 -0700\"",
                  printable(text, 40));
    message.date = date;
    TRY_DO(in.expect_space());
  }
  // RFC 9755 §4: once UTF8=ACCEPT is enabled.
  if (in.form() == NameForm::Utf8 && in.take_word("UTF8")) {
    TRY_DO(in.expect_space());
    TRY_DO(in.expect('('));
    message.utf8 = true;
  }
  auto header = literal_at_end(in.rest());
  if (!header || header->begin != 0) return in.wrong("the message as a literal");
  message.size = header->size;
  message.synchronizing = header->synchronizing;
  message.binary = header->binary;
  in.skip(in.rest().size());
  return message;
}

Result<Flags> parse_flag_list(Scanner& in, const GrammarLimits& limits) {
  Flags flags;
  TRY_DO(in.expect('('));
  for (std::size_t count = 0; !in.take(')'); ++count) {
    if (count > 0) TRY_DO(in.expect_space());
    if (count == limits.flags)
      return fail(ErrorCode::TooLarge, "a list of flags may have {}", limits.flags);
    TRY(auto name, in.expect_flag());
    TRY_DO(add_flag(flags, name));
  }
  return flags;
}

}  // namespace hikyaku::imap
