#include "imap/parser.h"

#include <algorithm>

#include "base/forget.h"
#include "base/text.h"

namespace hikyaku::imap {
namespace {

/// A tag is looked for in so many bytes of a line that is too long.
constexpr std::size_t kHeadBytes = 1'000;
/// What can still be the announcement of a literal at the end of a dropped line.
constexpr std::size_t kTailBytes = 32;
/// RFC 7888 §5.
constexpr std::uint64_t kLiteralMinus = 4'096;
/// A buffer that grew larger is given back after its command.
constexpr std::size_t kKeptCapacity = 2'048;

}  // namespace

ParserLimits ParserLimits::before_login() {
  ParserLimits limits;
  limits.line = 16 * 1024;
  limits.literal = 4 * 1024;
  limits.command = 20 * 1024;
  limits.literals = 10;
  limits.message = 0;
  limits.append_total = 0;
  limits.append_messages = 0;
  limits.discard = 64 * 1024;
  return limits;
}

Parser::Event Parser::next(std::string_view& input) {
  if (text_is_handed_out_) {
    text_is_handed_out_ = false;
    forget(text_);
  }
  client_waits_ = false;
  while (true) {
    if (auto event = step(input)) return *event;
  }
}

std::optional<Parser::Event> Parser::step(std::string_view& input) {
  switch (state_) {
    case State::Line:
    case State::MessageTail:
    case State::RawLine:
      return step_line(input);
    case State::Literal:
      return step_literal(input);
    case State::PendingMessage:
      return begin_message();
    case State::MessageData:
      return step_data(input);
    case State::DropLiteral:
      return step_drop_literal(input);
    case State::DropLine:
      return step_drop_line(input);
    case State::Dead:
      break;
  }
  input = {};
  return Event::NeedMore;
}

std::optional<Parser::Event> Parser::step_line(std::string_view& input) {
  auto limit = state_ == State::RawLine ? raw_limit_ : limits_.line;
  auto newline = input.find('\n');
  auto here = newline == std::string_view::npos ? input.size() : newline;
  // One more for the CR.
  if (text_.size() - line_begin_ + here > limit + 1) return too_long(input, limit);
  if (text_.size() + here > limits_.command + 1 && state_ == State::Line)
    return too_long(input, limits_.command);
  if (newline == std::string_view::npos) {
    text_ += input;
    input = {};
    return Event::NeedMore;
  }

  // A command that lies in the input as a whole is read where it is.
  std::string_view text = input.substr(0, newline);
  if (!text_.empty()) {
    text_ += text;
    text = text_;
  }
  input.remove_prefix(newline + 1);
  if (text.size() > line_begin_ && text.ends_with('\r')) text.remove_suffix(1);
  if (state_ == State::RawLine) return raw_line(text);

  auto line = text.substr(line_begin_);
  auto header = literal_at_end(line);
  if (state_ == State::MessageTail) return end_of_tail(line, header);
  learn_head(text);
  if (line.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos)
    return refuse_with(bad("a command must not hold a bare CR or a NUL"), header);
  if (header) return begin_literal(text, *header);
  return end_of_command(text);
}

Parser::Event Parser::raw_line(std::string_view line) {
  data_ = line;
  state_ = State::Line;
  text_is_handed_out_ = true;
  line_begin_ = 0;
  return Event::Line;
}

Parser::Event Parser::end_of_command(std::string_view text) {
  auto command = parse_command(text, form_, limits_.grammar);
  reset();
  if (!command) return refuse_with(reply_for(command.error()));
  command_ = std::move(*command);
  return Event::Command;
}

std::optional<Parser::Event> Parser::begin_literal(std::string_view text,
                                                   const LiteralHeader& header) {
  if (tag_.empty()) return refuse_with(bad("expected a tag"), header);
  if (verb_ == Verb::Unknown) return refuse_with(bad("unknown command"), header);
  if (verb_ == Verb::Append) {
    Scanner in(text, form_);
    in.skip(read_head(text).length);
    Scanner mailbox = in;
    bool is_mailbox = mailbox.take(' ') && literal_at_end(mailbox.rest())->begin == 0;
    if (!is_mailbox) return begin_append(in, header);
  }
  if (auto refusal = check_literal(header)) return refuse_with(std::move(*refusal), header);
  if (text_.empty()) text_ = text;
  text_.resize(text.size());
  text_ += "\r\n";
  ++literals_;
  literal_left_ = header.size;
  state_ = State::Literal;
  if (!header.synchronizing) return std::nullopt;
  client_waits_ = true;
  return Event::Continuation;
}

std::optional<Reply> Parser::check_literal(const LiteralHeader& header) const {
  if (literals_ == limits_.literals)
    return no(fmt::format("a command may have {} literals", limits_.literals), "LIMIT");
  if (!header.synchronizing && limits_.literal_minus && header.size > kLiteralMinus)
    return bad("a non-synchronizing literal may have 4096 bytes", "TOOBIG");
  if (header.too_large || header.size > limits_.literal ||
      text_.size() + header.size > limits_.command)
    return no(fmt::format("a literal may have {} bytes here", limits_.literal), "TOOBIG");
  return std::nullopt;
}

std::optional<Parser::Event> Parser::step_literal(std::string_view& input) {
  auto count = std::min<std::uint64_t>(input.size(), literal_left_);
  text_ += input.substr(0, count);
  input.remove_prefix(count);
  literal_left_ -= count;
  if (literal_left_ > 0) return Event::NeedMore;
  state_ = State::Line;
  line_begin_ = text_.size();
  return std::nullopt;
}

Parser::Event Parser::begin_append(Scanner& in, const LiteralHeader& header) {
  auto append = parse_append(in);
  if (!append) return refuse_with(reply_for(append.error()), header);
  auto message = parse_append_message(in, limits_.grammar);
  if (!message) return refuse_with(reply_for(message.error()), header);
  if (header.too_large) return refuse_with(no("the message is too large", "TOOBIG"), header);
  command_ = Command{tag_, Verb::Append, std::move(*append)};
  message_ = std::move(*message);
  messages_ = 0;
  message_bytes_ = 0;
  state_ = State::PendingMessage;
  return Event::Command;
}

Parser::Event Parser::begin_message() {
  if (auto refusal = check_message()) {
    LiteralHeader header;
    header.size = message_.size;
    header.synchronizing = message_.synchronizing;
    return refuse_with(std::move(*refusal), header);
  }
  ++messages_;
  message_bytes_ += message_.size;
  literal_left_ = message_.size;
  client_waits_ = message_.synchronizing;
  state_ = State::MessageData;
  return Event::Message;
}

std::optional<Reply> Parser::check_message() const {
  // RFC 3502 §6.3.11: this is how a client takes an APPEND back.
  if (message_.size == 0) return no("an empty message: nothing was appended");
  if (!message_.synchronizing && limits_.literal_minus && message_.size > kLiteralMinus)
    return bad("a non-synchronizing literal may have 4096 bytes", "TOOBIG");
  if (message_.size > limits_.message)
    return no(fmt::format("a message may have {} bytes", limits_.message), "TOOBIG");
  if (messages_ == limits_.append_messages)
    return no(fmt::format("APPEND may bring {} messages", limits_.append_messages), "LIMIT");
  if (message_.size > limits_.append_total - message_bytes_)
    return no(fmt::format("APPEND may bring {} bytes", limits_.append_total), "TOOBIG");
  return std::nullopt;
}

std::optional<Parser::Event> Parser::step_data(std::string_view& input) {
  if (literal_left_ == 0) {
    state_ = State::MessageTail;
    forget(text_);
    line_begin_ = 0;
    return Event::MessageEnd;
  }
  if (input.empty()) return Event::NeedMore;
  data_ = input.substr(0, literal_left_);
  input.remove_prefix(data_.size());
  literal_left_ -= data_.size();
  return Event::MessageData;
}

Parser::Event Parser::end_of_tail(std::string_view line,
                                  const std::optional<LiteralHeader>& header) {
  Scanner in(line, form_);
  if (message_.utf8) {
    if (auto closed = in.expect(')'); !closed)
      return refuse_with(reply_for(closed.error()), header);
  }
  if (in.at_end()) {
    reset();
    return Event::AppendEnd;
  }
  auto message = parse_append_message(in, limits_.grammar);
  if (!message) return refuse_with(reply_for(message.error()), header);
  if (header->too_large) return refuse_with(no("the message is too large", "TOOBIG"), header);
  message_ = std::move(*message);
  return begin_message();
}

std::optional<Parser::Event> Parser::step_drop_literal(std::string_view& input) {
  if (dropped_ > limits_.discard) return fatal(bye("the literal is too large", "TOOBIG"));
  auto count = std::min<std::uint64_t>(input.size(), literal_left_);
  input.remove_prefix(count);
  literal_left_ -= count;
  if (literal_left_ > 0) return Event::NeedMore;
  state_ = State::DropLine;
  return std::nullopt;
}

std::optional<Parser::Event> Parser::step_drop_line(std::string_view& input) {
  auto newline = input.find('\n');
  auto here = input.substr(0, newline);
  dropped_ += here.size();
  if (dropped_ > limits_.discard) return fatal(bye("too much of a refused command", "TOOBIG"));
  // The end of the line says whether one more literal follows.
  text_ += here.size() > kTailBytes ? here.substr(here.size() - kTailBytes) : here;
  if (text_.size() > kTailBytes) text_.erase(0, text_.size() - kTailBytes);
  if (newline == std::string_view::npos) {
    input = {};
    return Event::NeedMore;
  }
  input.remove_prefix(newline + 1);
  if (text_.ends_with('\r')) text_.pop_back();
  auto header = literal_at_end(text_);
  if (!header || header->synchronizing) {
    // After a synchronizing one the client waits for a "+" that does not come: it has our answer.
    reset();
    return std::nullopt;
  }
  if (header->too_large || header->size > limits_.discard - dropped_)
    return fatal(bye("the literal is too large", "TOOBIG"));
  drop(header->size);
  return std::nullopt;
}

void Parser::refuse() {
  switch (state_) {
    case State::Literal:
    case State::MessageData:
      if (client_waits_)
        reset();
      else
        drop(literal_left_);
      break;
    case State::PendingMessage:
      if (message_.synchronizing)
        reset();
      else
        drop(message_.size);
      break;
    case State::MessageTail:
      drop(0);
      break;
    default:
      break;
  }
}

void Parser::expect_line(std::size_t limit) {
  state_ = State::RawLine;
  raw_limit_ = limit;
}

void Parser::learn_head(std::string_view text) {
  if (head_known_) return;
  head_known_ = true;
  auto head = read_head(text);
  tag_ = head.tag;
  verb_ = head.verb;
}

Parser::Event Parser::refuse_with(Reply reply, const std::optional<LiteralHeader>& header) {
  reply_ = std::move(reply);
  if (!header || header->synchronizing) {
    reset();
    return Event::Refused;
  }
  if (header->too_large || header->size > limits_.discard) return fatal(bye(reply_.text, "TOOBIG"));
  drop(header->size);
  return Event::Refused;
}

Parser::Event Parser::too_long(std::string_view input, std::size_t limit) {
  if (state_ == State::Line) {
    auto bytes = std::min(limit, kHeadBytes);
    auto begin = text_.substr(0, bytes);
    begin += input.substr(0, bytes - begin.size());
    learn_head(begin);
  }
  reply_ = bad(fmt::format("a line may have {} bytes", limit), "LIMIT");
  auto line = std::string_view(text_).substr(line_begin_);
  std::string tail(line.substr(line.size() - std::min(line.size(), kTailBytes)));
  drop(0);
  text_ = std::move(tail);
  return Event::Refused;
}

Parser::Event Parser::fatal(Reply reply) {
  reset();
  tag_.clear();
  reply_ = std::move(reply);
  state_ = State::Dead;
  return Event::Fatal;
}

void Parser::drop(std::uint64_t literal) {
  dropped_ += literal;
  literal_left_ = literal;
  forget(text_);
  line_begin_ = 0;
  state_ = State::DropLiteral;
}

void Parser::reset() {
  forget(text_);
  if (text_.capacity() > kKeptCapacity) text_.shrink_to_fit();
  line_begin_ = 0;
  literals_ = 0;
  dropped_ = 0;
  head_known_ = false;
  state_ = State::Line;
}

}  // namespace hikyaku::imap
