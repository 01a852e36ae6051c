#include "imap/response_parser.h"

#include <algorithm>

#include "base/text.h"
#include "imap/characters.h"

namespace hikyaku::imap {
namespace {

/// So much of an unfinished response is read when content begins.
constexpr std::size_t kPrefix = 64 * 1024;

/// The end of a word's section: of "BODY[HEADER.FIELDS (A B)]<0>" the position behind "]".
/// `text` begins with the word. npos: there is no section.
std::size_t section_end(std::string_view text) {
  auto open = text.find_first_of("[ ()");
  if (open == std::string_view::npos || text[open] != '[') return std::string_view::npos;
  auto name = text.substr(0, open);
  if (!istarts_with(name, "BODY") && !istarts_with(name, "BINARY")) return std::string_view::npos;
  bool quoted = false;
  for (auto at = open; at < text.size(); ++at) {
    if (text[at] == '\\' && quoted)
      ++at;
    else if (text[at] == '"')
      quoted = !quoted;
    else if (text[at] == ']' && !quoted)
      return at + 1;
  }
  return std::string_view::npos;
}

/// Reads values from a response's text.
class ValueReader {
 public:
  ValueReader(std::string_view text, const std::vector<std::size_t>& streamed,
              const ResponseLimits& limits)
      : text_(text), streamed_(streamed), limits_(limits) {}

  void skip(std::size_t count) { at_ += count; }
  bool at_end() const { return at_ >= text_.size(); }
  std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_spaces() {
    while (next() == ' ') ++at_;
  }

  /// Up to the next space or the end; points into the text.
  std::string_view take_word() {
    auto end = std::min(text_.find(' ', at_), text_.size());
    auto word = text_.substr(at_, end - at_);
    at_ = end;
    return word;
  }

  /// Values up to the end, or, `closed`, up to ")" which is taken. An unfinished list at the end of
  /// the text is closed there if `lenient`.
  Result<std::vector<Value>> read_list(bool closed, bool lenient, std::size_t depth = 0) {
    if (depth > limits_.depth)
      return fail(ErrorCode::TooLarge, "a response nests lists deeper than {}", limits_.depth);
    std::vector<Value> values;
    while (true) {
      skip_spaces();
      if (at_end()) {
        if (closed && !lenient) return fail(ErrorCode::Invalid, "a list without end");
        return values;
      }
      if (next() == ')') {
        if (!closed) return fail(ErrorCode::Invalid, "\")\" without \"(\"");
        ++at_;
        return values;
      }
      if (++count_ > limits_.values)
        return fail(ErrorCode::TooLarge, "a response has more than {} values", limits_.values);
      TRY(auto value, read_value(lenient, depth));
      values.push_back(std::move(value));
    }
  }

 private:
  Result<Value> read_value(bool lenient, std::size_t depth) {
    Value value;
    if (next() == '(') {
      ++at_;
      value.kind = Value::Kind::List;
      TRY(value.items, read_list(true, lenient, depth + 1));
      return value;
    }
    if (next() == '"') return read_quoted(lenient);
    if (next() == '{' || rest().starts_with("~{")) {
      if (auto literal = read_literal()) return std::move(*literal);
    }
    value.text = take_atom();
    value.kind = iequals(value.text, "NIL") ? Value::Kind::Nil : Value::Kind::Atom;
    if (value.kind == Value::Kind::Nil) value.text.clear();
    return value;
  }

  std::string_view take_atom() {
    auto left = rest();
    auto end = section_end(left);
    auto from = end == std::string_view::npos ? 0 : end;
    auto stop = std::min(left.find_first_of(" ()", from), left.size());
    // A byte that begins nothing is an atom of its own: progress is certain.
    stop = std::max<std::size_t>(stop, 1);
    at_ += stop;
    return left.substr(0, stop);
  }

  Result<Value> read_quoted(bool lenient) {
    Value value{.kind = Value::Kind::String, .text = {}, .items = {}, .size = 0};
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return value;
      }
      if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
      value.text += c;
    }
    if (lenient) return value;
    return fail(ErrorCode::Invalid, "a quoted string without end");
  }

  std::optional<Value> read_literal() {
    auto line_end = text_.find('\n', at_);
    if (line_end == std::string_view::npos) return std::nullopt;
    auto header = literal_at_end(text_.substr(at_, line_end - at_));
    if (!header || header->begin != 0) return std::nullopt;
    Value value;
    value.size = header->size;
    if (std::ranges::binary_search(streamed_, at_)) {
      value.kind = Value::Kind::Streamed;
      at_ = line_end + 1;
      return value;
    }
    if (header->size > text_.size() - line_end - 1) return std::nullopt;
    value.kind = Value::Kind::String;
    value.text = text_.substr(line_end + 1, header->size);
    value.size = 0;
    at_ = line_end + 1 + header->size;
    return value;
  }

