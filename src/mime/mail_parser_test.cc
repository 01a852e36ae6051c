// The expectations of mail-parser: values of headers, structures with offsets and contents. Where
// we differ, the exception is named here with its reason.
#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <map>
#include <set>

#include "base/text.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/encoded_word.h"
#include "mime/message.h"
#include "mime/text.h"
#include "testing/vectors.h"

namespace hikyaku::mime {
namespace {

namespace json = boost::json;
namespace vectors = testing::vectors;

/// Why we differ from an expectation, by a piece of the sample's text.
using Exceptions = std::map<std::string, std::string>;

bool is_exception(const Exceptions& exceptions, std::string_view sample) {
  return std::ranges::any_of(exceptions,
                             [&](auto& entry) { return sample.find(entry.first) != sample.npos; });
}

json::value read_json(const std::filesystem::path& path) {
  return json::parse(vectors::read(path));
}

std::string text_or(const json::value& value, std::string_view otherwise = "") {
  return std::string(value.is_string() ? std::string_view(value.as_string()) : otherwise);
}

/// Their fields end at the first line end that is not a fold; the rest of the sample is other text.
std::string_view first_field(std::string_view text) {
  while (text.starts_with('\n') || text.starts_with("\r\n")) text.remove_prefix(1);
  for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1))
    if (at + 1 == text.size() || !is_ascii_space(text[at + 1])) return text.substr(0, at);
  return text;
}

TEST_CASE("mail-parser: dates") {
  auto folder = vectors::folder_or_skip("mail-parser dates");
  if (folder.empty()) return;
  const Exceptions exceptions = {
      {"20 11 (some", "RFC 5322 \u00A73.3: a month has a name; 20 11 could be a year too"},
      {" 4 8 15 16 23 42", "the same: a row of numbers is no date"},
  };
  auto rows = read_json(folder / "mime/mail-parser/headers/date.json");
  for (auto& row : rows.as_array()) {
    auto header = text_or(row.at("header"));
    CAPTURE(header);
    auto& expected = row.at("expected");
    auto date = parse_date(first_field(header));
    std::string shown = "none", wanted = "none";
    if (date) shown = format_date(date->time, date->offset);
    if (expected.is_object()) {
      auto number = [&](const char* name) {
        return static_cast<int>(expected.at(name).as_int64());
      };
      using namespace std::chrono;
      auto day = year_month_day(year(number("year")), month(unsigned(number("month"))),
                                std::chrono::day(unsigned(number("day"))));
      auto offset = minutes(number("tz_hour") * 60 + number("tz_minute"));
      if (expected.at("tz_before_gmt").as_bool()) offset = -offset;
      auto local = Time(sys_days(day)) + hours(number("hour")) + minutes(number("minute")) +
                   seconds(number("second"));
      wanted = format_date(local - offset, offset);
    }
    if (is_exception(exceptions, header)) {
      CHECK(shown != wanted);
      continue;
    }
    CHECK(shown == wanted);
  }
}

TEST_CASE("mail-parser: unstructured fields") {
  auto folder = vectors::folder_or_skip("mail-parser unstructured");
  if (folder.empty()) return;
  const Exceptions exceptions = {
      {"[SUSPECTED SPAM]=?", "no space stands there, so none is shown"},
  };
  auto rows = read_json(folder / "mime/mail-parser/headers/unstructured.json");
  for (auto& row : rows.as_array()) {
    auto header = text_or(row.at("header"));
    CAPTURE(header);
    // Theirs makes one space of a fold; RFC 5322 \u00A72.2.3 removes only the line end.
    auto one_space = [](std::string_view text) {
      std::string result;
      for (char space : text)
        if (char c = space == '\t' ? ' ' : space; c != ' ' || !result.ends_with(' ')) result += c;
      return result;
    };
    auto shown = one_space(decode_words(first_field(header)));
    if (is_exception(exceptions, header)) {
      CHECK(shown != one_space(text_or(row.at("expected"))));
      continue;
    }
    CHECK(shown == one_space(text_or(row.at("expected"))));
  }
}

