// HTTP/1.1 requests and their incremental parser (RFC 9110, RFC 9112).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hikyaku::http {

/// One line of a header. Names are in lower case; values without spaces around them.
struct Field {
  std::string name;
  std::string value;
};

/// One request, whole.
struct Request {
  std::string method;  ///< as sent: methods are case-sensitive (RFC 9110 §9.1)
  std::string path;    ///< begins with "/"; percent-encoding undone, no "." and ".." segments
  std::string query;   ///< behind "?", as sent
  int minor_version = 1;
  std::vector<Field> fields;
  std::string body;

  /// The value of the first field of this name (in lower case), or "".
  std::string_view field(std::string_view name) const;
  /// Whether a comma-separated field has this word, in any case (RFC 9110 §5.6.1).
  bool lists(std::string_view name, std::string_view word) const;
  /// Whether the connection goes on after it (RFC 9112 §9.3).
  bool keeps_alive() const;
};

/// How much a client may send.
struct RequestLimits {
  std::size_t target = 4 * 1024;       ///< bytes of the request target; longer: 414
  std::size_t header = 16 * 1024;      ///< bytes of all field lines; more: 431
  std::size_t fields = 100;            ///< more: 431
  std::size_t body = 0;                ///< bytes; more: 413
  std::size_t chunk_overhead = 16384;  ///< bytes of a chunked body that are not content; more: 413
};

/// Why a request is refused; the connection ends with it, since what follows cannot be told apart.
struct RequestError {
  int status = 400;
  std::string_view text;  ///< for people
};

/// Reads one request after another. Strict where leniency has been used to smuggle: no bare LF or
/// CR, no folded lines, no space before a colon, one Host, one Content-Length or a chunked body,
/// never both (RFC 9112 §2.2, §5.1, §5.2, §6.1, §6.3, RFC 9110 §7.2).
class RequestParser {
 public:
  explicit RequestParser(RequestLimits limits = {}) : limits_(limits) {}

  enum class Event {
    NeedMore,  ///< all bytes were used
    /// The header is there and the client waits for "100 Continue" (RFC 9110 §10.1.1) before the
    /// body; go on with next().
    Continue,
    Request,  ///< take() it
    Error,    ///< error() says why; nothing more can be read
  };
  /// Goes on with `input`, which becomes what was not used.
  Event next(std::string_view& input);
  /// After Event::Request; the parser is ready for the next one.
  Request take();
  const RequestError& error() const { return error_; }
  /// Nothing of a request has come yet.
  bool idle() const { return state_ == State::RequestLine && line_.empty(); }

 private:
  enum class State {
    RequestLine,
    Fields,
    Body,
    ChunkSize,
    ChunkData,
    ChunkEnd,
    Trailer,
    Done,
    Failed
  };

  Event fail(int status, std::string_view text);
  /// The bytes of the line so far and `input` up to CRLF; false: more is needed, or it failed.
  bool take_line(std::string_view& input, std::size_t limit, int too_long);
  bool read_request_line();
  bool read_target(std::string_view target);
  bool read_field();
  bool check_host();
  Event end_of_header();
  bool read_chunk_size();
  void read_content(std::string_view& input, State then);

  RequestLimits limits_;
  State state_ = State::RequestLine;
  std::string line_;
  bool line_done_ = false;
  std::size_t header_bytes_ = 0;
  std::size_t overhead_ = 0;
  int empty_lines_ = 0;
  std::uint64_t left_ = 0;  ///< of the body, or of the chunk
  Request request_;
  RequestError error_;
};

}  // namespace hikyaku::http
