#include "mime/describe.h"

#include <fmt/core.h>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/text.h"

namespace hikyaku::mime {
namespace {

/// Writes objects and arrays with their commas.
class JsonWriter {
 public:
  void begin(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void end(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    out_ += json_quote(name) + ':';
    first_ = true;
  }
  void string(std::string_view text) {
    separate();
    out_ += json_quote(text);
  }
  void number(std::uint64_t value) {
    separate();
    out_ += std::to_string(value);
  }
  void member(std::string_view name, std::string_view text) {
    key(name);
    string(text);
  }
  void member(std::string_view name, std::uint64_t value) {
    key(name);
    number(value);
  }
  std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string out_;
  bool first_ = true;
};

/// Lines of a text for a terminal: what is no letter is made visible, line ends stay.
std::string printable_lines(std::string_view text, std::string_view indent, std::size_t lines) {
  constexpr std::size_t kColumns = 200;
  std::string result;
  for (auto line : split(text, '\n')) {
    if (lines-- == 0) {
      result += fmt::format("{}…\n", indent);
      break;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    result += fmt::format("{}{}\n", indent, printable(line, kColumns));
  }
  return result;
}

/// "1.2", or what a part without number is.
std::string shown_number(const Message& message, std::uint32_t index) {
  auto number = message.number(index);
  return number.empty() ? "-" : number;
}

std::string defect_list(const Part& part) {
  std::string result;
  for (auto defect : all_defects())
    if (part.has(defect))
      result += fmt::format("{}{}", result.empty() ? "" : ", ", describe(defect));
  return result;
}

void tree_line(const Message& message, std::uint32_t index, std::string& out) {
  auto& part = message.parts[index];
  out += fmt::format("{:{}}{} {}/{}", "", part.depth * 2, shown_number(message, index),
                     printable(part.media_type.type, 60), printable(part.media_type.subtype, 60));
  if (auto charset = part.parameter("charset"); !charset.empty())
    out += fmt::format(" {}", printable(charset, 40));
  out += fmt::format(" {} {} bytes, {} lines", to_string(part.encoding), part.body.size,
                     part.body_lines);
  if (auto kind = disposition_kind(part); !kind.empty())
    out += fmt::format(", {}", printable(kind, 40));
  if (auto name = file_name(part); !name.empty())
    out += fmt::format(" \"{}\"", printable(name, 200));
  if (part.defects) out += fmt::format(" [{}]", defect_list(part));
  out += '\n';
}

void write_addresses(JsonWriter& json, std::string_view name, std::string_view value) {
  json.key(name);
  json.begin('[');
  for (auto& address : parse_address_list(value)) {
    if (address.kind == Address::Kind::GroupEnd) continue;
    json.begin('{');
    if (address.kind == Address::Kind::GroupStart) {
      json.member("group", address.display_name());
    } else {
      json.member("name", address.display_name());
      json.member("address", address.addr_spec());
    }
    json.end('}');
  }
  json.end(']');
}

void write_fields(JsonWriter& json, const Message& message, const Part& part) {
  json.key("header");
  json.begin('[');
  for (auto& field : message.fields(part)) {
    json.begin('{');
    json.member("name", field.name);
    json.member("value", field_text(field));
    json.end('}');
  }
  json.end(']');
}

void write_part(JsonWriter& json, const Message& message, std::uint32_t index,
                std::size_t text_limit) {
  auto& part = message.parts[index];
  json.begin('{');
  json.member("number", message.number(index));
  json.member("type", part.media_type.type + '/' + part.media_type.subtype);
  json.key("parameters");
  json.begin('{');
  for (auto& parameter : part.parameters()) json.member(parameter.name, parameter.text());
  json.end('}');
  json.member("disposition", disposition_kind(part));
  json.member("file_name", file_name(part));
  json.member("encoding", to_string(part.encoding));
  json.member("depth", part.depth);
  json.member("header_offset", part.header.offset);
  json.member("header_size", part.header.size);
  json.member("body_offset", part.body.offset);
  json.member("body_size", part.body.size);
  json.member("body_lines", part.body_lines);
  json.key("defects");
  json.begin('[');
  for (auto defect : all_defects())
    if (part.has(defect)) json.string(describe(defect));
  json.end(']');
  write_fields(json, message, part);
  if (part.is_text())
    json.member("text", utf8_prefix(body_text(message, part, text_limit), text_limit));
  json.end('}');
}

}  // namespace

std::string describe_text(const Message& message) {
  constexpr std::size_t kTextLines = 20;
  constexpr std::size_t kTextBytes = 16 * 1024;
  std::string out =
      fmt::format("{} bytes, {} parts\n\n", message.bytes.size(), message.parts.size());
  for (std::uint32_t i = 0; i < message.parts.size(); ++i) tree_line(message, i, out);
  out += '\n';
  for (auto& field : message.fields())
    out += fmt::format("{}: {}\n", field.is_junk() ? "(junk)" : printable(field.name, 100),
                       printable(field_text(field), 2000));
  for (std::uint32_t i = 0; i < message.parts.size(); ++i) {
    auto& part = message.parts[i];
    if (!part.is_text() || part.body.size == 0) continue;
    out += fmt::format("\n--- {} {}/{}\n", shown_number(message, i), part.shown_type(),
                       printable(part.shown_subtype(), 60));
    out += printable_lines(body_text(message, part, kTextBytes), "  ", kTextLines);
  }
  return out;
}

std::string describe_json(const Message& message, std::size_t text_limit) {
  JsonWriter json;
  auto header = message.fields();
  json.begin('{');
  json.member("size", message.bytes.size());
  json.member("subject", header.find("Subject") ? field_text(*header.find("Subject")) : "");
  if (auto date = parse_date(header.value("Date"))) json.member("date", format_rfc3339(date->time));
  for (std::string_view name : {"from", "sender", "reply-to", "to", "cc", "bcc"})
    if (auto field = header.find(name)) write_addresses(json, name, field->value);
  for (std::string_view name : {"message-id", "in-reply-to", "references"}) {
    auto field = header.find(name);
    if (!field) continue;
    json.key(name);
    json.begin('[');
    for (auto& id : message_ids(field->value)) json.string(id);
    json.end(']');
  }
  json.key("parts");
  json.begin('[');
  for (std::uint32_t i = 0; i < message.parts.size(); ++i) write_part(json, message, i, text_limit);
  json.end(']');
  json.end('}');
  return json.take();
}

}  // namespace hikyaku::mime