TEST_CASE("mail-parser: content types") {
  auto folder = vectors::folder_or_skip("mail-parser content types");
  if (folder.empty()) return;
  const Exceptions exceptions = {
      {"\"=?iso-8859-1?B?4Q==?= =?utf-8",
       "RFC 2047 \u00A76.2: space between encoded words is not shown"},
      {"=\n", "theirs keeps the rubbish as a type"},
      {"name=value\n", "a parameter where the type was forgotten"},
      {"name=value\r\n", "the same"},
      {"name=  \n", "a parameter without value"},
      {"\u00E1/\u00E9", "RFC 2045 \u00A75.1: a token is ASCII; taken as text/plain"},
      {"malicious/attempt", "stars in names that no standard gives a meaning"},
      {"text/plain/format", "the type is text/plain, the rest is rubbish"},
  };
  auto rows = read_json(folder / "mime/mail-parser/headers/content_type.json");
  for (auto& row : rows.as_array()) {
    auto header = text_or(row.at("header"));
    CAPTURE(header);
    auto& expected = row.at("expected");
    std::string wanted = "none";
    std::set<std::string> wanted_parameters, shown_parameters;
    if (expected.is_object()) {
      wanted = to_lower(text_or(expected.at("c_type"))) + '/' +
               to_lower(text_or(expected.at("c_subtype")));
      auto* list = expected.as_object().if_contains("attributes");
      if (list && list->is_array())
        for (auto& pair : list->as_array())
          if (pair.is_array() && pair.as_array().size() == 2)
            wanted_parameters.insert(to_lower(text_or(pair.at(0))) + '=' + text_or(pair.at(1)));
    }
    auto field = first_field(header);
    std::string shown;
    std::vector<Parameter> parameters;
    if (wanted.ends_with('/')) {
      auto disposition = parse_parameterized(field);
      shown = disposition.value + '/';
      parameters = disposition.parameters;
    } else {
      auto type = parse_content_type(field);
      shown = type.malformed ? "none" : type.type + '/' + type.subtype;
      parameters = type.parameters;
    }
    for (auto& parameter : parameters) {
      shown_parameters.insert(parameter.name + '=' + parameter.text());
      // Theirs gives the language as a parameter of its own.
      if (!parameter.language.empty())
        shown_parameters.insert(parameter.name + "-language=" + parameter.language);
    }
    auto same = shown == wanted && (wanted == "none" || shown_parameters == wanted_parameters);
    if (!same && is_exception(exceptions, header)) continue;
    CHECK(shown == wanted);
    if (wanted == "none") continue;
    std::string shown_text, wanted_text;
    for (auto& text : shown_parameters) shown_text += text + "; ";
    for (auto& text : wanted_parameters) wanted_text += text + "; ";
    CHECK(shown_text == wanted_text);
  }
}

/// "name <address>" of their form and of ours.
std::string show_wanted(const json::value& expected) {
  std::string result;
  auto mailbox = [&](const json::value& value) {
    result += '[' + text_or(value.at("name")) + '|' + text_or(value.at("address")) + ']';
  };
  if (!expected.is_object()) return result;
  if (auto* list = expected.as_object().if_contains("List")) {
    for (auto& value : list->as_array()) mailbox(value);
    return result;
  }
  for (auto& group : expected.at("Group").as_array()) {
    auto name = text_or(group.at("name"));
    if (!name.empty()) result += '{' + name + ':';
    for (auto& value : group.at("addresses").as_array()) mailbox(value);
    if (!name.empty()) result += '}';
  }
  return result;
}

std::string show_ours(std::string_view field) {
  std::string result;
  for (auto& address : parse_address_list(field)) {
    if (address.kind == Address::Kind::GroupStart)
      result += '{' + address.display_name() + ':';
    else if (address.kind == Address::Kind::GroupEnd)
      result += '}';
    else if (address.domain.empty() && address.name.empty())
      result += '[' + decode_words(address.local) + "|]";  // theirs: a name alone
    else
      result += '[' + address.display_name() + '|' + address.local +
                (address.domain.empty() ? "" : '@' + address.domain) + ']';
  }
  return result;
}

