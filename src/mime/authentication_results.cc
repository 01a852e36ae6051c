#include "mime/authentication_results.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "mime/parameter.h"
#include "mime/text.h"

namespace hikyaku::mime {
namespace {

constexpr std::size_t kMaxValue = 255;

bool is_any_space(char c) {
  return is_ascii_space(c) || c == '\r' || c == '\n';
}

/// Keyword = Ldh-str of RFC 5321 §4.1.2, and the underscores that are met.
bool is_keyword_char(char c) {
  return is_ascii_alnum(c) || c == '-' || c == '_';
}

/// Takes the value apart from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  bool at_end() const { return left_.empty(); }
  bool next_is(char c) const { return left_.starts_with(c); }
  std::string_view left() const { return left_; }

  bool take(char c) {
    if (!next_is(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  /// Space, folds and comments; remembers the first comment. False for a comment without end.
  bool skip_space() {
    while (!left_.empty()) {
      if (is_any_space(left_.front()))
        left_.remove_prefix(1);
      else if (left_.front() == '(') {
        if (!skip_comment()) return false;
      } else {
        break;
      }
    }
    return true;
  }

  std::string take_comment() { return std::exchange(comment_, {}); }

  std::string_view keyword() { return take_while(is_keyword_char); }

  /// value / [[local-part] "@"] domain: quoted strings and anything up to space, ";" or "(".
  std::optional<std::string> value() {
    std::string result;
    bool any = false;
    while (!left_.empty() && !is_any_space(left_.front()) && left_.front() != ';' &&
           left_.front() != '(') {
      any = true;
      if (left_.front() == '"') {
        if (!quoted_string(result)) return std::nullopt;
      } else {
        result += left_.front();
        left_.remove_prefix(1);
      }
    }
    if (!any) return std::nullopt;
    return result;
  }

 private:
  template <class Wanted>
  std::string_view take_while(Wanted wanted) {
    auto end = std::ranges::find_if_not(left_, wanted);
    auto result = left_.substr(0, static_cast<std::size_t>(end - left_.begin()));
    left_.remove_prefix(result.size());
    return result;
  }

  bool quoted_string(std::string& result) {
    left_.remove_prefix(1);
    while (!left_.empty() && left_.front() != '"') {
      if (left_.front() == '\\') {
        left_.remove_prefix(1);
        if (left_.empty()) return false;
      }
      if (left_.front() != '\r' && left_.front() != '\n') result += left_.front();
      left_.remove_prefix(1);
    }
    return take('"');
  }

  bool skip_comment() {
    std::size_t depth = 0;
    std::string text;
    while (!left_.empty()) {
      char c = left_.front();
      left_.remove_prefix(1);
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) {
        if (comment_.empty() && text.size() > 1) comment_ = text.substr(1);
        return true;
      }
      if (c == '\\') {
        if (left_.empty()) return false;
        c = left_.front();
        left_.remove_prefix(1);
      }
      if (text.size() < kMaxValue && c != '\r' && c != '\n') text += c;
    }
    return false;
  }

  std::string_view left_;
  std::string comment_;
};

class Parser {
 public:
  Parser(std::string_view value, AuthenticationResultsLimits limits)
      : scan_(value), limits_(limits) {}

  Result<AuthenticationResults> parse() {
    TRY_DO(head());
    while (scan_.take(';')) {
      TRY_DO(space());
      // One semicolon too many at the end is common.
      if (scan_.at_end()) break;
      if (results_.methods.size() == limits_.methods)
        return fail(ErrorCode::TooLarge, "more than {} methods", limits_.methods);
      TRY(bool none, method());
      if (none) break;
    }
    if (!scan_.at_end()) return unexpected();
    return std::move(results_);
  }

  /// The part in front of the first semicolon.
  Result<void> head() {
    TRY_DO(space());
    auto id = scan_.value();
    if (!id) return fail(ErrorCode::Invalid, "there is no authserv-id");
    results_.authserv_id = *std::move(id);
    TRY_DO(space());
    if (scan_.at_end() || scan_.next_is(';')) return {};
    auto version = parse_decimal(scan_.keyword(), 1000);
    if (!version) return unexpected();
    results_.version = static_cast<unsigned>(*version);
    TRY_DO(space());
    if (!scan_.at_end() && !scan_.next_is(';')) return unexpected();
    return {};
  }

  const std::string& authserv_id() const { return results_.authserv_id; }

 private:
  std::unexpected<Error> unexpected() const {
    return fail(ErrorCode::Invalid, "\"{}\" is not expected there", printable(scan_.left(), 40));
  }

  Result<void> space() {
    if (!scan_.skip_space()) return fail(ErrorCode::Invalid, "a comment has no end");
    return {};
  }

  /// True for "none", which ends the field.
  Result<bool> method() {
    AuthenticationMethod method;
    method.name = to_lower(scan_.keyword());
    if (method.name.empty()) return unexpected();
    TRY_DO(space());
    if (scan_.take('/')) {
      TRY_DO(space());
      auto version = parse_decimal(scan_.keyword(), 1000);
      if (!version) return unexpected();
      method.version = static_cast<unsigned>(*version);
      TRY_DO(space());
    }
    if (method.name == "none" && scan_.at_end() && results_.methods.empty()) return true;
    if (!scan_.take('=')) return unexpected();
    TRY_DO(space());
    scan_.take_comment();
    method.result = to_lower(scan_.keyword());
    if (method.result.empty()) return unexpected();
    TRY_DO(space());
    method.comment = scan_.take_comment();
    while (!scan_.at_end() && !scan_.next_is(';')) TRY_DO(detail(method));
    results_.methods.push_back(std::move(method));
    return false;
  }

  /// reason=… or ptype.property=…
  Result<void> detail(AuthenticationMethod& method) {
    auto word = to_lower(scan_.keyword());
    if (word.empty()) return unexpected();
    TRY_DO(space());
    std::string name;
    if (scan_.take('.')) {
      TRY_DO(space());
      name = to_lower(scan_.keyword());
      if (name.empty()) return unexpected();
      TRY_DO(space());
    }
    if (!scan_.take('=')) return unexpected();
    TRY_DO(space());
    // An empty value, as "smtp.mailfrom=" of bounces, is met.
    auto value = scan_.at_end() || scan_.next_is(';') ? std::string() : scan_.value();
    if (!value) return unexpected();
    TRY_DO(space());
    if (!name.empty()) {
      if (method.properties.size() == limits_.properties)
        return fail(ErrorCode::TooLarge, "more than {} properties", limits_.properties);
      method.properties.push_back({std::move(word), std::move(name), *std::move(value)});
    } else if (word == "reason") {
      method.reason = *std::move(value);
    }
    // Anything else is against the grammar and means nothing; "action=none" is met.
    return {};
  }

  Scanner scan_;
  AuthenticationResultsLimits limits_;
  AuthenticationResults results_;
};

/// What may stand in a field: printable, or UTF-8; the rest becomes "?".
std::string cleaned(std::string_view value) {
  std::string result(utf8_prefix(value, kMaxValue));
  bool utf8 = is_utf8(result);
  for (char& c : result) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) c = '?';
  }
  return result;
}

std::string quoted_string(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

/// A token, or an address or "@domain" without anything odd.
bool needs_no_quotes(std::string_view value) {
  return !value.empty() && std::ranges::all_of(value, [](char c) {
    return is_token_char(c) || c == '@' || static_cast<unsigned char>(c) >= 0x80;
  });
}

std::string value_text(std::string_view value) {
  auto text = cleaned(value);
  return needs_no_quotes(text) ? text : quoted_string(text);
}

/// For names and results, which our own code writes.
std::string keyword_text(std::string_view word) {
  std::string result;
  for (char c : word) result += is_keyword_char(c) ? c : '-';
  return result.empty() ? "-" : result;
}

std::string comment_text(std::string_view text) {
  std::string result;
  for (char c : cleaned(text)) {
    if (c == '(' || c == ')' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

/// Appends a piece to the field's last line, or on a new one where that would be too long.
void append_piece(std::string& out, std::size_t& column, const std::string& piece) {
  constexpr std::size_t kLine = 78;
  if (column + 1 + piece.size() > kLine) {
    out += "\r\n\t ";
    column = 9;
  } else {
    out += ' ';
    ++column;
  }
  out += piece;
  column += piece.size();
}

}  // namespace

std::string_view AuthenticationMethod::property(std::string_view type,
                                                std::string_view property_name) const {
  for (auto& one : properties)
    if (one.type == type && one.name == property_name) return one.value;
  return {};
}

const AuthenticationMethod* AuthenticationResults::find(std::string_view method) const {
  auto found = std::ranges::find(methods, method, &AuthenticationMethod::name);
  return found == methods.end() ? nullptr : &*found;
}

Result<AuthenticationResults> parse_authentication_results(std::string_view value,
                                                           AuthenticationResultsLimits limits) {
  if (value.size() > limits.bytes)
    return fail(ErrorCode::TooLarge, "longer than {} bytes", limits.bytes);
  return Parser(value, limits).parse();
}

std::string write_authentication_results(const AuthenticationResults& results) {
  auto out = value_text(results.authserv_id);
  if (results.version != 1) out += fmt::format(" {}", results.version);
  if (results.methods.empty()) return out + "; none";
  for (auto& method : results.methods) {
    out += ";\r\n\t";
    auto start = out.size();
    out += keyword_text(method.name);
    if (method.version != 1) out += fmt::format("/{}", method.version);
    out += "=" + keyword_text(method.result);
    auto column = 8 + out.size() - start;
    if (!method.comment.empty())
      append_piece(out, column, "(" + comment_text(method.comment) + ")");
    if (!method.reason.empty())
      append_piece(out, column, "reason=" + quoted_string(cleaned(method.reason)));
    for (auto& property : method.properties)
      append_piece(out, column,
                   keyword_text(property.type) + "." + keyword_text(property.name) + "=" +
                       value_text(property.value));
  }
  return out;
}

namespace {

/// How a lenient reader may take what stands before the first semicolon.
enum class Blanks { Kept, Dropped };
enum class Comments { Kept, Dropped };

/// "i=1", as ARC-Authentication-Results begin (RFC 8617 §4.1.1).
bool is_instance(std::string_view part) {
  part = trim(part);
  if (part.empty() || ascii_lower(part.front()) != 'i') return false;
  part = trim(part.substr(1));
  if (!part.starts_with('=')) return false;
  return std::ranges::all_of(trim(part.substr(1)), is_ascii_digit);
}

/// The text before the first semicolon that has any before it, and no instance alone, without
/// quotes, controls and what is to be dropped.
std::string lenient_head(std::string_view value, Comments comments, Blanks blanks) {
  std::string head;
  bool any = false;
  int depth = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (comments == Comments::Dropped) {
      if (c == '\\' && depth > 0) ++i;
      if (c == '(') ++depth;
      if (depth > 0) {
        if (c == ')') --depth;
        continue;
      }
    }
    if (c == ';') {
      if (any && !is_instance(head)) break;
      head.clear();
      any = false;
      continue;
    }
    bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (c == '"' || c == '\\' || (blank && blanks == Blanks::Dropped)) continue;
    head += blank ? ' ' : c;
    any = any || !blank;
  }
  return head;
}

/// Whether the name stands in the text, and not as a part of a longer host name.
bool names_host(std::string_view text, std::string_view name) {
  auto goes_on = [](char c) { return is_ascii_alnum(c) || c == '-' || c == '_'; };
  for (auto at = ifind(text, name); at != text.npos;) {
    auto before = at == 0 ? ' ' : text[at - 1];
    auto behind = text.substr(at + name.size());
    if (behind.starts_with('.')) behind.remove_prefix(1);  // the root's dot, or a longer name
    if (!goes_on(before) && before != '.' && (behind.empty() || !goes_on(behind.front())))
      return true;
    auto next = ifind(text.substr(at + 1), name);
    at = next == text.npos ? next : at + 1 + next;
  }
  return false;
}

bool is_claimed_as_it_stands(std::string_view value, std::string_view authserv_id) {
  for (auto comments : {Comments::Kept, Comments::Dropped})
    for (auto blanks : {Blanks::Kept, Blanks::Dropped})
      if (names_host(lenient_head(value, comments, blanks), authserv_id)) return true;
  return false;
}

/// What is shown of the value where encoded words are decoded: words within words too, as often as
/// some program may do so; in one form of Unicode, without characters that do not show.
std::string as_shown(std::string_view value) {
  constexpr int kRounds = 3;
  auto shown = decode_words(value);
  for (int i = 1; i < kRounds && shown.find("=?") != shown.npos; ++i) shown = decode_words(shown);
  shown = fold(shown);
  // Full stops of other scripts, which name resolution takes for dots (UTS #46).
  constexpr std::string_view kStop = "\u3002";
  std::string result;
  std::string_view rest = shown;
  for (auto at = rest.find(kStop); at != rest.npos; at = rest.find(kStop)) {
    result += rest.substr(0, at);
    result += '.';
    rest.remove_prefix(at + kStop.size());
  }
  result += rest;
  return result;
}

}  // namespace

bool claims_authserv_id(std::string_view value, std::string_view authserv_id) {
  if (is_claimed_as_it_stands(value, authserv_id)) return true;
  bool differs = value.find("=?") != value.npos || !is_ascii(value);
  return differs && is_claimed_as_it_stands(as_shown(value), authserv_id);
}

bool is_claimed_results(const Field& field, std::string_view authserv_id) {
  auto value = lenient_value(field, "Authentication-Results");
  return value && claims_authserv_id(*value, authserv_id);
}

}  // namespace hikyaku::mime
