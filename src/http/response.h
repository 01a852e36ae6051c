// HTTP/1.1 responses (RFC 9110 §15, RFC 9112 §4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "http/request.h"

namespace hikyaku::http {

/// One answer. Content-Length, Date and Connection are written by format().
struct Response {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";  ///< Content-Type; of an empty body none is said
  std::string body = {};
  std::vector<Field> fields = {};  ///< more of them; names as they are to be written
};

/// A short text as answer: "404 there is nothing here\n".
Response plain(int status, std::string_view text);

/// "Not Found" (RFC 9110 §15); "" for statuses that are not used here.
std::string_view reason_of(int status);

/// What goes with a response.
struct Framing {
  Time now{};
  bool keep_alive = true;
  bool head_only = false;  ///< the request was HEAD: all but the body (RFC 9110 §9.3.2)
};
/// The whole response as bytes. Field values are cut at control characters: nothing can be smuggled
/// into the header.
std::string format(const Response& response, const Framing& framing);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7).
std::string format_date(Time time);

}  // namespace hikyaku::http
