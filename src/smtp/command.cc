#include "smtp/command.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "smtp/parameters.h"
#include "smtp/replies.h"

namespace hikyaku::smtp {
namespace {

using Parsed = std::expected<Command, BadCommand>;

constexpr std::size_t kMaxHelloName = 255;

std::unexpected<BadCommand> bad(Verb verb, Reply reply) {
  return std::unexpected(BadCommand{verb, std::move(reply)});
}

/// Host names as they are told in practice: also single labels, underscores, bare addresses and
/// UTF-8. What must not get into a Received field is refused.
bool is_hello_name(std::string_view name) {
  constexpr std::string_view kRefused = "<>()@,;\"\\";
  if (name.empty() || name.size() > kMaxHelloName || !is_utf8(name)) return false;
  return std::ranges::all_of(name, [&](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != 0x7F &&
           kRefused.find(c) == std::string_view::npos;
  });
}

template <class Hello>
Parsed parse_hello(Verb verb, std::string_view arguments) {
  if (arguments.starts_with('<') && arguments.ends_with('>'))
    return bad(verb, replies::helo_without_brackets(to_string(verb)));
  if (!is_hello_name(arguments)) return bad(verb, replies::helo_syntax(to_string(verb)));
  return Hello{std::string(arguments)};
}

/// What follows FROM: or TO:, cut into the path and the parameters behind it.
struct PathAndRest {
  std::string_view path;
  std::string_view rest;
};

/// "FROM:<path> parameters" (RFC 5321 §4.1.1.2). No spaces may stand around the colon; those behind
/// it are forgiven, since people type them.
std::expected<PathAndRest, Reply> cut_path(std::string_view arguments, std::string_view keyword,
                                           const Reply& syntax, const Reply& needs_brackets) {
  if (!istarts_with(arguments, keyword)) return std::unexpected(syntax);
  arguments = trim_space(arguments.substr(keyword.size()));
  if (!arguments.starts_with(':')) return std::unexpected(syntax);
  arguments = trim_space(arguments.substr(1));
  if (arguments.empty()) return std::unexpected(syntax);
  if (!arguments.starts_with('<')) return std::unexpected(needs_brackets);
  auto length = path_length(arguments);
  if (length == 0) return std::unexpected(needs_brackets);
  auto rest = arguments.substr(length);
  if (!rest.empty() && !is_ascii_space(rest.front())) return std::unexpected(syntax);
  return PathAndRest{arguments.substr(0, length), rest};
}

Parsed parse_mail(std::string_view arguments) {
  auto cut = cut_path(arguments, "FROM", replies::mail_syntax(), replies::mail_needs_brackets());
  if (!cut) return bad(Verb::Mail, std::move(cut).error());
  auto from = parse_reverse_path(cut->path, {Characters::Utf8, kReversePathLimits});
  if (!from) return bad(Verb::Mail, replies::bad_sender(from.error()));
  auto parameters = parse_mail_parameters(cut->rest);
  if (!parameters) return bad(Verb::Mail, std::move(parameters).error());
  return Mail{std::move(*from), std::move(*parameters)};
}

Parsed parse_rcpt(std::string_view arguments) {
  auto cut = cut_path(arguments, "TO", replies::rcpt_syntax(), replies::rcpt_needs_brackets());
  if (!cut) return bad(Verb::Rcpt, std::move(cut).error());
  auto to = parse_forward_path(cut->path, {Characters::Utf8, {}});
  if (!to) return bad(Verb::Rcpt, replies::bad_recipient(to.error()));
  auto parameters = parse_rcpt_parameters(cut->rest);
  if (!parameters) return bad(Verb::Rcpt, std::move(parameters).error());
  return Rcpt{std::move(*to), std::move(*parameters)};
}

/// RFC 3030 §2: BDAT SP chunk-size [SP "LAST"]. A number beyond all bounds is a number too: octets
/// follow, that must not be taken for commands.
Parsed parse_bdat(std::string_view arguments) {
  auto space = arguments.find(' ');
  auto digits = arguments.substr(0, space);
  auto size = parse_decimal(digits);
  if (!size && !digits.empty() && std::ranges::all_of(digits, is_ascii_digit)) size = UINT64_MAX;
  auto end = space == std::string_view::npos ? "" : trim_space(arguments.substr(space));
  if (!size || (!end.empty() && !iequals(end, "LAST")))
    return bad(Verb::Bdat, replies::bdat_syntax());
  return Bdat{*size, !end.empty()};
}

/// RFC 4954 §4: AUTH SP mechanism [SP initial-response]. sasl-mech: 1 to 20 of A-Z 0-9 - _.
Parsed parse_auth(std::string_view arguments) {
  auto space = arguments.find(' ');
  auto mechanism = arguments.substr(0, space);
  auto valid = [](char c) { return is_ascii_alnum(c) || c == '-' || c == '_'; };
  if (mechanism.empty() || mechanism.size() > 20 || !std::ranges::all_of(mechanism, valid))
    return bad(Verb::Auth, replies::auth_syntax());
  Auth auth{to_upper(mechanism), std::nullopt};
  if (space != std::string_view::npos) {
    auto initial = trim_space(arguments.substr(space));
    if (initial.find(' ') != std::string_view::npos) return bad(Verb::Auth, replies::auth_syntax());
    auth.initial_response = initial == "=" ? "" : std::string(initial);
  }
  return auth;
}

template <class Plain>
Parsed parse_plain(Verb verb, std::string_view arguments) {
  if (!arguments.empty()) return bad(verb, replies::takes_no_argument(to_string(verb)));
  return Plain{};
}

template <class Query>
Parsed parse_query(Verb verb, std::string_view arguments) {
  if (arguments.empty()) return bad(verb, replies::vrfy_syntax(to_string(verb)));
  return Query{std::string(arguments)};
}

struct KnownVerb {
  std::string_view name;
  Verb verb;
};
constexpr std::array kVerbs{
    KnownVerb{"HELO", Verb::Helo},         KnownVerb{"EHLO", Verb::Ehlo},
    KnownVerb{"MAIL", Verb::Mail},         KnownVerb{"RCPT", Verb::Rcpt},
    KnownVerb{"DATA", Verb::Data},         KnownVerb{"BDAT", Verb::Bdat},
    KnownVerb{"RSET", Verb::Rset},         KnownVerb{"VRFY", Verb::Vrfy},
    KnownVerb{"EXPN", Verb::Expn},         KnownVerb{"HELP", Verb::Help},
    KnownVerb{"NOOP", Verb::Noop},         KnownVerb{"QUIT", Verb::Quit},
    KnownVerb{"STARTTLS", Verb::Starttls}, KnownVerb{"AUTH", Verb::Auth},
    KnownVerb{"TURN", Verb::Obsolete},     KnownVerb{"SEND", Verb::Obsolete},
    KnownVerb{"SOML", Verb::Obsolete},     KnownVerb{"SAML", Verb::Obsolete},
    KnownVerb{"ATRN", Verb::Obsolete},     KnownVerb{"ETRN", Verb::Obsolete},
    KnownVerb{"GET", Verb::Foreign},       KnownVerb{"POST", Verb::Foreign},
    KnownVerb{"PUT", Verb::Foreign},       KnownVerb{"HEAD", Verb::Foreign},
    KnownVerb{"OPTIONS", Verb::Foreign},   KnownVerb{"CONNECT", Verb::Foreign},
    KnownVerb{"DELETE", Verb::Foreign},    KnownVerb{"PATCH", Verb::Foreign},
};

Verb find_verb(std::string_view word) {
  for (const auto& known : kVerbs)
    if (iequals(word, known.name)) return known.verb;
  return Verb::Unknown;
}

}  // namespace

std::string_view to_string(Verb verb) {
  switch (verb) {
    case Verb::Obsolete:
    case Verb::Foreign:
    case Verb::Unknown:
      return "?";
    default:
      break;
  }
  return std::ranges::find(kVerbs, verb, &KnownVerb::verb)->name;
}

std::string_view to_string(Body body) {
  switch (body) {
    case Body::SevenBit:
      return "7BIT";
    case Body::EightBitMime:
      return "8BITMIME";
    case Body::BinaryMime:
      break;
  }
  return "BINARYMIME";
}

std::expected<Command, BadCommand> parse_command(std::string_view line) {
  auto end = line.find_last_not_of(" \t");
  line = line.substr(0, end == std::string_view::npos ? 0 : end + 1);
  auto space = line.find_first_of(" \t");
  auto word = line.substr(0, space);
  auto arguments = space == std::string_view::npos ? "" : trim_space(line.substr(space));
  auto verb = find_verb(word);
  switch (verb) {
    case Verb::Helo:
      return parse_hello<Helo>(verb, arguments);
    case Verb::Ehlo:
      return parse_hello<Ehlo>(verb, arguments);
    case Verb::Mail:
      return parse_mail(arguments);
    case Verb::Rcpt:
      return parse_rcpt(arguments);
    case Verb::Data:
      return parse_plain<Data>(verb, arguments);
    case Verb::Bdat:
      return parse_bdat(arguments);
    case Verb::Rset:
      return parse_plain<Rset>(verb, arguments);
    case Verb::Vrfy:
      return parse_query<Vrfy>(verb, arguments);
    case Verb::Expn:
      return parse_query<Expn>(verb, arguments);
    case Verb::Help:
      return Help{std::string(arguments)};
    case Verb::Noop:
      return Noop{};
    case Verb::Quit:
      return parse_plain<Quit>(verb, arguments);
    case Verb::Starttls:
      return parse_plain<Starttls>(verb, arguments);
    case Verb::Auth:
      return parse_auth(arguments);
    case Verb::Obsolete:
      return Obsolete{to_upper(word)};
    case Verb::Foreign:
      return Foreign{to_upper(word)};
    case Verb::Unknown:
      break;
  }
  return Unknown{printable(word, 40)};
}

}  // namespace hikyaku::smtp
