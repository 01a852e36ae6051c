// The client's reader of responses (RFC 9051 §7): a tree of values for everything, message content
// streamed. Tolerant of what Dovecot, Cyrus, Courier, Gmail and Exchange send; never of size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imap/scanner.h"

namespace hikyaku::imap {

/// A value in a response: NIL, an atom (number, flag, "BODY[TEXT]<0>"), a string, a list.
struct Value {
  enum class Kind { Nil, Atom, String, List, Streamed };
  Kind kind = Kind::Nil;
  std::string text;          ///< of an atom or a string
  std::vector<Value> items;  ///< of a list
  std::uint64_t size = 0;    ///< of a Streamed literal, whose bytes were handed out

  bool is_list() const { return kind == Kind::List; }
  /// Atom in any case.
  bool is_atom(std::string_view name) const;
  /// An unsigned number of at most 63 bits.
  std::optional<std::uint64_t> number() const;
  friend bool operator==(const Value&, const Value&) = default;
};

/// One response.
struct Response {
  enum class Kind { Untagged, Tagged, Continuation };
  Kind kind = Kind::Untagged;
  std::string tag;                      ///< of a tagged one
  std::string name;                     ///< in capitals: "OK", "FETCH", "EXISTS", "LIST" …
  std::optional<std::uint32_t> number;  ///< "* 5 EXISTS"
  std::vector<Value> values;            ///< what follows the name; not of status responses
  std::vector<std::uint32_t> numbers;   ///< of SEARCH
  std::string code;                     ///< of status responses, in capitals: "UIDVALIDITY"
  std::vector<Value> code_values;       ///< its arguments
  std::string text;                     ///< of status responses and continuations

  bool is_status() const;
  bool is(std::string_view wanted) const { return name == wanted; }
};

struct ResponseLimits {
  std::size_t response = 16 * 1024 * 1024;  ///< bytes of one response without streamed content
  std::size_t literal = 1024 * 1024;        ///< a literal that is not message content
  std::uint64_t content = 1024ULL * 1024 * 1024;  ///< message content
  std::size_t contents = 1'000;                   ///< streamed literals in one response
  std::size_t depth = 100;                        ///< of lists
  std::size_t values = 1'000'000;
};

/// One for each connection; works at every split.
class ResponseParser {
 public:
  enum class Event {
    NeedMore,      ///< all bytes were used: read more
    Response,      ///< response() is whole
    ContentBegin,  ///< a literal with message content (BODY[…], BINARY[…], RFC822…) of FETCH
                   ///< begins: label(), size(); response() has what came before it, UID perhaps
    ContentData,   ///< data() are its next bytes
    ContentEnd,
    Fatal,  ///< error(): what comes is no IMAP or exceeds a limit. Close
  };

  explicit ResponseParser(ResponseLimits limits = {}) : limits_(limits) {}

  /// Goes on with `input`, which becomes what was not used.
  Event next(std::string_view& input);

  const Response& response() const { return response_; }
  Response take_response() { return std::move(response_); }
  /// "BODY[]", as the server wrote it.
  std::string_view label() const { return label_; }
  std::uint64_t size() const { return size_; }
  std::string_view data() const { return data_; }
  const Error& error() const { return error_; }

 private:
  enum class State { Line, Literal, Content, Dead };

  std::optional<Event> step_line(std::string_view& input);
  std::optional<Event> end_of_line();
  std::optional<Event> begin_literal(std::string_view line, const LiteralHeader& header);
  std::string_view content_label(std::string_view line, const LiteralHeader& header) const;
  std::optional<Event> step_literal(std::string_view& input);
  Event step_content(std::string_view& input);
  void follow_depth(std::string_view line);
  Event fatal(Error error);

  ResponseLimits limits_;
  State state_ = State::Line;
  std::string text_;                   // the response so far; streamed literals only announced
  std::vector<std::size_t> streamed_;  // where in text_ those announcements begin
  std::size_t line_begin_ = 0;
  int depth_ = 0;  // of parentheses at line_begin_
  std::uint64_t left_ = 0;

  Response response_;
  std::string label_;
  std::uint64_t size_ = 0;
  std::string_view data_;
  Error error_;
};

/// One whole response without its last CRLF, literals inside; for tests and tools.
Result<Response> parse_response(std::string_view text, const ResponseLimits& limits = {});

}  // namespace hikyaku::imap
