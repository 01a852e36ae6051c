// The server's reader of commands: collects one whole command with its literals, streams the
// messages of APPEND, and says when the client waits for a continuation (RFC 9051 §2.2.1, §4.3; RFC
// 7888).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "imap/command.h"
#include "imap/grammar.h"
#include "imap/reply.h"

namespace hikyaku::imap {

/// How much a client may send. A driver uses smaller ones before login.
struct ParserLimits {
  std::size_t line = 64 * 1024;      ///< bytes of one line (UID sets get long), RFC 7162 §4
  std::size_t literal = 64 * 1024;   ///< one literal that is an argument
  std::size_t command = 256 * 1024;  ///< lines and literals of one command together
  std::size_t literals = 100;        ///< of one command
  std::uint64_t message = 50ULL * 1024 * 1024;        ///< one message of APPEND
  std::uint64_t append_total = 200ULL * 1024 * 1024;  ///< all messages of one APPEND
  std::size_t append_messages = 10'000;
  /// What is read and dropped after a refusal, because the client sends it anyway. Beyond it the
  /// connection ends.
  std::uint64_t discard = 64ULL * 1024 * 1024;
  /// LITERAL- instead of LITERAL+ was advertised: non-synchronizing literals of at most 4096 bytes
  /// (RFC 7888 §5).
  bool literal_minus = false;
  GrammarLimits grammar;

  /// For connections that nobody has logged in on.
  static ParserLimits before_login();
};

/// One for each connection. The driver's loop:
///
///     auto event = parser.next(bytes);   // shortens `bytes` by what it used
///     switch (event) …
///
/// Works at every split of the input. Lines may end in a bare LF: typed by hand they do. Between
/// commands it holds no memory worth mentioning.
class Parser {
 public:
  enum class Event {
    NeedMore,      ///< all bytes were used: read more
    Continuation,  ///< the client waits before an argument's literal: write "+ OK" and go on, or
                   ///< refuse(). head() says which command it is
    Command,       ///< take_command() has a command. For APPEND, its messages follow
    Line,          ///< the line that expect_line() asked for is in line()
    Message,       ///< message() begins. If it is synchronizing write "+ OK" and go on; or refuse()
    MessageData,   ///< data() are its next bytes; refuse() is possible
    MessageEnd,    ///< its last byte was handed out
    AppendEnd,     ///< the APPEND is complete: answer it
    Refused,       ///< the command is wrong or too large: send reply() with tag(), go on. If an
                   ///< APPEND was running, forget its messages
    Fatal,         ///< send reply() (a BYE) untagged and close: what follows cannot be understood
  };

  explicit Parser(ParserLimits limits = {}) : limits_(std::move(limits)) {}

  /// Goes on with `input`, which becomes what was not used. line() and data() point into it or
  /// into the parser, and are valid until the next call.
  Event next(std::string_view& input);

  /// After Event::Command, once.
  Command take_command() { return std::move(command_); }
  const AppendMessage& message() const { return message_; }
  std::string_view data() const { return data_; }
  std::string_view line() const { return data_; }
  const Reply& reply() const { return reply_; }
  /// Of the current or last command; empty if it had none: then answer untagged.
  std::string_view tag() const { return tag_; }
  /// What it holds of the command that is being read.
  std::size_t memory() const { return text_.capacity(); }
  /// The verb of the command being read, as far as it is known: at Continuation.
  Verb verb() const { return verb_; }

  /// The driver has answered the current command with NO or BAD: what still belongs to it is
  /// dropped. After Continuation, Command (of APPEND), Message, MessageData and MessageEnd.
  void refuse();

  /// The next line is no command: DONE of IDLE, or a response in AUTHENTICATE. At most `limit`
  /// bytes; a longer one is Refused. Call it after Event::Command, or after Line for one more.
  void expect_line(std::size_t limit);

  /// UTF8=ACCEPT or IMAP4rev2 was enabled.
  void set_name_form(NameForm form) { form_ = form; }
  void set_limits(ParserLimits limits) { limits_ = std::move(limits); }
  const ParserLimits& limits() const { return limits_; }

 private:
  enum class State {
    Line,            // collecting a line of a command
    Literal,         // collecting an argument's literal
    PendingMessage,  // the mailbox of APPEND was told, its first message not
    MessageData,     // handing out a message
    MessageTail,     // collecting the line after a message
    RawLine,         // collecting the line of expect_line
    DropLiteral,     // of a refused command
    DropLine,
    Dead,
  };

  /// One step; nullopt: take another.
  std::optional<Event> step(std::string_view& input);
  std::optional<Event> step_line(std::string_view& input);
  std::optional<Event> step_literal(std::string_view& input);
  std::optional<Event> step_data(std::string_view& input);
  std::optional<Event> step_drop_literal(std::string_view& input);
  std::optional<Event> step_drop_line(std::string_view& input);

  Event raw_line(std::string_view line);
  Event end_of_command(std::string_view text);
  std::optional<Event> begin_literal(std::string_view text, const LiteralHeader& header);
  std::optional<Reply> check_literal(const LiteralHeader& header) const;
  Event begin_append(Scanner& in, const LiteralHeader& header);
  Event begin_message();
  std::optional<Reply> check_message() const;
  Event end_of_tail(std::string_view line, const std::optional<LiteralHeader>& header);

  void learn_head(std::string_view text);
  /// Answers with `reply`. `header`: the literal announced at the end of the refused line.
  Event refuse_with(Reply reply, const std::optional<LiteralHeader>& header = std::nullopt);
  Event too_long(std::string_view input, std::size_t limit);
  Event fatal(Reply reply);
  /// Drops `literal` bytes and the line after them.
  void drop(std::uint64_t literal);
  void reset();

  ParserLimits limits_;
  NameForm form_ = NameForm::Utf7;
  State state_ = State::Line;

  std::string text_;            // the command so far, literals inside
  std::size_t line_begin_ = 0;  // where its current line begins
  std::size_t literals_ = 0;
  std::uint64_t literal_left_ = 0;
  std::size_t raw_limit_ = 0;
  std::uint64_t dropped_ = 0;

  std::string tag_;
  Verb verb_ = Verb::Unknown;
  Command command_;
  AppendMessage message_;
  std::size_t messages_ = 0;
  std::uint64_t message_bytes_ = 0;
  bool head_known_ = false;          // tag_ and verb_ are this command's
  bool client_waits_ = false;        // for our continuation of the announced literal
  bool text_is_handed_out_ = false;  // data_ may point into text_: clear it at the next call
  std::string_view data_;
  Reply reply_;
};

}  // namespace hikyaku::imap