  std::string_view text_;
  const std::vector<std::size_t>& streamed_;
  const ResponseLimits& limits_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
};

bool is_status_name(std::string_view name) {
  return name == "OK" || name == "NO" || name == "BAD" || name == "BYE" || name == "PREAUTH";
}

/// Where the "]" of a response code is: not within quotes or parentheses. npos if nowhere.
std::size_t code_end(std::string_view text) {
  bool quoted = false;
  int depth = 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    char c = text[at];
    if (quoted) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ']' && depth <= 0) return at;
  }
  // Unbalanced: the first one.
  return text.find(']');
}

/// resp-text: "[CODE arguments] text".
void read_status(std::string_view text, const ResponseLimits& limits, Response& response) {
  auto end = text.starts_with('[') ? code_end(text) : std::string_view::npos;
  if (end == std::string_view::npos) {
    response.text = text;
    return;
  }
  auto code = text.substr(1, end - 1);
  response.text = trim_space(text.substr(end + 1));
  static const std::vector<std::size_t> none;
  ValueReader in(code, none, limits);
  response.code = to_upper(in.take_word());
  in.skip_spaces();
  if (auto values = in.read_list(false, true)) response.code_values = std::move(*values);
}

void read_numbers(std::string_view text, Response& response) {
  for (auto word : split(text, ' ')) {
    // "(MODSEQ n)" ends the numbers.
    if (word.starts_with('(')) return;
    if (auto number = parse_decimal(word, UINT32_MAX))
      response.numbers.push_back(static_cast<std::uint32_t>(*number));
  }
}

Result<Response> read_response(std::string_view text, const std::vector<std::size_t>& streamed,
                               const ResponseLimits& limits, bool lenient) {
  Response response;
  if (text.starts_with('+')) {
    response.kind = Response::Kind::Continuation;
    // Exchange sends "+" alone.
    response.text = text.substr(text.starts_with("+ ") ? 2 : 1);
    return response;
  }
  ValueReader in(text, streamed, limits);
  auto tag = in.take_word();
  if (tag != "*") {
    if (!is_tag(tag))
      return fail(ErrorCode::Invalid, "\"{}\" is no IMAP response", printable(text, 80));
    response.kind = Response::Kind::Tagged;
    response.tag = tag;
  }
  in.skip_spaces();
  auto name = in.take_word();
  if (auto number = parse_decimal(name, UINT32_MAX); number && response.tag.empty()) {
    response.number = static_cast<std::uint32_t>(*number);
    in.skip_spaces();
    name = in.take_word();
  }
  response.name = to_upper(name);
  if (response.name.empty() ||
      (response.kind == Response::Kind::Tagged && !is_status_name(response.name)))
    return fail(ErrorCode::Invalid, "\"{}\" is no IMAP response", printable(text, 80));
  in.skip_spaces();
  if (is_status_name(response.name)) {
    read_status(in.rest(), limits, response);
    return response;
  }
  if (response.name == "SEARCH")
    read_numbers(in.rest(), response);
  else {
    TRY(response.values, in.read_list(false, lenient));
  }
  return response;
}

}  // namespace

bool Value::is_atom(std::string_view name) const {
  return kind == Kind::Atom && iequals(text, name);
}

std::optional<std::uint64_t> Value::number() const {
  if (kind == Kind::List || kind == Kind::Nil) return std::nullopt;
  return parse_decimal(text, INT64_MAX);
}

bool Response::is_status() const {
  return is_status_name(name);
}

Result<Response> parse_response(std::string_view text, const ResponseLimits& limits) {
  return read_response(text, {}, limits, false);
}

ResponseParser::Event ResponseParser::next(std::string_view& input) {
  while (true) {
    std::optional<Event> event;
    switch (state_) {
      case State::Line:
        event = step_line(input);
        break;
      case State::Literal:
        event = step_literal(input);
        break;
      case State::Content:
        event = step_content(input);
        break;
      case State::Dead:
        input = {};
        return Event::Fatal;
    }
    if (event) return *event;
  }
}

std::optional<ResponseParser::Event> ResponseParser::step_line(std::string_view& input) {
  auto newline = input.find('\n');
  auto piece = input.substr(0, newline);
  if (piece.size() > limits_.response || text_.size() > limits_.response - piece.size())
    return fatal(Error{ErrorCode::TooLarge,
                       fmt::format("a response is longer than {} bytes", limits_.response),
                       nullptr});
  text_ += piece;
  if (newline == std::string_view::npos) {
    input = {};
    return Event::NeedMore;
  }
  input.remove_prefix(newline + 1);
  return end_of_line();
}

