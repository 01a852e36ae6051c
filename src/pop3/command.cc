#include "pop3/command.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/forget.h"
#include "base/text.h"

namespace hikyaku::pop3 {
namespace {

constexpr std::array<std::pair<Verb, std::string_view>, 17> kVerbs{{{Verb::Apop, "APOP"},
                                                                    {Verb::Auth, "AUTH"},
                                                                    {Verb::Capa, "CAPA"},
                                                                    {Verb::Dele, "DELE"},
                                                                    {Verb::Lang, "LANG"},
                                                                    {Verb::List, "LIST"},
                                                                    {Verb::Noop, "NOOP"},
                                                                    {Verb::Pass, "PASS"},
                                                                    {Verb::Quit, "QUIT"},
                                                                    {Verb::Retr, "RETR"},
                                                                    {Verb::Rset, "RSET"},
                                                                    {Verb::Stat, "STAT"},
                                                                    {Verb::Stls, "STLS"},
                                                                    {Verb::Top, "TOP"},
                                                                    {Verb::Uidl, "UIDL"},
                                                                    {Verb::User, "USER"},
                                                                    {Verb::Utf8, "UTF8"}}};

struct VerbOf {
  Verb operator()(const UserCommand&) const { return Verb::User; }
  Verb operator()(const PassCommand&) const { return Verb::Pass; }
  Verb operator()(const ApopCommand&) const { return Verb::Apop; }
  Verb operator()(const AuthCommand&) const { return Verb::Auth; }
  Verb operator()(const StlsCommand&) const { return Verb::Stls; }
  Verb operator()(const CapaCommand&) const { return Verb::Capa; }
  Verb operator()(const StatCommand&) const { return Verb::Stat; }
  Verb operator()(const NoopCommand&) const { return Verb::Noop; }
  Verb operator()(const RsetCommand&) const { return Verb::Rset; }
  Verb operator()(const QuitCommand&) const { return Verb::Quit; }
  Verb operator()(const Utf8Command&) const { return Verb::Utf8; }
  Verb operator()(const LangCommand&) const { return Verb::Lang; }
  Verb operator()(const ListCommand&) const { return Verb::List; }
  Verb operator()(const UidlCommand&) const { return Verb::Uidl; }
  Verb operator()(const RetrCommand&) const { return Verb::Retr; }
  Verb operator()(const DeleCommand&) const { return Verb::Dele; }
  Verb operator()(const TopCommand&) const { return Verb::Top; }
};

/// Arguments are separated by single spaces (RFC 1939 §3); more, and spaces at the end, are
/// forgiven.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (auto word : split(text, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

Result<std::uint32_t> message_number(std::string_view word) {
  auto number = parse_decimal(word, UINT32_MAX);
  if (!number || *number == 0)
    return fail(ErrorCode::Invalid, "\"{}\" is no message number", printable(word, 20));
  return static_cast<std::uint32_t>(*number);
}

Result<std::optional<std::uint32_t>> optional_number(const std::vector<std::string_view>& words) {
  if (words.empty()) return std::nullopt;
  TRY(auto number, message_number(words[0]));
  return number;
}

bool is_base64(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return is_ascii_alnum(c) || c == '+' || c == '/' || c == '='; });
}

Result<Command> parse_apop(const std::vector<std::string_view>& words) {
  ApopCommand command{std::string(words[0]), to_lower(words[1])};
  if (command.digest.size() != 32 || !from_hex(command.digest))
    return fail(ErrorCode::Invalid, "an APOP digest has 32 hexadecimal digits");
  return command;
}

Result<Command> parse_auth(const std::vector<std::string_view>& words) {
  AuthCommand command;
  if (words.empty()) return command;
  command.mechanism = to_upper(words[0]);
  if (words.size() == 2) {
    if (!is_base64(words[1])) return fail(ErrorCode::Invalid, "an initial response is base64");
    command.initial_response = std::string(words[1]);
  }
  return command;
}

Result<Command> parse_top(const std::vector<std::string_view>& words) {
  TopCommand command;
  TRY(command.message, message_number(words[0]));
  auto lines = parse_decimal(words[1], INT64_MAX);
  if (!lines)
    return fail(ErrorCode::Invalid, "\"{}\" is no number of lines", printable(words[1], 20));
  command.lines = *lines;
  return command;
}

