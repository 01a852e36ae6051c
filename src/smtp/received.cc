#include "smtp/received.h"

#include <array>
#include <fmt/format.h>

#include "base/text.h"

namespace hikyaku::smtp {
namespace {

/// Text from a client as a word of the field: nothing that could end a comment or the line.
std::string harmless(std::string_view text, bool utf8) {
  constexpr std::string_view kStructure = "()<>\\;\",";
  std::string word = utf8 ? to_valid_utf8(text) : std::string(text);
  for (char& c : word) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8) ||
        kStructure.find(c) != std::string_view::npos)
      c = '?';
  }
  return word.empty() ? "unknown" : word;
}

/// TCP-info: the name that the address is known by, and the address.
std::string tcp_info(const ReceivedField& field) {
  auto literal = field.from->to_literal();
  if (field.reverse_name.empty()) return literal;
  return harmless(field.reverse_name, field.utf8) + ' ' + literal;
}

}  // namespace

std::string format_received(const ReceivedField& field) {
  std::string text = "Received: ";
  if (field.from)
    text += fmt::format("from {} ({})\r\n\t", harmless(field.hello, field.utf8), tcp_info(field));
  text += fmt::format("by {} with {}", field.by, field.with);
  if (!field.tls.empty()) {
    text += "\r\n\t(";
    for (auto word : split(field.tls, ' '))
      text += (text.ends_with('(') ? "" : " ") + harmless(word, field.utf8);
    text += ')';
  }
  text += fmt::format("\r\n\tid {}", field.id);
  if (field.recipient && (field.utf8 || !field.recipient->needs_utf8()))
    text += fmt::format("\r\n\tfor <{}>", field.recipient->to_string());
  return text + ";\r\n\t" + format_message_date(field.when) + "\r\n";
}

std::string format_return_path(const ReversePath& from) {
  return fmt::format("Return-Path: <{}>\r\n", from.to_string());
}

std::string format_delivered_to(std::string_view address) {
  return fmt::format("Delivered-To: {}\r\n", address);
}

std::string format_message_date(Time when) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto midnight = std::chrono::floor<std::chrono::days>(when);
  std::chrono::year_month_day date(midnight);
  std::chrono::hh_mm_ss time(std::chrono::floor<seconds>(when - midnight));
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000",
                     kDays[std::chrono::weekday(midnight).c_encoding()], unsigned(date.day()),
                     kMonths[unsigned(date.month()) - 1], int(date.year()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

}  // namespace hikyaku::smtp