std::optional<ResponseParser::Event> ResponseParser::end_of_line() {
  if (text_.size() > line_begin_ && text_.ends_with('\r')) text_.pop_back();
  auto line = std::string_view(text_).substr(line_begin_);
  // Only untagged data has literals; a text for people may end in anything.
  auto name = std::string_view(text_).substr(std::min<std::size_t>(text_.size(), 2), 8);
  bool data = text_.starts_with("* ") && !is_status_name(to_upper(name.substr(0, name.find(' '))));
  if (auto header = literal_at_end(line); header && data) return begin_literal(line, *header);
  if (text_.empty()) return std::nullopt;  // an empty line: some servers send one

  auto response = read_response(text_, streamed_, limits_, false);
  text_.clear();
  if (text_.capacity() > 64 * 1024) text_.shrink_to_fit();
  streamed_.clear();
  line_begin_ = 0;
  depth_ = 0;
  if (!response) return fatal(std::move(response).error());
  response_ = std::move(*response);
  return Event::Response;
}

std::optional<ResponseParser::Event> ResponseParser::begin_literal(std::string_view line,
                                                                   const LiteralHeader& header) {
  auto too_large = [&](std::uint64_t limit) {
    return fatal(Error{ErrorCode::TooLarge,
                       fmt::format("a literal of {} bytes (limit {})", header.size, limit),
                       nullptr});
  };
  auto label = content_label(line, header);
  left_ = header.size;
  if (label.empty()) {
    if (header.too_large || header.size > limits_.literal ||
        text_.size() + header.size > limits_.response)
      return too_large(limits_.literal);
    follow_depth(line);
    text_ += '\n';
    state_ = State::Literal;
    return std::nullopt;
  }
  if (header.too_large || header.size > limits_.content) return too_large(limits_.content);
  label_ = label;
  size_ = header.size;
  follow_depth(line);
  auto header_begin = line_begin_ + header.begin;
  if (streamed_.size() == limits_.contents)
    return fatal(Error{ErrorCode::TooLarge, "a response has too many pieces of content", nullptr});
  // What came so far: the caller may find the UID there. It is read anew for each piece of content,
  // so only a bounded prefix.
  auto so_far = std::string_view(text_).substr(0, std::min(header_begin, kPrefix));
  auto response = read_response(so_far, streamed_, limits_, true);
  if (!response) return fatal(std::move(response).error());
  response_ = std::move(*response);
  streamed_.push_back(header_begin);
  text_ += '\n';
  state_ = State::Content;
  return Event::ContentBegin;
}

std::string_view ResponseParser::content_label(std::string_view line,
                                               const LiteralHeader& header) const {
  auto fetch = ifind(std::string_view(text_).substr(0, 24), " FETCH ");
  if (fetch == std::string_view::npos) return {};
  auto before = line.substr(0, header.begin);
  if (!before.ends_with(' ')) return {};
  before.remove_suffix(1);
  // The last item of the FETCH's own list, which is depth 1.
  int depth = depth_;
  bool quoted = false;
  std::size_t label = std::string_view::npos;
  for (std::size_t at = 0; at < before.size(); ++at) {
    char c = before[at];
    if (quoted) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (depth != 1 || (c != ' ' && c != '(')) continue;
    label = at + 1;
    auto end = section_end(before.substr(label));
    if (end != std::string_view::npos) at = label + end - 1;
  }
  if (quoted || depth != 1 || label == std::string_view::npos) return {};
  auto name = before.substr(label);
  bool content = iequals(name, "RFC822") || iequals(name, "RFC822.HEADER") ||
                 iequals(name, "RFC822.TEXT") || istarts_with(name, "BODY[") ||
                 istarts_with(name, "BINARY[");
  return content ? name : std::string_view();
}

void ResponseParser::follow_depth(std::string_view line) {
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    char c = line[at];
    if (quoted) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '(') ++depth_;
    if (c == ')') --depth_;
  }
}

std::optional<ResponseParser::Event> ResponseParser::step_literal(std::string_view& input) {
  auto count = std::min<std::uint64_t>(input.size(), left_);
  text_ += input.substr(0, count);
  input.remove_prefix(count);
  left_ -= count;
  if (left_ > 0) return Event::NeedMore;
  line_begin_ = text_.size();
  state_ = State::Line;
  return std::nullopt;
}

ResponseParser::Event ResponseParser::step_content(std::string_view& input) {
  if (left_ == 0) {
    line_begin_ = text_.size();
    state_ = State::Line;
    return Event::ContentEnd;
  }
  if (input.empty()) return Event::NeedMore;
  data_ = input.substr(0, left_);
  input.remove_prefix(data_.size());
  left_ -= data_.size();
  return Event::ContentData;
}

ResponseParser::Event ResponseParser::fatal(Error error) {
  error_ = std::move(error);
  state_ = State::Dead;
  text_.clear();
  text_.shrink_to_fit();
  return Event::Fatal;
}

}  // namespace hikyaku::imap
