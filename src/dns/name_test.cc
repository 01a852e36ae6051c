#include "dns/name.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "testing/vectors.h"

namespace hikyaku::dns {
namespace {

TEST_CASE("normal form") {
  struct Row {
    const char* text;
    const char* normal;  // null: no name
  };
  for (auto& row : std::initializer_list<Row>{
           {"Example.ORG", "example.org"},
           {"example.org.", "example.org"},
           {".", ""},
           {"", ""},
           {"_dmarc.example.org", "_dmarc.example.org"},
           {"a\\.b.example", "a\\.b.example"},    // a dot inside a label
           {"a\\046b.example", "a\\.b.example"},  // the same
           {"\\065.example", "a.example"},        // an escaped letter is a letter
           {"a\\\\.example", "a\\\\.example"},
           {"a b.example", "a\\032b.example"},
           {"\xFF.example", "\\255.example"},
           {"a..b", nullptr},
           {".a", nullptr},
           {"a..", nullptr},
           {"a\\", nullptr},
           {"a\\25", nullptr},
           {"a\\256", nullptr},
       }) {
    CAPTURE(row.text);
    auto normal = normal_name(row.text);
    CHECK(normal.has_value() == (row.normal != nullptr));
    if (normal && row.normal) CHECK(*normal == row.normal);
  }
  CHECK(normal_name(std::string(63, 'a') + ".b"));
  CHECK_FALSE(normal_name(std::string(64, 'a') + ".b"));
  std::string longest;  // 3 × 64 + 62 + 1 = 255 bytes on the wire
  for (int i = 0; i < 3; ++i) longest += std::string(63, 'a') + ".";
  CHECK(normal_name(longest + std::string(61, 'a')));
  CHECK_FALSE(normal_name(longest + std::string(62, 'a')));
}

TEST_CASE("wire form and back") {
  for (std::string name : {"", "org", "mx.example.org", "a\\.b.example", "\\000\\255.x", "*.a"}) {
    CAPTURE(name);
    auto wire = name_to_wire(name) + "rest";
    std::size_t offset = 0;
    CHECK(name_from_wire(wire, offset) == name);
    CHECK(wire.substr(offset) == "rest");
  }
  using namespace std::string_literals;
  for (auto& bad : {""s, "\3or"s, "\3org"s, "\xC0\x0C"s, "\x40"s + std::string(70, 'a'), [] {
                      std::string deep;
                      for (int i = 0; i < 128; ++i) deep += "\1a";
                      return deep + "\0"s;
                    }()}) {
    std::size_t offset = 0;
    CHECK_FALSE(name_from_wire(bad, offset));
  }
}

TEST_CASE("host names and names with underscores") {
  for (auto* good :
       {"a", "example.org", "1.example.org", "a-b.example.org.", "XN--BCHER-KVA.example"})
    CHECK_MESSAGE(is_host_name(good), good);
  for (auto* bad :
       {"", ".", "-a.org", "a-.org", "a..b", ".a", "a_b.org", "a b", "b\xC3\xBC.org", "a.org.."})
    CHECK_MESSAGE(!is_host_name(bad), bad);
  CHECK(is_domain_name("_25._tcp.mx.example.org"));
  CHECK_FALSE(is_domain_name("a b"));
  CHECK_FALSE(is_host_name(std::string(64, 'a') + ".org"));
}

TEST_CASE("parents and what lies within") {
  CHECK(parent("a.b.c") == "b.c");
  CHECK(parent("a\\.b.c") == "c");
  CHECK(parent("c").empty());
  CHECK(label_count("a.b.c") == 3);
  CHECK(label_count("") == 0);
  CHECK(is_within("a.b.c", "b.c"));
  CHECK(is_within("b.c", "b.c"));
  CHECK(is_within("b.c", ""));
  CHECK_FALSE(is_within("ab.c", "b.c"));
  CHECK_FALSE(is_within("a\\.b.c", "b.c"));  // that dot belongs to the label
  CHECK_FALSE(is_within("c", "b.c"));
}

TEST_CASE("international names, and what is wrong with others") {
  CHECK(to_ascii("Bücher.example.") == "xn--bcher-kva.example");
  CHECK(to_ascii("日本語。ＪＰ") == "xn--wgv71a119e.jp");
  CHECK(to_ascii("straße.example") == "xn--strae-oqa.example");  // not "strasse"
  CHECK(to_ascii("EXAMPLE.org.") == "example.org");
  CHECK(to_ascii("_dmarc.example.org") == "_dmarc.example.org");
  CHECK(to_ascii("r3---sn-x.example.org") == "r3---sn-x.example.org");  // exists in the wild
  CHECK(to_unicode("xn--bcher-kva.example") == "bücher.example");
  CHECK(to_unicode("XN--WGV71A119E.jp") == "日本語.jp");
  CHECK(to_unicode("xn--a.example") == "xn--a.example");
  CHECK(to_unicode("plain.example") == "plain.example");
  struct Row {
    std::string text;
    const char* problem;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", "it is empty"},
           {"a..b", "two dots follow each other, or one stands at the beginning"},
           {"a b.org", "\" \" is not allowed in names"},
           {"-a.org", "a part begins or ends with a hyphen"},
           {std::string(64, 'a') + ".org", "a part is longer than 63 bytes"},
           {"b\xFF.org", "it is not UTF-8"},
           {"xn--a.org", "a part that begins with xn-- does not decode to a valid one"},
           {"xn--b\u00FCcher.org", "a part that begins with xn-- does not decode to a valid one"},
           {"xn---.org", "a part that begins with xn-- does not decode to a valid one"},
           {"a\u2028b.org", "it contains a character that is not allowed in names"},
           {"\u0301a.org", "a part begins with a combining mark"},
       }) {
    CAPTURE(row.text);
    auto ascii = to_ascii(row.text);
    REQUIRE_FALSE(ascii);
    CHECK(ascii.error().code == ErrorCode::Invalid);
    CHECK_MESSAGE(ascii.error().text.ends_with(row.problem), ascii.error().text);
  }
}

/// Turns \uXXXX and \x{XXXX} into UTF-8; nullopt for surrogates.
std::optional<std::string> decode_escapes(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    std::size_t skip = 0, digits = 0;
    if (text.starts_with("\\u"))
      skip = 2, digits = 4;
    else if (text.starts_with("\\x{"))
      skip = 3, digits = text.find('}') - 3;
    if (skip == 0) {
      bytes += text.front();
      text.remove_prefix(1);
      continue;
    }
    auto code = std::stoul(std::string(text.substr(skip, digits)), nullptr, 16);
    text.remove_prefix(skip + digits + (skip == 3 ? 1 : 0));
    if (code >= 0xD800 && code <= 0xDFFF) return std::nullopt;
    if (code < 0x80) {
      bytes += static_cast<char>(code);
    } else if (code < 0x800) {
      bytes += static_cast<char>(0xC0 | code >> 6);
      bytes += static_cast<char>(0x80 | (code & 63));
    } else if (code < 0x10000) {
      bytes += static_cast<char>(0xE0 | code >> 12);
      bytes += static_cast<char>(0x80 | (code >> 6 & 63));
      bytes += static_cast<char>(0x80 | (code & 63));
    } else {
      bytes += static_cast<char>(0xF0 | code >> 18);
      bytes += static_cast<char>(0x80 | (code >> 12 & 63));
      bytes += static_cast<char>(0x80 | (code >> 6 & 63));
      bytes += static_cast<char>(0x80 | (code & 63));
    }
  }
  return bytes;
}

