#include "mailbox/digest.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <memory>

#include "imap/body_structure.h"
#include "imap/envelope.h"
#include "mailbox/section.h"
#include "mime/message.h"
#include "testing/vectors.h"

namespace hikyaku::mailbox {
namespace {

constexpr std::string_view kPrefix =
    "Return-Path: <a@example.org>\r\n"
    "Message-ID: <added@example.org>\r\n";
constexpr std::string_view kBody =
    "From: A <a@example.org>\r\n"
    "Subject: hi\r\n"
    "X-Odd: one\r\n"
    "References: <r1@x> <r2@x>\r\n"
    "In-Reply-To: <r2@x>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "\r\n"
    "text\r\n"
    "--b\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: inner\r\n"
    "To: b@x\r\n"
    "\r\n"
    "inner text\r\n"
    "--b--\r\n";

MessageRecord record_of(std::string_view prefix, std::string_view body) {
  MessageRecord record;
  record.prefix = prefix;
  record.size = prefix.size() + body.size();
  record.digest = make_digest(prefix, body);
  return record;
}

/// What a client gets.
std::string read(const MessageRecord& record, std::string_view body, const SectionBytes& bytes) {
  std::string result;
  for (const auto& piece : bytes.pieces) {
    CHECK(piece.length > 0);
    if (piece.from == Piece::From::Literal)
      result += piece.text;
    else
      result += std::string_view(piece.from == Piece::From::Prefix ? record.prefix : body)
                    .substr(piece.offset, piece.length);
  }
  CHECK(result.size() == bytes.size);
  return result;
}

std::string fetch(const MessageRecord& record, std::string_view body, const imap::Section& section,
                  const std::optional<imap::Partial>& partial = {}) {
  Sections sections(record);
  auto found = sections.find(section, partial);
  if (!found) return "NIL";
  if (!found->to_select) return read(record, body, *found);
  return read(record, body, Sections::select(read(record, body, *found), section, partial));
}

using Text = imap::Section::Text;

TEST_CASE("the header is prefix and body's header together") {
  auto digest = make_digest(kPrefix, kBody);
  CHECK(digest.complete);
  CHECK(digest.envelope.find("<added@example.org>") != std::string::npos);
  CHECK(digest.envelope.find("\"hi\"") != std::string::npos);
  CHECK(digest.header_fields.starts_with(kPrefix));
  CHECK(digest.header_fields.find("X-Odd") == std::string::npos);
  CHECK(digest.message_id_hash == message_id_hash("added@example.org"));
  CHECK(digest.reference_hashes ==
        std::vector<std::uint64_t>{message_id_hash("r1@x"), message_id_hash("r2@x")});
}

TEST_CASE("a parsed body is not needed any more, whatever prefixes come") {
  auto body = std::make_unique<std::string>(kBody);
  BodyDigest parsed(*body);
  std::ranges::fill(*body, '#');
  body.reset();
  for (std::string_view prefix : {kPrefix, std::string_view(), std::string_view("To: <b@x>\r\n")})
    CHECK(parsed.with_prefix(prefix) == make_digest(prefix, kBody));
}

TEST_CASE("sections over prefix and body") {
  auto record = record_of(kPrefix, kBody);
  auto whole = std::string(kPrefix) + std::string(kBody);
  auto header_size = whole.find("\r\n\r\n") + 4;
  auto get = [&](const imap::Section& section, std::optional<imap::Partial> partial = {}) {
    return fetch(record, kBody, section, partial);
  };
  CHECK(get({}) == whole);
  CHECK(get({{}, Text::Header, {}}) == whole.substr(0, header_size));
  CHECK(get({{}, Text::Text, {}}) == whole.substr(header_size));
  CHECK(get({{1}, Text::Whole, {}}) == "text");
  CHECK(get({{1}, Text::Mime, {}}) == "\r\n");
  CHECK(get({{2}, Text::Mime, {}}) == "Content-Type: message/rfc822\r\n\r\n");
  CHECK(get({{2}, Text::Header, {}}) == "Subject: inner\r\nTo: b@x\r\n\r\n");
  CHECK(get({{2}, Text::HeaderFields, {"TO"}}) == "To: b@x\r\n\r\n");
  CHECK(get({{2, 1}, Text::Whole, {}}) == "inner text");
  CHECK(get({{3}, Text::Whole, {}}) == "NIL");
  CHECK(get({{1}, Text::Header, {}}) == "NIL");
  // Partial, across the border too.
  for (std::uint64_t offset : {0UL, 10UL, kPrefix.size() - 1, kPrefix.size(), whole.size() - 1,
                               whole.size(), whole.size() + 9})
    for (std::uint64_t length : {0UL, 1UL, 5UL, 1'000'000UL, UINT64_MAX})
      CHECK(get({}, imap::Partial{offset, length}) ==
            (offset < whole.size() ? whole.substr(offset, length) : ""));
}

TEST_CASE("header fields: from the record where it has them, else from the header") {
  auto record = record_of(kPrefix, kBody);
  Sections sections(record);
  auto ask = [&](std::vector<std::string> names, Text text = Text::HeaderFields) {
    return imap::Section{{}, text, std::move(names)};
  };
  CHECK(!sections.find(ask({"subject", "MESSAGE-ID", "bcc"}))->to_select);
  CHECK(fetch(record, kBody, ask({"subject", "MESSAGE-ID", "bcc"})) ==
        "Message-ID: <added@example.org>\r\nSubject: hi\r\n\r\n");
  CHECK(fetch(record, kBody, ask({"subject"}), imap::Partial{9, 2}) == "hi");
  CHECK(sections.find(ask({"subject", "x-odd"}))->to_select);
  CHECK(fetch(record, kBody, ask({"subject", "x-odd"})) == "Subject: hi\r\nX-Odd: one\r\n\r\n");
  CHECK(fetch(record, kBody, ask({"x-odd"}), imap::Partial{2, 3}) == "Odd");
  CHECK(fetch(record, kBody,
              ask({"from", "subject", "references", "in-reply-to", "mime-version", "content-type",
                   "return-path", "message-id"},
                  Text::HeaderFieldsNot)) == "X-Odd: one\r\n\r\n");
}

TEST_CASE("BODY is BODYSTRUCTURE without the extensions") {
  for (std::string_view bad :
       {"", "(", "()", "(\"text\"", "((", "(\"a\" \"b\" NIL NIL NIL \"7bit\" 3",
        "(\"a\" \"b\" NIL NIL NIL {9}\r\nx 3)", "x", "((((((((("})
    CHECK(body_form(bad) == "");
  CHECK(body_form(
            "(\"text\" \"pl\\\"ain\" NIL NIL {3}\r\n) ( \"7bit\" 3 1 NIL (\"a\" NIL) NIL NIL)") ==
        "(\"text\" \"pl\\\"ain\" NIL NIL {3}\r\n) ( \"7bit\" 3 1)");
  CHECK(body_form(std::string(2'000'000, '(')) == "");
}

TEST_CASE("a digest has a bounded size; made again without bound it is whole") {
  std::string body = "Subject: x\r\nTo: a@x";
  for (int i = 0; i < 20'000; ++i) body += ",\r\n a" + std::to_string(i) + "@x";
  body += "\r\n\r\ntext";
  auto digest = make_digest("", body);
  CHECK(!digest.complete);
  CHECK(digest.envelope.empty());
  CHECK(digest.header_set == 0);
  digest = make_digest("", body, SIZE_MAX);
  CHECK(digest.complete);
  CHECK(digest.envelope.size() > 20'000);
}

TEST_CASE("references are bounded: the first and the last count") {
  std::string body = "References:";
  for (int i = 0; i < 500; ++i) body += " <" + std::to_string(i) + "@x>";
  body += "\r\nIn-Reply-To: <answered@x>\r\n\r\n";
  auto digest = make_digest("", body);
  REQUIRE(digest.reference_hashes.size() == kMaxReferences);
  CHECK(digest.reference_hashes.front() == message_id_hash("0@x"));
  CHECK(digest.reference_hashes.back() == message_id_hash("answered@x"));
  CHECK(digest.reference_hashes[kMaxReferences - 2] == message_id_hash("499@x"));
}

TEST_CASE("damaged offsets lead nowhere, and never out of the message") {
  auto record = record_of(kPrefix, kBody);
  auto good = record.digest.parts;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      record.digest.parts = good;
      record.digest.parts[i] = static_cast<char>(good[i] ^ 1 << bit);
      for (auto text : {Text::Whole, Text::Header, Text::Text})
        for (const auto& part : {std::vector<std::uint32_t>{}, {1}, {2}, {2, 1}})
          fetch(record, kBody, {part, text, {}});  // checks its sizes
    }
  record.digest.parts = "";
  CHECK(!Sections(record).good());
  CHECK(fetch(record, kBody, {}) == "NIL");
}

TEST_CASE("real messages: what the digest says is what parsing says") {
  auto folder = testing::vectors::folder_or_skip("digests of real messages");
  if (folder.empty()) return;
  for (const auto& path : testing::vectors::files(folder, ".eml")) {
    auto body = testing::vectors::read(path);
    if (body.size() > 1'000'000) continue;
    CAPTURE(path.string());
    auto message = mime::parse_message(body);
    auto record = record_of("", body);
    if (record.digest.complete) {
      CHECK(body_form(record.digest.body_structure) ==
            imap::body_structure(message, imap::BodyForm::Body));
      CHECK(record.digest.envelope == imap::envelope(message.fields()));
    }
    // What clients ask for gives the same from the record as from the header.
    imap::Section list{{},
                       Text::HeaderFields,
                       {"From", "To", "Cc", "Subject", "Date", "Message-ID", "Content-Type"}};
    if (record.digest.complete)
      CHECK(fetch(record, body, list) ==
            read(record, body, Sections::select(message.header(message.root()), list)));
  }
}

}  // namespace
}  // namespace hikyaku::mailbox
