#include "smtp/reply.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku::smtp {
namespace {

constexpr std::size_t kMaxLine = 512;  // with code and CRLF, RFC 5321 §4.5.3.1.5

/// Fits text into a reply: no byte that could end the line or confuse a terminal.
std::string clean(std::string_view text, bool utf8) {
  std::string result = utf8 ? to_valid_utf8(text) : std::string(text);
  for (char& c : result) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\t') c = ' ';
    if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) c = '?';
  }
  return result;
}

/// Takes a status of this class off the front of a line.
std::optional<EnhancedStatus> take_status(std::string& line, int code) {
  auto end = std::min(line.find(' '), line.size());
  auto status = EnhancedStatus::parse(std::string_view(line).substr(0, end));
  if (!status || status->klass != code / 100) return std::nullopt;
  line.erase(0, std::min(end + 1, line.size()));
  return status;
}

}  // namespace

std::string EnhancedStatus::to_string() const {
  return fmt::format("{}.{}.{}", klass, subject, detail);
}

std::optional<EnhancedStatus> EnhancedStatus::parse(std::string_view text) {
  auto first = text.find('.');
  if (first != 1 || (text[0] != '2' && text[0] != '4' && text[0] != '5')) return std::nullopt;
  auto second = text.find('.', 2);
  if (second == std::string_view::npos) return std::nullopt;
  auto subject = parse_decimal(text.substr(2, second - 2), 999);
  auto detail = parse_decimal(text.substr(second + 1), 999);
  if (!subject || !detail) return std::nullopt;
  return EnhancedStatus{static_cast<std::uint16_t>(text[0] - '0'),
                        static_cast<std::uint16_t>(*subject), static_cast<std::uint16_t>(*detail)};
}

std::vector<std::string_view> Reply::lines() const {
  return split(text, '\n');
}

std::string Reply::to_string() const {
  std::string line = std::to_string(code);
  if (status) line += ' ' + status->to_string();
  if (!text.empty()) line += ' ' + text;
  std::ranges::replace(line, '\n', ' ');
  return line;
}

std::string format(const Reply& reply, bool utf8) {
  auto status = reply.status ? reply.status->to_string() + ' ' : std::string();
  const std::size_t room = kMaxLine - 4 - status.size() - 2;
  std::vector<std::string> pieces;
  for (auto line : reply.lines()) {
    auto cleaned = clean(line, utf8);
    std::string_view left = cleaned;
    do {
      auto piece = utf8 ? utf8_prefix(left, room) : left.substr(0, room);
      pieces.emplace_back(piece);
      left.remove_prefix(piece.size());
    } while (!left.empty());
  }
  std::string bytes;
  for (std::size_t i = 0; i < pieces.size(); ++i)
    bytes += fmt::format("{}{}{}{}\r\n", reply.code, i + 1 == pieces.size() ? ' ' : '-', status,
                         pieces[i]);
  return bytes;
}

std::size_t ReplyParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && !ready_ && !error_) {
    auto rest = bytes.substr(used);
    auto lf = rest.find('\n');
    auto piece = rest.substr(0, lf);
    if (line_.size() + piece.size() > limits_.line) {
      set_error(fmt::format("a reply line is longer than {} octets", limits_.line));
      break;
    }
    line_ += piece;
    bool ended = lf != std::string_view::npos;
    auto taken = piece.size() + (ended ? 1 : 0);
    used += taken;
    total_ += taken;
    if (total_ > limits_.total)
      set_error(fmt::format("a reply is longer than {} octets", limits_.total));
    else if (ended)
      end_of_line();
  }
  return used;
}

void ReplyParser::end_of_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  // Reply-code = %x32-35 %x30-35 %x30-39; second digits above 5 exist in the wild.
  bool valid = line_.size() >= 3 && line_[0] >= '2' && line_[0] <= '5' &&
               is_ascii_digit(line_[1]) && is_ascii_digit(line_[2]) &&
               (line_.size() == 3 || line_[3] == ' ' || line_[3] == '-');
  if (!valid) return set_error("not an SMTP reply: " + printable(line_, 200));
  if (++lines_ > limits_.lines)
    return set_error(fmt::format("a reply has more than {} lines", limits_.lines));
  bool last = line_.size() == 3 || line_[3] == ' ';
  // Codes should be the same on every line (§4.2.1); where they differ, the last line speaks.
  reply_.code = (line_[0] - '0') * 100 + (line_[1] - '0') * 10 + (line_[2] - '0');
  line_.erase(0, std::min<std::size_t>(4, line_.size()));
  if (auto status = take_status(line_, reply_.code)) reply_.status = status;
  if (lines_ > 1) reply_.text += '\n';
  reply_.text += line_;
  line_.clear();
  ready_ = last;
}

void ReplyParser::set_error(std::string text) {
  error_ = Error{ErrorCode::Invalid, std::move(text), nullptr};
}

Reply ReplyParser::take() {
  Reply reply = std::exchange(reply_, Reply{});
  if (reply.status && reply.status->klass != reply.code / 100) reply.status.reset();
  lines_ = 0;
  total_ = 0;
  ready_ = false;
  return reply;
}

}  // namespace hikyaku::smtp
