#include "smtp/data.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace hikyaku::smtp {
namespace {

constexpr auto npos = std::string_view::npos;

/// More than anybody should be read for.
std::uint64_t read_limit(std::uint64_t max_size) {
  return max_size > UINT64_MAX - kMaxDropped ? UINT64_MAX : max_size + kMaxDropped;
}

}  // namespace

void ContentCheck::set_problem(DataProblem problem) {
  if (problem_ == DataProblem::None) problem_ = problem;
}

bool ContentCheck::add(std::string_view bytes) {
  auto room = size_ < max_size_ ? max_size_ - size_ : 0;
  size_ += bytes.size();
  if (problem_ != DataProblem::None) return false;
  // In the order of the octets, so that the problem does not depend on where they were cut.
  auto fitting = bytes.substr(0, std::min<std::uint64_t>(room, bytes.size()));
  if (!has_8bit_) has_8bit_ = !is_ascii(fitting);
  if (kind_ == Kind::Text) {
    auto nul = fitting.find('\0');
    add_text(fitting.substr(0, nul));
    if (nul != npos) set_problem(DataProblem::Nul);
  }
  if (fitting.size() < bytes.size()) set_problem(DataProblem::TooLarge);
  return problem_ == DataProblem::None;
}

void ContentCheck::add_text(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() != '\n') return set_problem(DataProblem::BareCr);
      bytes.remove_prefix(1);
      line_ = 0;
      continue;
    }
    auto lf = bytes.find('\n');
    auto line = bytes.substr(0, lf);
    auto cr = line.find('\r');
    if (cr == npos && lf != npos) return set_problem(DataProblem::BareLf);
    line = line.substr(0, cr);
    line_ += line.size();
    longest_line_ = std::max(longest_line_, line_);
    after_cr_ = cr != npos;
    bytes.remove_prefix(line.size() + (after_cr_ ? 1 : 0));
  }
}

void ContentCheck::finish() {
  if (after_cr_) set_problem(DataProblem::BareCr);
}

bool DataDecoder::hopeless() const {
  return check_.size() > read_limit(max_size_);
}

void DataDecoder::emit(std::string_view bytes, std::string& out) {
  if (check_.add(bytes)) out += bytes;
}

std::size_t DataDecoder::feed(std::string_view bytes, std::string& out) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::Done) {
    char c = bytes[used];
    switch (state_) {
      case State::LineStart:
        if (c == '.') {
          state_ = State::Dot;
          ++used;
          continue;
        }
        break;
      case State::Dot:
        if (c == '\r') {
          state_ = State::DotCr;
          ++used;
          continue;
        }
        break;  // the dot was a doubled one: drop it
      case State::DotCr:
        if (c == '\n') {
          state_ = State::Done;
          check_.finish();
          return used + 1;
        }
        emit("\r", out);  // a bare CR, which the check finds at the next octet
        break;
      case State::LineCr:
      case State::Line:
      case State::Done:
        break;
    }
    used += take_line(bytes.substr(used), out);
  }
  return used;
}

/// Takes what can hold no end of data: up to and with the next CRLF that a dot follows, or all.
std::size_t DataDecoder::take_line(std::string_view bytes, std::string& out) {
  if (state_ == State::LineCr && bytes.front() == '\n') {
    state_ = State::LineStart;
    emit(bytes.substr(0, 1), out);
    return 1;
  }
  if (auto at = bytes.find("\r\n."); at != npos) {
    state_ = State::LineStart;
    emit(bytes.substr(0, at + 2), out);
    return at + 2;
  }
  state_ = bytes.ends_with("\r\n") ? State::LineStart
           : bytes.ends_with('\r') ? State::LineCr
                                   : State::Line;
  emit(bytes, out);
  return bytes.size();
}

void BdatDecoder::begin_chunk(std::uint64_t size, bool last, bool keep) {
  left_ = size;
  last_ = last;
  keep_ = keep;
  if (done()) check_.finish();
}

bool BdatDecoder::hopeless() const {
  auto limit = read_limit(max_size_);
  return left_ > limit || check_.size() + dropped_ > limit - left_;
}

std::size_t BdatDecoder::feed(std::string_view bytes, std::string& out) {
  auto piece = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= piece.size();
  if (!keep_)
    dropped_ += piece.size();
  else if (check_.add(piece))
    out += piece;
  if (done()) check_.finish();
  return piece.size();
}

Result<void> DataEncoder::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (state_ == State::Cr) {
      if (bytes.front() != '\n') return fail(ErrorCode::Invalid, "the message has a bare CR");
      out += '\n';
      bytes.remove_prefix(1);
      state_ = State::LineStart;
      continue;
    }
    if (state_ == State::LineStart && bytes.front() == '.') out += '.';
    auto lf = bytes.find('\n');
    auto line = bytes.substr(0, lf);
    auto cr = line.find('\r');
    if (cr == npos && lf != npos) return fail(ErrorCode::Invalid, "the message has a bare LF");
    if (cr != npos) line = line.substr(0, cr + 1);
    out += line;
    bytes.remove_prefix(line.size());
    state_ = cr != npos ? State::Cr : State::Line;
  }
  return {};
}

Result<void> DataEncoder::finish(std::string& out) {
  if (state_ == State::Cr) return fail(ErrorCode::Invalid, "the message ends in a bare CR");
  out += state_ == State::Line ? "\r\n.\r\n" : ".\r\n";
  return {};
}

}  // namespace hikyaku::smtp
