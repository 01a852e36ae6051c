#include "smtp/path.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "testing/vectors.h"

namespace hikyaku::smtp {
namespace {

constexpr PathRules kUtf8{Characters::Utf8, {}};

TEST_CASE("mailboxes that are taken, and how they are written back") {
  struct Row {
    std::string_view given, local_part, domain, written;
  };
  for (const auto& row : {
           Row{"a@b.example", "a", "b.example", "a@b.example"},
           Row{"Ann.O'Hara+x@Example.ORG", "Ann.O'Hara+x", "example.org",
               "Ann.O'Hara+x@example.org"},                             // case kept, domain lowered
           Row{"\"ann\"@x.test", "ann", "x.test", "ann@x.test"},        // needless quotes
           Row{"\"\\a\\n\\n\"@x.test", "ann", "x.test", "ann@x.test"},  // needless backslashes
           Row{"\"a b\"@x.test", "a b", "x.test", "\"a b\"@x.test"},
           Row{R"("a\"\\b"@x.test)", R"(a"\b)", "x.test", R"("a\"\\b"@x.test)"},
           Row{"\"a@b\"@x.test", "a@b", "x.test", "\"a@b\"@x.test"},
           Row{"\"a..b\"@x.test", "a..b", "x.test", "\"a..b\"@x.test"},
           Row{"\"\"@x.test", "", "x.test", "\"\"@x.test"},
           Row{"a@localhost", "a", "localhost", "a@localhost"},
           Row{"a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"},
           Row{"a@[ipv6:2001:DB8:0::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
       }) {
    CAPTURE(row.given);
    auto mailbox = parse_mailbox(row.given);
    REQUIRE_MESSAGE(mailbox, mailbox.error().text);
    CHECK(mailbox->local_part == row.local_part);
    CHECK(mailbox->domain == row.domain);
    CHECK(mailbox->to_string() == row.written);
    CHECK(parse_mailbox(mailbox->to_string()) == *mailbox);
  }
}

TEST_CASE("mailboxes that are refused, and why") {
  auto bad = [](std::string_view given, ErrorCode code, std::string_view word) {
    CAPTURE(given);
    auto mailbox = parse_mailbox(given);
    REQUIRE(!mailbox);
    CHECK(mailbox.error().code == code);
    CHECK_MESSAGE(mailbox.error().text.find(word) != std::string::npos, mailbox.error().text);
  };
  bad("", ErrorCode::Invalid, "no @");
  bad("a", ErrorCode::Invalid, "no @");
  bad("@x.test", ErrorCode::Invalid, "before the @");
  bad("a@", ErrorCode::Invalid, "behind the @");
  bad("a b@x.test", ErrorCode::Invalid, "no local part");
  bad(".a@x.test", ErrorCode::Invalid, "single dots");
  bad("a@x..test", ErrorCode::Invalid, "empty label");
  bad("a@x.test.", ErrorCode::Invalid, "empty label");
  bad("a@-x.test", ErrorCode::Invalid, "hyphen");
  bad("a@x_y.test", ErrorCode::Invalid, "no domain");
  bad("a@b@x.test", ErrorCode::Invalid, "no domain");
  bad("\"a@x.test", ErrorCode::Invalid, "no @");
  bad("\"a\"b@x.test", ErrorCode::Invalid, "must follow");
  bad("\"a\tb\"@x.test", ErrorCode::Invalid, "control");
  bad("a@[300.0.2.1]", ErrorCode::Invalid, "address literal");
  bad("a@[2001:db8::1]", ErrorCode::Invalid, "IPv6:");
  bad("a@[IPv6:192.0.2.1]", ErrorCode::Invalid, "address literal");
  bad("a@[192.0.2.1", ErrorCode::Invalid, "lacks its ]");
  bad("a@[", ErrorCode::Invalid, "lacks its ]");
  bad("\xC3\xBC@x.test", ErrorCode::Unsupported, "SMTPUTF8");
  bad("a@\xC3\xBC.test", ErrorCode::Unsupported, "SMTPUTF8");
  bad(std::string(65, 'a') + "@x.test", ErrorCode::TooLarge, "64");
  bad("a@" + std::string(64, 'x') + ".test", ErrorCode::TooLarge, "63");
}

TEST_CASE("UTF-8 addresses") {
  auto mailbox = parse_mailbox("\xE6\x9D\x89\xE5\xB1\xB1@example.test", kUtf8);
  REQUIRE(mailbox);
  CHECK(mailbox->needs_utf8());
  CHECK(mailbox->to_string() == "\xE6\x9D\x89\xE5\xB1\xB1@example.test");
  CHECK(!parse_mailbox("\xE6\x9D@example.test", kUtf8));  // cut in the middle of a character
  auto domain = parse_mailbox(
      "a@B\xC3\xBC"
      "cher.test",
      kUtf8);
  REQUIRE(domain);
  CHECK(!domain->needs_utf8());
  CHECK(domain->written_in_utf8());
  CHECK(domain->domain == "xn--bcher-kva.test");
  CHECK(domain->to_string() == "a@xn--bcher-kva.test");
  CHECK(domain->to_unicode() ==
        "a@B\xC3\xBC"
        "cher.test");
  CHECK(*domain == *parse_mailbox("a@xn--bcher-kva.test"));
  CHECK(!parse_mailbox("a@\xE2\x80\x8D.test", kUtf8));  // a joiner alone (RFC 5892 appendix A)
}

TEST_CASE("comparison") {
  CHECK(parse_mailbox("Ann@X.test")->canonical() == "ann@x.test");
  CHECK(parse_mailbox("\"Ann\"@X.test")->canonical() == "ann@x.test");
  CHECK(*parse_mailbox("ann@X.test") == *parse_mailbox("ann@x.TEST"));
  CHECK(*parse_mailbox("Ann@x.test") != *parse_mailbox("ann@x.test"));
  CHECK(parse_mailbox("a@[192.0.2.1]")->literal()->to_string() == "192.0.2.1");
  CHECK(parse_mailbox("a@[IPv6:::1]")->literal()->to_string() == "::1");
  CHECK(!parse_mailbox("a@x.test")->literal());
}

TEST_CASE("paths") {
  CHECK(parse_reverse_path("<>")->is_null());
  CHECK(parse_reverse_path("<a@x.test>")->to_string() == "a@x.test");
  CHECK(parse_reverse_path("<@r1.test,@r2.test:a@x.test>")->to_string() == "a@x.test");
  CHECK(parse_reverse_path("<\"a>b\"@x.test>")->mailbox->local_part == "a>b");
  CHECK(parse_forward_path("<Postmaster>")->is_postmaster());
  CHECK(parse_forward_path("<Postmaster>")->domain.empty());
  CHECK(parse_forward_path("<postmaster@x.test>")->is_postmaster());
  CHECK(parse_forward_path("<@r1.test:a@x.test>")->to_string() == "a@x.test");
  for (auto text : {"", "a@x.test", "<a@x.test", "a@x.test>", "<a@x.test>>", "<<a@x.test>>",
                    "< a@x.test>", "<a@x.test >", "<@r1.test>", "<@r1.test,a@x.test>",
                    "<@:a@x.test>", "<@r1.test:>", "<postmaster>"}) {
    CAPTURE(text);
    CHECK(!parse_reverse_path(text));
  }
  for (auto text : {"<>", "<abuse>", "<@r1.test:>"}) CHECK(!parse_forward_path(text));
  // VERP: longer return addresses than the standard's minimum are real.
  auto verp = "<" + std::string(120, 'b') + "@x.test>";
  CHECK(parse_reverse_path(verp, {Characters::AsciiOnly, kReversePathLimits}));
  CHECK(!parse_forward_path(verp));
  CHECK(path_length("<a@x.test> SIZE=1") == 10);
  CHECK(path_length("<\"a>\\\">\"@x.test> X") == 16);
  CHECK(path_length("<a@x.test") == 0);
}

TEST_CASE("detail") {
  using Pair = std::pair<std::string_view, std::string_view>;
  CHECK(split_detail("ann") == Pair{"ann", ""});
  CHECK(split_detail("ann+list+x") == Pair{"ann", "list+x"});
  CHECK(split_detail("+ann") == Pair{"+ann", ""});
  CHECK(split_detail("ann-x", "+-") == Pair{"ann", "x"});
  CHECK(split_detail("") == Pair{"", ""});
}

std::string text_of(std::string_view xml, std::string_view tag) {
  auto open = xml.find("<" + std::string(tag) + ">");
  if (open == std::string_view::npos) return {};
  auto begin = open + tag.size() + 2;
  std::string text(xml.substr(begin, xml.find("</", begin) - begin));
  for (auto [entity, character] : {std::pair{"&lt;", "<"},
                                   {"&gt;", ">"},
                                   {"&quot;", "\""},
                                   {"&amp;", "&"},
                                   {"&#xA9;", "\xC2\xA9"}})
    for (std::size_t at; (at = text.find(entity)) != std::string::npos;)
      text.replace(at, std::string_view(entity).size(), character);
  // "&#x2400;" + n stands for the control character n.
  for (std::size_t at; (at = text.find("&#x24")) != std::string::npos;) {
    auto number = std::stoi(text.substr(at + 5, 2), nullptr, 16);
    text.replace(at, 8, 1, static_cast<char>(number));
  }
  return text;
}

TEST_CASE("the isemail tables") {
  auto vectors = testing::vectors::folder_or_skip("the isemail tables");
  if (vectors.empty()) return;
  auto folder = vectors / "address" / "isemail";
  // Differences from the table, each with its reason:
  // "::" for one group is allowed by RFC 4291 §2.2 and written by some; the table itself says both.
  const std::string_view kOneGroup = "test@[IPv6:1111:2222:3333:4444:5555:6666::8888]";
  int rows = 0;
  for (auto name : {"tests.xml", "tests-original.xml"}) {
    std::ostringstream stream;
    stream << std::ifstream(folder / name).rdbuf();
    auto xml = stream.str();
    std::string_view left = xml;
    for (std::size_t at; (at = left.find("<test id")) != std::string_view::npos;) {
      left.remove_prefix(at + 1);
      auto row = left.substr(0, left.find("</test>"));
      auto address = text_of(row, "address");
      auto category = text_of(row, "category");
      bool fine = category == "ISEMAIL_VALID_CATEGORY" || category == "ISEMAIL_DNSWARN" ||
                  category == "ISEMAIL_RFC5321" || address == kOneGroup;
      auto mailbox = parse_mailbox(address);
      CAPTURE(printable(address));
      CAPTURE(category);
      CAPTURE(text_of(row, "diagnosis"));
      CHECK(mailbox.has_value() == fine);
      if (mailbox) CHECK(parse_mailbox(mailbox->to_string()) == *mailbox);
      CHECK(parse_forward_path("<" + address + ">").has_value() == fine);
      ++rows;
    }
  }
  CHECK(rows == 443);
}

}  // namespace
}  // namespace hikyaku::smtp
