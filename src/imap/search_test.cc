#include "imap/search.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "imap/grammar.h"
#include "mime/text.h"

namespace hikyaku::imap {
namespace {

/// A message that remembers how deep it was looked into.
struct TestMessage final : SearchMessage {
  mutable SearchCost seen = SearchCost::Row;

  std::uint32_t number() const override { return 3; }
  std::uint32_t uid() const override { return 17; }
  FlagBits system_flags() const override { return bit(Flag::Seen) | bit(Flag::Flagged); }
  std::uint64_t keyword_bits() const override { return 2; }
  Time internal_date() const override { return *parse_date_time("15-Mar-2024 23:30:00 +0000"); }
  std::optional<Time> save_date() const override { return std::nullopt; }
  std::uint64_t size() const override { return 1000; }
  std::uint64_t modseq() const override { return 50; }
  Day sent_day() const override { return note(SearchCost::Record), *parse_date("14-Mar-2024"); }
  std::string_view email_id() const override { return note(SearchCost::Record), "M1"; }
  std::string_view thread_id() const override { return note(SearchCost::Record), "T1"; }
  bool header_contains(std::string_view name, std::string_view needle) const override {
    note(SearchCost::Header);
    if (iequals(name, "Subject")) return mime::contains_folded("会議 Minutes", needle);
    return iequals(name, "From") && mime::contains_folded("Alice <alice@a.test>", needle);
  }
  bool any_header_contains(std::string_view needle) const override {
    return header_contains("Subject", needle) || header_contains("From", needle);
  }
  bool body_contains(std::string_view needle) const override {
    note(SearchCost::Body);
    return mime::contains_folded("the Body text", needle);
  }