/// How many arguments a command takes.
std::pair<std::size_t, std::size_t> argument_counts(Verb verb) {
  switch (verb) {
    case Verb::Apop:
    case Verb::Top:
      return {2, 2};
    case Verb::Auth:
      return {0, 2};
    case Verb::Retr:
    case Verb::Dele:
      return {1, 1};
    case Verb::Lang:
    case Verb::List:
    case Verb::Uidl:
      return {0, 1};
    default:
      return {0, 0};
  }
}

Result<Command> parse_words(Verb verb, const std::vector<std::string_view>& words) {
  switch (verb) {
    case Verb::Apop:
      return parse_apop(words);
    case Verb::Auth:
      return parse_auth(words);
    case Verb::Top:
      return parse_top(words);
    case Verb::Retr: {
      TRY(auto number, message_number(words[0]));
      return RetrCommand{number};
    }
    case Verb::Dele: {
      TRY(auto number, message_number(words[0]));
      return DeleCommand{number};
    }
    case Verb::List: {
      TRY(auto number, optional_number(words));
      return ListCommand{number};
    }
    case Verb::Uidl: {
      TRY(auto number, optional_number(words));
      return UidlCommand{number};
    }
    case Verb::Lang:
      if (words.empty()) return LangCommand{};
      return LangCommand{std::string(words[0])};
    case Verb::Capa:
      return CapaCommand{};
    case Verb::Noop:
      return NoopCommand{};
    case Verb::Quit:
      return QuitCommand{};
    case Verb::Rset:
      return RsetCommand{};
    case Verb::Stat:
      return StatCommand{};
    case Verb::Stls:
      return StlsCommand{};
    case Verb::Utf8:
      return Utf8Command{};
    case Verb::User:
    case Verb::Pass:
    case Verb::Unknown:
      break;
  }
  return fail(ErrorCode::Invalid, "unknown command");
}

}  // namespace

Verb verb_of(const Command& command) {
  return std::visit(VerbOf{}, command);
}

Verb find_verb(std::string_view name) {
  for (auto& [verb, known] : kVerbs) {
    if (iequals(known, name)) return verb;
  }
  return Verb::Unknown;
}

std::string_view name_of(Verb verb) {
  for (auto& [known, name] : kVerbs) {
    if (known == verb) return name;
  }
  return "?";
}

Result<Command> parse_command(std::string_view line) {
  if (line.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos)
    return fail(ErrorCode::Invalid, "a command must not hold a bare CR or a NUL");
  auto space = line.find(' ');
  auto name = line.substr(0, space);
  auto rest = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  auto verb = find_verb(name);
  if (verb == Verb::Unknown)
    return fail(ErrorCode::Invalid, "unknown command {}", printable(name, 20));
  if (verb == Verb::Pass) {
    if (rest.empty()) return fail(ErrorCode::Invalid, "PASS needs a password");
    return PassCommand{std::string(rest)};
  }
  if (verb == Verb::User) {
    rest = trim_space(rest);
    if (rest.empty()) return fail(ErrorCode::Invalid, "USER needs a name");
    return UserCommand{std::string(rest)};
  }
  auto words = words_of(rest);
  auto [least, most] = argument_counts(verb);
  if (words.size() < least || words.size() > most)
    return fail(ErrorCode::Invalid, "{} takes {} arguments", name_of(verb),
                least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most));
  return parse_words(verb, words);
}

LineReader::Event LineReader::next(std::string_view& input) {
  if (std::exchange(clear_, false)) {
    forget(kept_);
    if (kept_.capacity() > kDefaultLimit) kept_.shrink_to_fit();
  }
  auto newline = input.find('\n');
  auto piece = input.substr(0, newline);
  bool ended = newline != std::string_view::npos;
  if (dropping_) {
    input.remove_prefix(ended ? newline + 1 : input.size());
    dropping_ = !ended;
    return ended ? next(input) : Event::NeedMore;
  }
  // One more for the CR.
  if (kept_.size() + piece.size() > limit_ + 1) {
    forget(kept_);
    dropping_ = true;
    return Event::TooLong;
  }
  if (!ended) {
    kept_ += input;
    input = {};
    return Event::NeedMore;
  }
  if (kept_.empty()) {
    line_ = piece;
  } else {
    kept_ += piece;
    line_ = kept_;
    clear_ = true;
  }
  input.remove_prefix(newline + 1);
  if (line_.ends_with('\r')) line_.remove_suffix(1);
  return Event::Line;
}

}  // namespace hikyaku::pop3
