#include "smtp/line.h"

#include <cstring>
#include <utility>

#include "base/forget.h"
#include "base/text.h"
#include "smtp/replies.h"

namespace hikyaku::smtp {

std::size_t LineParser::limit() const {
  return in_auth_ || istarts_with(line_, "AUTH ") ? limits_.auth : limits_.command;
}

std::size_t LineParser::feed(std::string_view bytes) {
  if (ready_ || bytes.empty()) return 0;
  auto lf = bytes.find('\n');
  auto piece = bytes.substr(0, lf);
  add(piece);
  if (!piece.empty()) last_ = piece.back();
  if (problem_ == Problem::Endless) {
    ready_ = true;
    return bytes.size();
  }
  if (lf == std::string_view::npos) return bytes.size();
  end_of_line();
  return lf + 1;
}

void LineParser::add(std::string_view piece) {
  if (problem_ != Problem::None) {
    skipped_ += piece.size();
    if (skipped_ > limits_.skipped) problem_ = Problem::Endless;
    return;
  }
  // One more octet for the CR. The limit depends on the verb, so the front of the line goes in
  // first.
  auto front = piece.substr(0, 8);
  line_ += front;
  piece.remove_prefix(front.size());
  if (line_.size() + piece.size() > limit() + 1) {
    problem_ = Problem::TooLong;
    skipped_ = line_.size();
    line_.clear();
    add(piece);
    return;
  }
  line_ += piece;
}

void LineParser::end_of_line() {
  ready_ = true;
  auto crlf = std::exchange(last_, 0) == '\r';
  auto rest = std::exchange(within_bad_line_, !crlf);
  if (problem_ != Problem::None) return;
  if (!crlf || rest) {
    problem_ = Problem::BareLf;
    return;
  }
  line_.pop_back();
  if (line_.find('\r') != std::string::npos)
    problem_ = Problem::BareCr;
  else if (line_.find('\0') != std::string::npos)
    problem_ = Problem::Nul;
}

std::expected<std::string, Reply> LineParser::take() {
  auto problem = problem_;
  auto line = std::exchange(line_, {});
  forget(line_);
  begin_line();
  switch (problem) {
    case Problem::None:
      return line;
    case Problem::BareCr:
    case Problem::BareLf:
      return std::unexpected(replies::bare_cr_or_lf_in_command());
    case Problem::Nul:
      return std::unexpected(replies::nul_in_command());
    case Problem::TooLong:
      return std::unexpected(in_auth_ ? replies::auth_line_too_long() : replies::line_too_long());
    case Problem::Endless:
      break;
  }
  return std::unexpected(replies::endless_line());
}

void LineParser::reset() {
  begin_line();
  within_bad_line_ = false;
}

void LineParser::begin_line() {
  line_.clear();
  last_ = 0;
  skipped_ = 0;
  problem_ = Problem::None;
  ready_ = false;
}

}  // namespace hikyaku::smtp