/// Characters that later versions allow or map in another way than the tables of Unicode 15.0: ẞ,
/// palochka, a Hangul filler, the negated relations, Georgian capitals, turned F and reversed C,
/// some compatibility ideographs.
bool changed_after_unicode_15(std::string_view name) {
  if (name.find("\xE1\x82") != name.npos || name.find("\xE1\x83") != name.npos) return true;
  for (auto* changed :
       {"\u04C0", "\u115F", "\u1E9E", "\u0338", "\u2260", "\u226E", "\u226F", "\u2132", "\u2183",
        "\U0002F868", "\U0002F874", "\U0002F91F", "\U0002F95F", "\U0002F9BF"})
    if (name.find(changed) != name.npos) return true;
  return false;
}

TEST_CASE("Unicode's test cases for names") {
  auto vectors = testing::vectors::folder_or_skip("Unicode's test cases for names");
  if (vectors.empty()) return;
  std::ifstream file(vectors / "idna/IdnaTestV2-Unicode16.txt");
  REQUIRE(file);
  int compared = 0;
  std::string line;
  while (std::getline(file, line)) {
    auto content = std::string_view(line).substr(0, line.find('#'));
    auto columns = split(content, ';');
    if (columns.size() < 5) continue;
    auto column = [&](std::size_t i) { return std::string(trim(columns[i])); };
    auto source = column(0) == "\"\"" ? std::optional<std::string>("") : decode_escapes(column(0));
    if (!source || is_ascii(*source)) continue;  // plain ASCII names have our own rules
    auto unicode = column(1).empty() ? source : decode_escapes(column(1));
    auto ascii = column(3).empty() ? unicode : decode_escapes(column(3));
    if (!ascii) continue;
    auto status = column(4).empty() ? column(2) : column(4);
    bool should_fail = !status.empty() && status != "[]";
    auto ours = to_ascii(*source);
    ++compared;
    auto expected = *ascii;
    if (expected.ends_with('.')) expected.pop_back();
    CAPTURE(line);
    if (status == "[A4_2]" && source->size() > 1) continue;  // a final dot is fine with us
    if (should_fail) {
      CHECK_FALSE(ours);
    } else if (!changed_after_unicode_15(*source)) {
      CHECK(ours == expected);
    }
  }
  CHECK(compared > 3000);
}

}  // namespace
}  // namespace hikyaku::dns
