// POP3 commands and their incremental reader (RFC 1939, 2449, 2595, 5034, 6856).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace hikyaku::pop3 {

enum class Verb : std::uint8_t {
  Unknown,
  Apop,
  Auth,
  Capa,
  Dele,
  Lang,
  List,
  Noop,
  Pass,
  Quit,
  Retr,
  Rset,
  Stat,
  Stls,
  Top,
  Uidl,
  User,
  Utf8,
};

struct UserCommand {
  std::string name;
};
/// The password is all behind the first space, spaces included (RFC 1939 §7).
struct PassCommand {
  std::string password;
};
struct ApopCommand {
  std::string name;
  std::string digest;  ///< 32 hexadecimal digits in small letters
};
/// RFC 5034. Without a mechanism (RFC 1734's ancestors, still sent): list the mechanisms.
struct AuthCommand {
  std::string mechanism;  ///< in capitals; empty: list them
  /// Base64 as sent; "=" is an empty response.
  std::optional<std::string> initial_response;
};
struct StlsCommand {};
struct CapaCommand {};
struct StatCommand {};
struct NoopCommand {};
struct RsetCommand {};
struct QuitCommand {};
struct Utf8Command {};
/// RFC 6856 §3. Without a tag: list the languages.
struct LangCommand {
  std::optional<std::string> tag;
};
struct ListCommand {
  std::optional<std::uint32_t> message;
};
struct UidlCommand {
  std::optional<std::uint32_t> message;
};
struct RetrCommand {
  std::uint32_t message = 0;
};
struct DeleCommand {
  std::uint32_t message = 0;
};
struct TopCommand {
  std::uint32_t message = 0;
  std::uint64_t lines = 0;
};

using Command =
    std::variant<UserCommand, PassCommand, ApopCommand, AuthCommand, StlsCommand, CapaCommand,
                 StatCommand, NoopCommand, RsetCommand, QuitCommand, Utf8Command, LangCommand,
                 ListCommand, UidlCommand, RetrCommand, DeleCommand, TopCommand>;

Verb verb_of(const Command& command);
/// In any case; Unknown if there is none.
Verb find_verb(std::string_view name);
/// "RETR".
std::string_view name_of(Verb verb);

/// One line without its end. Invalid with what is wrong, for -ERR. Message numbers are from 1.
Result<Command> parse_command(std::string_view line);

/// Collects lines. RFC 2449 §4 allows 255 bytes a command, but clients with long passwords and
/// initial responses send more.
class LineReader {
 public:
  static constexpr std::size_t kDefaultLimit = 1'024;
  /// For responses in AUTH: tokens get long.
  static constexpr std::size_t kAuthLimit = 16'384;

  enum class Event {
    NeedMore,  ///< all bytes were used: read more
    Line,      ///< line() has one, without CRLF (a bare LF ends one too: typed by hand)
    TooLong,   ///< a line was longer than the limit; it has been dropped. Once per line
  };

  explicit LineReader(std::size_t limit = kDefaultLimit) : limit_(limit) {}

  /// Goes on with `input`, which becomes what was not used. line() is valid until the next call.
  Event next(std::string_view& input);
  std::string_view line() const { return line_; }
  /// From the next line on.
  void set_limit(std::size_t limit) { limit_ = limit; }

 private:
  std::size_t limit_;
  std::string kept_;
  std::string_view line_;
  bool clear_ = false;
  bool dropping_ = false;
};

}  // namespace hikyaku::pop3
