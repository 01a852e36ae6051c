// Envelopes and body structures of other people's messages: always a well-formed response.
#include "imap/body_structure.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "imap/envelope.h"
#include "mime/digest.h"
#include "testing/vectors.h"

namespace hikyaku::imap {
namespace {

/// Reads one value of a FETCH response (RFC 9051 §9: list, string, literal, NIL, number) and what
/// it holds; gives false at the first byte that does not belong.
class ResponseReader {
 public:
  explicit ResponseReader(std::string_view text) : left_(text) {}

  bool whole() { return value() && left_.empty(); }

 private:
  bool take(std::string_view text) {
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }

  bool value() {
    if (take("(")) return list();
    if (take("\"")) return quoted();
    if (take("{")) return literal();
    if (take("NIL")) return true;
    auto digits = std::min(left_.find_first_not_of("0123456789"), left_.size());
    left_.remove_prefix(digits);
    return digits > 0;
  }

  bool list() {
    while (true) {
      if (!value()) return false;
      if (take(")")) return true;
      // Lists stand beside each other without a space (1*address, 1*body).
      if (left_.starts_with('(')) continue;
      if (!take(" ")) return false;
    }
  }

  bool quoted() {
    while (!left_.empty()) {
      char c = left_.front();
      left_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\r' || c == '\n' || c == '\0' || static_cast<unsigned char>(c) >= 0x80)
        return false;
      if (c != '\\') continue;
      if (left_.empty() || (left_.front() != '"' && left_.front() != '\\')) return false;
      left_.remove_prefix(1);
    }
    return false;
  }

  bool literal() {
    auto close = left_.find("}\r\n");
    if (close == left_.npos) return false;
    auto size = parse_decimal(left_.substr(0, close), left_.size());
    if (!size || close + 3 + *size > left_.size()) return false;
    if (left_.substr(close + 3, *size).find('\0') != left_.npos) return false;
    left_.remove_prefix(close + 3 + *size);
    return true;
  }

  std::string_view left_;
};

TEST_CASE("the reader of this test sees what is wrong") {
  for (std::string_view good : {"NIL", "()x", "(NIL \"a\\\"\" 1 {2}\r\n))(NIL)(1))"})
    CHECK(ResponseReader(good).whole() == (good != "()x"));
  for (std::string_view bad : {"", "(", "(NIL", "(NIL  1)", "\"\\x\"", "{3}\r\nab", "NIL ", "x"})
    CHECK_FALSE(ResponseReader(bad).whole());
}

TEST_CASE("every message of the vectors has a well-formed envelope and structure") {
  auto folder = testing::vectors::folder_or_skip("envelopes and structures of all messages");
  if (folder.empty()) return;
  for (auto* name : {"mime", "bounces", "corpus-notmuch", "corpus-spamassassin", "arf", "dkim"}) {
    if (!std::filesystem::is_directory(folder / name)) continue;
    for (auto& path : testing::vectors::files(folder / name)) {
      CAPTURE(path.string());
      auto bytes = with_crlf(testing::vectors::read(path));
      auto message = mime::parse_message(bytes);
      CHECK(ResponseReader(envelope(message.fields())).whole());
      CHECK(ResponseReader(body_structure(message, BodyForm::Body)).whole());
      CHECK(ResponseReader(body_structure(message, BodyForm::BodyStructure)).whole());
    }
  }
}

TEST_CASE("hostile fields do not break the response") {
  for (std::string_view value :
       {"\"", "\\", "{5}\r\n abc", "a\r\n )\r\n (b", "\x80\xFF", "a)(b", "%s"}) {
    std::string bytes;
    for (auto* name : {"Subject", "From", "To", "Message-ID", "Date", "Content-Type",
                       "Content-Disposition", "Content-ID", "Content-Description", "Content-MD5",
                       "Content-Transfer-Encoding", "Content-Language", "Content-Location"})
      bytes += std::string(name) + ": " + std::string(value) + "\r\n";
    bytes += "X: y; z=\"" + std::string(value) + "\r\n\r\n";
    CAPTURE(bytes);
    auto message = mime::parse_message(bytes);
    CHECK(ResponseReader(envelope(message.fields())).whole());
    CHECK(ResponseReader(body_structure(message, BodyForm::BodyStructure)).whole());
  }
}

TEST_CASE("what is stored with every message stays small, whatever its fields") {
  std::string bytes;
  for (auto* name : {"Subject", "From", "To", "Content-ID", "Content-Description", "Content-Type",
                     "Content-Disposition"}) {
    bytes += std::string(name) + ": a/b; ";
    for (int i = 0; i < 300'000; ++i) bytes += "x=y,;";
    bytes += "\r\n";
  }
  bytes += "\r\n";
  auto message = mime::parse_message(bytes);
  CHECK(envelope(message.fields()).size() < 2'000'000);
  CHECK(body_structure(message, BodyForm::BodyStructure).size() < 20'000);
}

TEST_CASE("the structure of a message of many parts is bounded, and whole") {
  std::string from, parameters;
  for (int i = 0; i < 5'000; ++i) from += "a,";
  for (int i = 0; i < 200; ++i) parameters += ";p" + std::to_string(i) + "=1";
  auto of = [](const std::string& part, int count) {
    std::string bytes = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (int i = 0; i < count; ++i) bytes += "--b\n" + part;
    auto message = mime::parse_message(bytes);
    for (auto form : {BodyForm::Body, BodyForm::BodyStructure}) {
      auto structure = body_structure(message, form);
      CHECK(structure.size() < 4'000'000);
      CHECK(ResponseReader(structure).whole());
    }
  };
  of("Content-Type: message/rfc822\n\nFrom: " + from + "\n\n", 500);
  of("Content-Type: a/b" + parameters + "\nContent-Disposition: x" + parameters + "\n\n", 3'000);
}

}  // namespace
}  // namespace hikyaku::imap