TEST_CASE("mail-parser: addresses") {
  auto folder = vectors::folder_or_skip("mail-parser addresses");
  if (folder.empty()) return;
  const std::string comments = "RFC 5322 \u00A73.2.2: a comment is no part of a name that is there";
  const Exceptions exceptions = {
      {"Pete(A nice", comments},
      {"A Group(Some people)", comments},
      {"(Empty list)(start)", comments},
      {"Nathaniel Borenstein <nsb@thumper.bellcore.com>\n    (=?", comments},
      {"Name (comment) =?utf-8?q?Doe?=", comments},
      {"jdoe@machine(comment).", comments},
      {"<@node.test:mary@example.net>", "RFC 5322 \u00A74.4: the route is not the local part"},
      {"\"  James Smythe\"", "names are shown trimmed"},
      {"<http://", "no address; theirs reads List fields with the same code"},
  };
  auto rows = read_json(folder / "mime/mail-parser/headers/address.json");
  for (auto& row : rows.as_array()) {
    auto header = text_or(row.at("header"));
    CAPTURE(header);
    auto shown = show_ours(first_field(header)), wanted = show_wanted(row.at("expected"));
    if (shown != wanted && is_exception(exceptions, header)) continue;
    CHECK(shown == wanted);
  }
}

/// Compares a part of their tree with ours and goes down.
class TreeComparer {
 public:
  explicit TreeComparer(Message message) : message_(std::move(message)) {}

  void compare(const json::value& theirs, std::size_t their_index, std::uint32_t index) {
    auto& want = theirs.at("parts").at(their_index);
    auto& part = message_.parts[index];
    CHECK(part.header.offset == offset(want, "offset_header"));
    CHECK(part.body.offset == offset(want, "offset_body"));
    auto& body = want.at("body").as_object();
    std::string kind(body.begin()->key());
    auto& value = body.begin()->value();
    if (kind == "Multipart") {
      CHECK(part.kind == PartKind::Multipart);
      auto child = part.first_child;
      for (auto& their_child : value.as_array()) {
        CHECK(child != kNoPart);
        if (child == kNoPart) return;
        compare(theirs, static_cast<std::size_t>(their_child.as_int64()), child);
        child = message_.parts[child].next_sibling;
      }
      CHECK(child == kNoPart);
    } else if (kind == "Message") {
      CHECK(part.kind == PartKind::Message);
      if (part.kind == PartKind::Message) compare(value, 0, part.first_child);
    } else if (kind == "Text" || kind == "Html") {
      CHECK(body_text(message_, part) == text_or(value));
    } else {
      std::string bytes;
      for (auto& byte : value.as_array()) bytes += static_cast<char>(byte.as_int64());
      CHECK(decoded_body(message_, part) == bytes);
    }
  }

 private:
  static std::uint64_t offset(const json::value& part, const char* name) {
    return static_cast<std::uint64_t>(part.at(name).as_int64());
  }

  Message message_;
};

TEST_CASE("mail-parser: structures, offsets and contents") {
  auto folder = vectors::folder_or_skip("mail-parser structures");
  if (folder.empty()) return;
  const std::string delimiters =
      "RFC 2046 \u00A75.1.2: a delimiter of an outer multipart ends the inner one, and a boundary "
      "that begins another one is not it";
  const Exceptions exceptions = {
      {"legacy/026.", "uuencode is decoded"},
      {"legacy/048.", "uuencode is decoded"},
      {"legacy/052.", "8-bit text under us-ascii is windows-1252 rather than unreadable"},
      {"malformed/000.", "an empty part between two delimiters is a part"},
      {"malformed/004.", delimiters},
      {"malformed/008.", delimiters},
      {"malformed/012.", delimiters},
      {"malformed/014.", "a delimiter at the very end begins an empty part"},
      {"malformed/016.", delimiters},
      {"malformed/020.", "of two Content-Type fields the first counts"},
      {"rfc/000.", "what is labelled base64 is decoded, though the sample is prose"},
      {"rfc/008.", "RFC 2045 \u00A76.4: a message in base64 is a leaf"},
  };
  for (auto& path : vectors::files(folder / "mime/mail-parser", ".eml")) {
    auto name = path.string().substr((folder / "mime/mail-parser/").string().size());
    CAPTURE(name);
    if (is_exception(exceptions, name)) continue;
    auto lf = vectors::without_cr(vectors::read(path)), crlf = with_crlf(lf);
    auto json_path = path;
    TreeComparer(parse_message(lf)).compare(read_json(json_path.replace_extension(".json")), 0, 0);
    TreeComparer(parse_message(crlf))
        .compare(read_json(json_path.replace_extension(".crlf.json")), 0, 0);
  }
}

}  // namespace
}  // namespace hikyaku::mime