 private:
  void note(SearchCost cost) const { seen = std::max(seen, cost); }
};

SearchProgram program(std::string_view arguments) {
  auto command = parse_command("a SEARCH " + std::string(arguments), NameForm::Utf7, {});
  REQUIRE_MESSAGE(command.has_value(), arguments);
  auto result = std::get<SearchCommand>(command->arguments).program;
  REQUIRE_FALSE(prepare_strings(result).has_value());
  plan(result.key);
  Meaning meaning;
  meaning.keywords = {"Play", "Work"};
  meaning.largest_number = 3;
  meaning.largest_uid = 17;
  meaning.saved_uids.add(17);
  resolve(result.key, meaning);
  return result;
}

const Time kNow = *parse_date_time("16-Mar-2024 00:00:00 +0000");

void match(std::string_view arguments, bool expected) {
  CAPTURE(arguments);
  auto key = program(arguments).key;
  TestMessage message;
  CHECK(evaluate(key, message, kNow) == expected);
  CHECK(message.seen <= cost(key));
  // With less than it needs the answer is the same or open, never another.
  for (auto available : {SearchCost::Row, SearchCost::Record, SearchCost::Header}) {
    TestMessage careful;
    auto result = evaluate(key, careful, kNow, available);
    CHECK((!result || *result == expected));
    CHECK(careful.seen <= available);
    if (available >= cost(key)) CHECK(result.has_value());
  }
}

TEST_CASE("search keys on a message") {
  match("ALL", true);
  match("SEEN FLAGGED", true);
  match("SEEN DELETED", false);
  match("UNSEEN", false);
  match("NEW", false);
  match("OLD", true);
  match("KEYWORD Work UNKEYWORD home", true);
  match("3", true);
  match("*", true);
  match("1:2", false);
  match("UID 17:20", true);
  match("UID 18:*", true);  // the last one is always in it
  match("UID 18:20", false);
  match("UID $", true);
  match("$", false);
  match("OR DELETED SEEN", true);
  match("OR DELETED DRAFT", false);
  match("NOT (SEEN DELETED)", true);
  match("NOT NOT SEEN", true);
  match("BEFORE 15-Mar-2024", false);
  match("BEFORE 16-Mar-2024", true);
  match("ON 15-Mar-2024", true);
  match("SINCE 15-Mar-2024", true);
  match("SINCE 16-Mar-2024", false);
  match("SENTON 14-Mar-2024", true);
  match("SENTBEFORE 14-Mar-2024", false);
  match("SENTSINCE 15-Mar-2024", false);
  match("SAVEDON 15-Mar-2024", true);  // no save date: the internal one
  match("SAVEDATESUPPORTED", false);
  match("LARGER 999", true);
  match("LARGER 1000", false);
  match("SMALLER 1001", true);
  match("SMALLER 1000", false);
  match("OLDER 1800", true);  // half an hour ago exactly
  match("OLDER 1801", false);
  match("YOUNGER 1800", true);
  match("YOUNGER 1799", false);
  match("MODSEQ 50", true);
  match("MODSEQ 51", false);
  match("EMAILID M1 THREADID T1", true);
  match("EMAILID m1", false);
  match("SUBJECT minutes", true);
  match("SUBJECT \"会議\"", true);
  match("SUBJECT \"\"", true);
  match("CC \"\"", false);  // the field does not exist
  match("FROM ALICE", true);
  match("HEADER from a.test", true);
  match("HEADER X-None x", false);
  match("BODY body", true);
  match("BODY alice", false);
  match("TEXT alice", true);
  match("TEXT \"BODY TEXT\"", true);
  match("TEXT nothing", false);
  match("UNSEEN BODY body", false);
  match("OR SEEN BODY nothing", true);
}

TEST_CASE("a search that flags decide never opens a message") {
  auto key = program("BODY body SUBJECT x UNSEEN").key;
  TestMessage message;
  CHECK(evaluate(key, message, kNow) == false);
  CHECK(message.seen == SearchCost::Row);
  CHECK(cost(key) == SearchCost::Body);
  CHECK(cost(program("SEEN 1:5").key) == SearchCost::Row);
}

TEST_CASE("what the top of the tree demands bounds the search") {
  CHECK(required_uids(program("UID 5:9 UID 7:12 SEEN").key)->to_string() == "7:9");
  CHECK_FALSE(required_uids(program("OR UID 5 SEEN").key).has_value());
  CHECK_FALSE(required_uids(program("SEEN").key).has_value());
  CHECK(required_numbers(program("(1:2 (2:9)) SEEN").key)->to_string() == "2");
  CHECK(uses_modseq(program("OR SEEN MODSEQ 4").key));
  CHECK_FALSE(uses_modseq(program("SEEN").key));
  CHECK(uses_saved_result(program("NOT UID $").key));
}

TEST_CASE("what a search looks for is collected once") {
  auto key = program("BODY Minutes TEXT minutes NOT SUBJECT x HEADER SUBJECT X FROM b").key;
  SearchTexts texts(key);
  CHECK(texts.bodies.size() == 1);
  CHECK(texts.headers.size() == 1);
  CHECK(texts.fields.size() == 2);
  CHECK(texts.fields.find("subject")->second.size() == 1);
}

TEST_CASE("those that ask for the saved result share what it means") {
  // It may be large, and a command has room for a thousand of them.
  auto key = program("OR UID $ NOT UID $").key;
  std::vector<const NumberSet*> sets;
  auto collect = [&](const auto& self, const SearchKey& one) -> void {
    if (one.kind == SearchKey::Kind::Uids) sets.push_back(one.resolved.get());
    for (auto& child : one.children) self(self, child);
  };
  collect(collect, key);
  REQUIRE(sets.size() == 2);
  CHECK(sets.front() == sets.back());
}

TEST_CASE("strings in other charsets") {
  // 会議 in ISO-2022-JP, Shift_JIS and EUC-JP
  for (std::string_view arguments :
       {"CHARSET ISO-2022-JP SUBJECT \"\x1b$B2q5D\x1b(B\"",
        "CHARSET Shift_JIS SUBJECT \"\x89\xef\x8b\x63\"",
        "CHARSET euc-jp SUBJECT \"\xb2\xf1\xb5\xc4\"", "CHARSET UTF-8 SUBJECT \"会議\""})
    match(arguments, true);
  auto unknown = std::get<SearchCommand>(
      parse_command("a SEARCH CHARSET x-none TEXT a", NameForm::Utf7, {})->arguments);
  auto refusal = prepare_strings(unknown.program);
  REQUIRE(refusal.has_value());
  CHECK(refusal->code == "BADCHARSET (US-ASCII UTF-8)");
}

}  // namespace
}  // namespace hikyaku::imap
