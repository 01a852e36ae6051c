#include "http/request.h"

#include <algorithm>

#include "base/text.h"

namespace hikyaku::http {
namespace {

/// RFC 9110 §5.6.2: tchar.
bool is_token_char(char c) {
  return is_ascii_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}
/// RFC 9110 §5.5: field-content; obs-text is let through.
bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

/// Percent-encoding undone; nullopt if it is broken or hides a NUL or a slash.
std::optional<std::string> decode_path(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    auto byte = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte || byte->front() == 0 || byte->front() == '/') return std::nullopt;
    path += *byte;
    i += 2;
  }
  return path;
}

bool has_dot_segment(std::string_view path) {
  return std::ranges::any_of(split(path, '/'),
                             [](auto segment) { return segment == "." || segment == ".."; });
}

}  // namespace

std::string_view Request::field(std::string_view name) const {
  auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? std::string_view() : std::string_view(found->value);
}

bool Request::lists(std::string_view name, std::string_view word) const {
  for (auto& field : fields) {
    if (field.name != name) continue;
    for (auto item : split(field.value, ','))
      if (iequals(trim_space(item), word)) return true;
  }
  return false;
}

bool Request::keeps_alive() const {
  if (lists("connection", "close")) return false;
  return minor_version > 0 || lists("connection", "keep-alive");
}

RequestParser::Event RequestParser::fail(int status, std::string_view text) {
  state_ = State::Failed;
  error_ = {status, text};
  return Event::Error;
}

bool RequestParser::take_line(std::string_view& input, std::size_t limit, int too_long) {
  if (std::exchange(line_done_, false)) line_.clear();
  while (!input.empty()) {
    auto end = std::min(input.find('\n'), input.size());
    auto piece = input.substr(0, std::min(end + 1, input.size()));
    if (line_.size() + piece.size() > limit + 2) {
      fail(too_long, "too long");
      return false;
    }
    line_ += piece;
    input.remove_prefix(piece.size());
    if (!line_.ends_with('\n')) return false;
    if (!line_.ends_with("\r\n") || line_.find('\r') != line_.size() - 2) {
      fail(400, "a line ends with CRLF");
      return false;
    }
    line_.resize(line_.size() - 2);
    line_done_ = true;
    return true;
  }
  return false;
}

bool RequestParser::read_target(std::string_view target) {
  // absolute-form must be accepted of every client (RFC 9112 §3.2.2).
  if (istarts_with(target, "http://") || istarts_with(target, "https://")) {
    auto slash = target.find('/', target.find("//") + 2);
    target = slash == target.npos ? "/" : target.substr(slash);
  }
  if (!target.starts_with('/')) return false;
  auto question = target.find('?');
  auto path = decode_path(target.substr(0, question));
  if (!path || has_dot_segment(*path)) return false;
  request_.path = std::move(*path);
  if (question != target.npos) request_.query = target.substr(question + 1);
  return true;
}

