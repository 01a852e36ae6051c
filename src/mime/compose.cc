#include "mime/compose.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "mime/charset.h"
#include "mime/date.h"
#include "mime/encoded_word.h"
#include "mime/parameter.h"
#include "mime/transfer.h"

namespace hikyaku::mime {
namespace {

constexpr std::size_t kLine = 76;       // what we fold to
constexpr std::size_t kTextLine = 998;  // RFC 5322 §2.1.1

std::string one_line(std::string_view value) {
  std::string result(value);
  for (char& c : result)
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  return result;
}

/// May go as 7bit: ASCII without NUL, no line too long.
bool is_seven_bit(std::string_view text) {
  if (!is_ascii(text) || text.find('\0') != text.npos) return false;
  return std::ranges::all_of(split(text, '\n'), [](auto line) { return line.size() <= kTextLine; });
}

std::string encoding_field(std::string_view encoding) {
  return fmt::format("Content-Transfer-Encoding: {}\r\n", encoding);
}

}  // namespace

HeaderWriter& HeaderWriter::text(std::string_view name, std::string_view utf8) {
  out_ += fmt::format("{}: {}\r\n", name, encode_unstructured(utf8, name.size() + 2));
  return *this;
}

HeaderWriter& HeaderWriter::addresses(std::string_view name,
                                      const std::vector<NamedAddress>& list) {
  if (list.empty()) return *this;
  out_ += fmt::format("{}:", name);
  auto column = name.size() + 2;
  for (auto& address : list) {
    if (&address != &list.front()) {
      out_ += ",\r\n";
      column = 1;
    }
    auto addr_spec = one_line(address.addr_spec);
    if (address.name.empty()) {
      out_ += ' ' + addr_spec;
      continue;
    }
    auto phrase = encode_phrase(address.name, column);
    auto last_line = phrase.size() - (phrase.rfind('\n') + 1);
    auto fold = last_line + addr_spec.size() + 3 > kLine - column;
    out_ += fmt::format(" {}{}<{}>", phrase, fold ? "\r\n " : " ", addr_spec);
  }
  out_ += "\r\n";
  return *this;
}

HeaderWriter& HeaderWriter::date(std::string_view name, Time time, std::chrono::minutes offset) {
  out_ += fmt::format("{}: {}\r\n", name, format_date(time, offset));
  return *this;
}

HeaderWriter& HeaderWriter::message_ids(std::string_view name,
                                        const std::vector<std::string>& ids) {
  if (ids.empty()) return *this;
  out_ += fmt::format("{}:", name);
  for (auto& id : ids)
    out_ += fmt::format("{}<{}>", &id == &ids.front() ? " " : "\r\n ", one_line(id));
  out_ += "\r\n";
  return *this;
}

HeaderWriter& HeaderWriter::structured(std::string_view name, std::string_view value) {
  out_ += name;
  out_ += ':';
  auto column = name.size() + 1;
  auto line = one_line(value);
  for (auto word : split(line, ' ')) {
    if (word.empty()) continue;
    if (column + 1 + word.size() > kLine && column > name.size() + 1) {
      out_ += "\r\n";
      column = 0;
    }
    out_ += ' ';
    out_ += word;
    column += 1 + word.size();
  }
  out_ += "\r\n";
  return *this;
}

ComposedPart compose_text(std::string_view utf8, std::string_view subtype) {
  auto text = with_crlf(to_valid_utf8(utf8), LoneCr::EndsLine);
  ComposedPart part;
  auto charset = is_ascii(text) ? "us-ascii" : "utf-8";
  part.header = fmt::format("Content-Type: text/{}; charset={}\r\n", subtype, charset);
  if (is_seven_bit(text)) {
    part.header += encoding_field("7bit");
    part.body = std::move(text);
    return part;
  }
  auto quoted = encode_quoted_printable(text);
  auto base64 = encode_base64_body(text);
  auto shorter = quoted.size() <= base64.size();
  part.header += encoding_field(shorter ? "quoted-printable" : "base64");
  part.body = shorter ? std::move(quoted) : std::move(base64);
  return part;
}

ComposedPart compose_japanese_text(std::string_view utf8) {
  auto encoded = from_utf8(with_crlf(utf8, LoneCr::EndsLine), "iso-2022-jp");
  if (!encoded || is_ascii(utf8) || !is_seven_bit(*encoded)) return compose_text(utf8);
  return {"Content-Type: text/plain; charset=iso-2022-jp\r\n" + encoding_field("7bit"),
          std::move(*encoded)};
}

ComposedPart compose_attachment(std::string_view type, std::string_view bytes,
                                std::string_view utf8_file_name) {
  ComposedPart part;
  part.header = fmt::format("Content-Type: {}\r\n", one_line(type)) + encoding_field("base64");
  std::string disposition = "Content-Disposition: attachment";
  if (!utf8_file_name.empty()) append_parameter(disposition, "filename", utf8_file_name);
  part.header += disposition + "\r\n";
  part.body = encode_base64_body(bytes);
  return part;
}

ComposedPart compose_verbatim(std::string_view type, std::string_view body) {
  return {fmt::format("Content-Type: {}\r\n", one_line(type)) +
              encoding_field(is_seven_bit(body) ? "7bit" : "8bit"),
          std::string(body)};
}

ComposedPart compose_multipart(std::string_view subtype, std::string_view parameters,
                               const std::vector<ComposedPart>& parts, std::string_view unique) {
  auto boundary = fmt::format("=_{}", unique);
  // Strange, but not impossible: the content has the boundary in it.
  auto occurs = [&](const ComposedPart& part) {
    return part.body.find(boundary) != std::string::npos;
  };
  while (std::ranges::any_of(parts, occurs)) boundary += '_';

  ComposedPart result;
  result.header = fmt::format("Content-Type: multipart/{};{}{}{}\r\n boundary=\"{}\"\r\n", subtype,
                              parameters.empty() ? "" : " ", parameters,
                              parameters.empty() ? "" : ";", boundary);
  bool eight_bit = false;
  for (auto& part : parts) {
    eight_bit = eight_bit || !is_ascii(part.body);
    result.body += fmt::format("--{}\r\n{}\r\n{}\r\n", boundary, part.header, part.body);
  }
  result.body += fmt::format("--{}--\r\n", boundary);
  if (eight_bit) result.header += encoding_field("8bit");
  return result;
}

std::string compose_message(std::string_view fields, const ComposedPart& part) {
  return fmt::format("{}MIME-Version: 1.0\r\n{}\r\n{}", fields, part.header, part.body);
}

std::string make_message_id(Time now, std::string_view unique, std::string_view host) {
  auto day = std::chrono::floor<std::chrono::days>(now);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(now - day));
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}.{}@{}", int(date.year()),
                     unsigned(date.month()), unsigned(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), unique, host);
}

}  // namespace hikyaku::mime
