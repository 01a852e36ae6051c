#include "http/response.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace hikyaku::http {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  auto end = std::ranges::find_if(
      value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  out.append(value.begin(), end);
  out += "\r\n";
}

}  // namespace

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

Response plain(int status, std::string_view text) {
  return {.status = status, .body = fmt::format("{} {}\n", status, text)};
}

std::string format_date(Time time) {
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

std::string format(const Response& response, const Framing& framing) {
  auto out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  append_field(out, "Date", format_date(framing.now));
  if (!response.body.empty()) append_field(out, "Content-Type", response.type);
  for (auto& field : response.fields) append_field(out, field.name, field.value);
  // RFC 9110 §8.6: not with 204.
  if (response.status != 204)
    append_field(out, "Content-Length", std::to_string(response.body.size()));
  append_field(out, "Connection", framing.keep_alive ? "keep-alive" : "close");
  out += "\r\n";
  if (!framing.head_only) out += response.body;
  return out;
}

}  // namespace hikyaku::http
