#include "pop3/response_parser.h"

#include <algorithm>

#include "base/text.h"

namespace hikyaku::pop3 {

Result<Status> parse_status(std::string_view line) {
  Status status;
  if (istarts_with(line, "+OK")) {
    line.remove_prefix(3);
  } else if (istarts_with(line, "-ERR")) {
    status.kind = Status::Kind::Err;
    line.remove_prefix(4);
  } else if (line.starts_with('+')) {
    status.kind = Status::Kind::Challenge;
    line.remove_prefix(1);
  } else {
    return fail(ErrorCode::Invalid, "\"{}\" is no POP3 reply", printable(line, 80));
  }
  if (!line.empty() && line.front() != ' ')
    return fail(ErrorCode::Invalid, "\"{}\" is no POP3 reply", printable(line, 80));
  line = trim_space(line);
  auto end = line.find(']');
  if (status.kind != Status::Kind::Challenge && line.starts_with('[') &&
      end != std::string_view::npos) {
    status.code = to_upper(line.substr(1, end - 1));
    line = trim_space(line.substr(end + 1));
  }
  status.text = line;
  return status;
}

std::optional<std::string_view> apop_timestamp(std::string_view greeting) {
  auto begin = greeting.find('<');
  if (begin == std::string_view::npos) return std::nullopt;
  auto end = greeting.find('>', begin);
  if (end == std::string_view::npos) return std::nullopt;
  auto timestamp = greeting.substr(begin, end - begin + 1);
  // RFC 1939 §7: it is a msg-id; anything else is a host that talks.
  if (timestamp.find('@') == std::string_view::npos ||
      timestamp.find(' ') != std::string_view::npos)
    return std::nullopt;
  return timestamp;
}

Result<NumberedLine> parse_numbered(std::string_view line) {
  auto space = line.find(' ');
  auto number = parse_decimal(line.substr(0, space), UINT32_MAX);
  if (!number || space == std::string_view::npos)
    return fail(ErrorCode::Invalid, "\"{}\" is no line with a number", printable(line, 80));
  auto value = trim_space(line.substr(space));
  // Some servers put more behind the size.
  return NumberedLine{static_cast<std::uint32_t>(*number), value.substr(0, value.find(' '))};
}

bool BodyDecoder::next(std::string_view& input, std::string& out) {
  while (!input.empty()) {
    if (state_ == State::Text) {
      // The bulk: up to the end of the line at once.
      auto line_end = std::min(input.find('\r'), input.find('\n'));
      out += input.substr(0, line_end);
      input.remove_prefix(std::min(line_end, input.size()));
      if (input.empty()) return false;
    }
    char c = input.front();
    input.remove_prefix(1);
    switch (state_) {
      case State::LineStart:
        if (c == '.') {
          state_ = State::Dot;
          continue;
        }
        break;
      case State::Dot:
        if (c == '\n') {
          state_ = State::LineStart;
          return true;
        }
        if (c == '\r') {
          state_ = State::DotCr;
          continue;
        }
        // The dot was stuffed in front of this character.
        break;
      case State::DotCr:
        if (c == '\n') {
          state_ = State::LineStart;
          return true;
        }
        out += '\r';
        break;
      case State::TextCr:
        if (c != '\n') out += '\r';
        break;
      case State::Text:
        break;
    }
    if (c == '\r') {
      state_ = State::TextCr;
    } else if (c == '\n') {
      out += "\r\n";
      state_ = State::LineStart;
    } else {
      out += c;
      state_ = State::Text;
    }
  }
  return false;
}

}  // namespace hikyaku::pop3