/// method SP request-target SP HTTP-version (RFC 9112 §3).
bool RequestParser::read_request_line() {
  auto words = split(line_, ' ');
  if (words.size() != 3 || !is_token(words[0])) {
    fail(400, "this is no HTTP request");
    return false;
  }
  auto version = words[2];
  if (!version.starts_with("HTTP/") || version.size() != 8 || version[6] != '.' ||
      !is_ascii_digit(version[5]) || !is_ascii_digit(version[7])) {
    fail(400, "this is no HTTP request");
    return false;
  }
  if (version[5] != '1') {
    fail(505, "HTTP/1.1 is spoken here");
    return false;
  }
  if (words[1].size() > limits_.target) {
    fail(414, "the target is too long");
    return false;
  }
  auto visible = std::ranges::all_of(words[1], [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible || !read_target(words[1])) {
    fail(400, "the target is no path");
    return false;
  }
  request_.method = words[0];
  request_.minor_version = version[7] - '0';
  return true;
}

bool RequestParser::read_field() {
  header_bytes_ += line_.size() + 2;
  if (header_bytes_ > limits_.header || request_.fields.size() >= limits_.fields) {
    fail(431, "the header is too large");
    return false;
  }
  auto colon = line_.find(':');
  // A space before the colon or at the beginning (a folded line) is in no token.
  if (colon == line_.npos || !is_token(std::string_view(line_).substr(0, colon))) {
    fail(400, "a field is malformed");
    return false;
  }
  auto value = trim_space(std::string_view(line_).substr(colon + 1));
  if (!is_field_value(value)) {
    fail(400, "a field is malformed");
    return false;
  }
  request_.fields.push_back(
      {to_lower(std::string_view(line_).substr(0, colon)), std::string(value)});
  return true;
}

bool RequestParser::check_host() {
  auto count = std::ranges::count(request_.fields, "host", &Field::name);
  return count == 1 || (count == 0 && request_.minor_version == 0);
}

RequestParser::Event RequestParser::end_of_header() {
  if (!check_host()) return fail(400, "there must be one Host");
  auto lengths = std::ranges::count(request_.fields, "content-length", &Field::name);
  auto codings = std::ranges::count(request_.fields, "transfer-encoding", &Field::name);
  if (lengths + codings > 1) return fail(400, "the length of the body is not clear");
  if (codings == 1) {
    if (request_.minor_version == 0) return fail(400, "HTTP/1.0 has no transfer codings");
    if (!iequals(request_.field("transfer-encoding"), "chunked"))
      return fail(501, "only chunked is understood");
    state_ = State::ChunkSize;
  } else if (lengths == 1) {
    auto length = parse_decimal(request_.field("content-length"));
    if (!length) return fail(400, "Content-Length is no number");
    if (*length > limits_.body) return fail(413, "the body is too large");
    left_ = *length;
    state_ = left_ == 0 ? State::Done : State::Body;
  } else {
    state_ = State::Done;
  }
  if (state_ == State::Done) return Event::Request;
  auto expects = request_.minor_version > 0 && request_.lists("expect", "100-continue");
  return expects ? Event::Continue : Event::NeedMore;
}

/// chunk-size [ chunk-ext ] (RFC 9112 §7.1); extensions are not looked at.
bool RequestParser::read_chunk_size() {
  auto digits = std::string_view(line_).substr(0, line_.find(';'));
  digits = trim_space(digits);
  std::uint64_t size = 0;
  if (digits.empty() || digits.size() > 15) {
    fail(400, "a chunk's size is malformed");
    return false;
  }
  for (char c : digits) {
    auto lower = ascii_lower(c);
    if (!is_ascii_digit(c) && (lower < 'a' || lower > 'f')) {
      fail(400, "a chunk's size is malformed");
      return false;
    }
    size = size * 16 + static_cast<std::uint64_t>(is_ascii_digit(c) ? c - '0' : lower - 'a' + 10);
  }
  if (size > limits_.body - request_.body.size()) {
    fail(413, "the body is too large");
    return false;
  }
  left_ = size;
  state_ = size == 0 ? State::Trailer : State::ChunkData;
  return true;
}

void RequestParser::read_content(std::string_view& input, State then) {
  auto now = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
  request_.body += input.substr(0, now);
  input.remove_prefix(now);
  left_ -= now;
  if (left_ == 0) state_ = then;
}

RequestParser::Event RequestParser::next(std::string_view& input) {
  while (state_ != State::Done && state_ != State::Failed) {
    if (state_ == State::Body || state_ == State::ChunkData) {
      if (input.empty()) return Event::NeedMore;
      read_content(input, state_ == State::Body ? State::Done : State::ChunkEnd);
      continue;
    }
    auto first = state_ == State::RequestLine;
    auto within_body = state_ != State::RequestLine && state_ != State::Fields;
    // The method and the version stand beside the target.
    auto limit = first         ? limits_.target + 64
                 : within_body ? limits_.chunk_overhead
                               : limits_.header;
    if (!take_line(input, limit, first ? 414 : within_body ? 413 : 431)) break;
    if (within_body && (overhead_ += line_.size() + 2) > limits_.chunk_overhead)
      return fail(413, "too much beside the content");
    switch (state_) {
      case State::RequestLine:
        // Empty lines before a request are ignored (RFC 9112 §2.2); not for ever.
        if (line_.empty()) {
          if (++empty_lines_ > 4) return fail(400, "this is no HTTP request");
        } else if (read_request_line()) {
          state_ = State::Fields;
        }
        break;
      case State::Fields:
        if (!line_.empty()) {
          read_field();
          break;
        }
        if (auto event = end_of_header(); event != Event::NeedMore) return event;
        break;
      case State::ChunkSize:
        read_chunk_size();
        break;
      case State::ChunkEnd:
        if (!line_.empty()) return fail(400, "a chunk is longer than it says");
        state_ = State::ChunkSize;
        break;
      case State::Trailer:
        // Trailer fields are dropped (RFC 9110 §6.5.1).
        if (line_.empty()) state_ = State::Done;
        break;
      default:
        break;
    }
  }
  if (state_ == State::Done) return Event::Request;
  return state_ == State::Failed ? Event::Error : Event::NeedMore;
}

Request RequestParser::take() {
  auto request = std::exchange(request_, {});
  auto limits = limits_;
  *this = RequestParser(limits);
  return request;
}

}  // namespace hikyaku::http
