// The parser against messages and expectations that others wrote. Where we differ, the exception is
// named here with its reason.
#include "testing/vectors.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <map>
#include <set>

#include "base/text.h"
#include "mime/address.h"
#include "mime/charset.h"
#include "mime/date.h"
#include "mime/digest.h"
#include "mime/encoded_word.h"
#include "mime/message.h"
#include "mime/text.h"

namespace hikyaku::mime {
namespace {

namespace json = boost::json;
namespace vectors = testing::vectors;

// ---- every message: no byte lost, ranges nested, the digest agrees ----

void check_message(std::string_view bytes) {
  auto message = parse_message(bytes);
  auto& root = message.root();
  CHECK(root.header.offset == 0);
  CHECK(root.body.offset == root.header.size);
  CHECK(root.body.end() == bytes.size());
  CHECK(header_length(bytes) == root.header.size);
  for (auto& part : message.parts) {
    CHECK(part.body.offset == part.header.end());
    if (part.parent != kNoPart) {
      auto& parent = message.parts[part.parent];
      CHECK(part.header.offset >= parent.body.offset);
      CHECK(part.body.end() <= parent.body.end());
      CHECK(parent.kind != PartKind::Leaf);
    }
    if (part.next_sibling != kNoPart)
      CHECK(part.body.end() <= message.parts[part.next_sibling].header.offset);
    auto body = message.body(part);
    auto lines = static_cast<std::uint64_t>(std::ranges::count(body, '\n')) +
                 (!body.empty() && !body.ends_with('\n') ? 1 : 0);
    CHECK(part.body_lines == lines);
    if (part.kind == PartKind::Leaf) CHECK(is_utf8(body_text(message, part)));
    CHECK(is_utf8(file_name(part)));
    for (auto& field : message.fields(part)) CHECK(is_utf8(field_text(field)));
  }
  Digest digest(message);
  auto decoded = Digest::decode(digest.encode());
  REQUIRE(decoded);
  CHECK(*decoded == digest);
  for (std::uint32_t i = 0; i < message.parts.size(); ++i) {
    // The number that a part has leads back to it.
    Section section;
    auto number = message.number(i);
    if (number.empty() ||
        (message.parts[i].is_message_root && message.parts[i].kind != PartKind::Leaf))
      continue;
    for (auto piece : split(number, '.'))
      section.path.push_back(static_cast<std::uint32_t>(*parse_decimal(piece)));
    CHECK(digest.find(section) == message.parts[i].body);
  }
  auto header = message.fields();
  for (auto name : {"From", "To", "Cc", "Bcc", "Reply-To", "Sender"})
    for (auto& field : header.find_all(name))
      for (auto& address : parse_address_list(field.value)) CHECK(is_utf8(address.display_name()));
  parse_date(header.value("Date"));
  base_subject(header.value("Subject"));
  message_ids(header.value("References"));
}

TEST_CASE("every message of the vectors: no byte lost, ranges nested, digest agrees") {
  auto folder = vectors::folder_or_skip("all messages");
  if (folder.empty()) return;
  std::size_t count = 0;
  for (auto* name : {"mime", "bounces", "corpus-notmuch", "corpus-spamassassin", "charset", "dkim",
                     "arc", "arf", "dmarc-reports", "tlsrpt"}) {
    if (!std::filesystem::is_directory(folder / name)) continue;
    for (auto& path : vectors::files(folder / name)) {
      CAPTURE(path.string());
      auto bytes = vectors::read(path);
      check_message(bytes);
      check_message(with_crlf(bytes));
      ++count;
    }
  }
  MESSAGE(count << " files");
  CHECK(count > 2000);
}

// ---- james-mime4j: the raw structure as XML ----

void append_escaped(std::string_view text, std::string& xml) {
  for (char c : text) {
    if (c == '&')
      xml += "&amp;";
    else if (c == '<')
      xml += "&lt;";
    else if (c == '>')
      xml += "&gt;";
    else
      xml += c;
  }
}

void element(std::string_view name, std::string_view text, std::string& xml) {
  xml += '<' + std::string(name) + ">\r\n";
  append_escaped(text, xml);
  xml += "</" + std::string(name) + ">\r\n";
}

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::string_view line_at(std::string_view text) {
  return text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
}

class XmlWriter {
 public:
  explicit XmlWriter(const Message& message) : message_(message) {}

  std::string write() {
    entity(0, "message");
    return std::move(xml_);
  }

 private:
  void entity(std::uint32_t index, std::string_view name) {
    auto& part = message_.parts[index];
    xml_ += '<' + std::string(name) + ">\r\n<header>\r\n";
    for (auto& field : message_.fields(part)) {
      if (field.is_junk()) continue;
      element("field", without_line_end(field.raw), xml_);
    }
    xml_ += "</header>\r\n";
    if (part.kind == PartKind::Message)
      entity(part.first_child, "message");
    else if (part.kind == PartKind::Multipart)
      multipart(part);
    else
      element("body", message_.body(part), xml_);
    xml_ += "</" + std::string(name) + ">\r\n";
  }

  void multipart(const Part& part) {
    xml_ += "<multipart>\r\n";
    auto& first = message_.parts[part.first_child];
    auto preamble = message_.bytes.substr(part.body.offset, first.header.offset - part.body.offset);
    preamble = without_line_end(preamble);
    preamble = preamble.substr(0, preamble.rfind('\n') + 1);
    if (!preamble.empty()) element("preamble", without_line_end(preamble), xml_);
    std::uint64_t end = 0;
    for (auto child = part.first_child; child != kNoPart;
         child = message_.parts[child].next_sibling) {
      entity(child, "body-part");
      end = message_.parts[child].body.end();
    }
    auto epilogue = message_.bytes.substr(end, part.body.end() - end);
    if (epilogue.starts_with("\r\n") || epilogue.starts_with("\n"))
      epilogue.remove_prefix(line_at(epilogue).size());
    if (!epilogue.empty()) epilogue.remove_prefix(line_at(epilogue).size());
    if (!epilogue.empty()) element("epilogue", epilogue, xml_);
    xml_ += "</multipart>\r\n";
  }

  const Message& message_;
  std::string xml_;
};

TEST_CASE("mime4j: structures") {
  auto folder = vectors::folder_or_skip("mime4j structures");
  if (folder.empty()) return;
  const std::string encoded =
      "RFC 2045 \xC2\xA7"
      "6.4 forbids it, and no IMAP section reaches into an encoded message: a leaf";
  const std::string no_parts = "without parts its text is shown, so it is a text leaf";
  const std::map<std::string, std::string> exceptions = {
      {"bad-newlines-multiple-parts-base64", encoded},
      {"base64encoded-rfc822message", encoded},
      {"base64encoded-rfc822message-nested", encoded},
      {"missing-boundary", no_parts},
      {"missing-inner-boundary", no_parts},
      {"missing-inner-start-boundary", no_parts},
      {"multipartnopart", no_parts},
      {"basic-plain-with-bad-header-separator", "a header ends before text that is no field"},
      {"malformedHeader-noheader", "the same: mime4j drops the text"},
      {"malformedHeaderStartsBody-noheader", "mime4j drops the first line"},
      {"malformedHeaderStartsBody-nocrlfcrlf",
       "the same bytes as malformedHeader-nocrlfcrlf, where a field after junk goes on"},
  };
  for (auto& path : vectors::files(folder / "mime/mime4j-testmsgs", ".msg")) {
    auto name = path.stem().string();
    CAPTURE(name);
    auto bytes = vectors::read(path);
    auto expected = vectors::read(std::filesystem::path(path).replace_extension(".xml"));
    auto actual = XmlWriter(parse_message(bytes)).write();
    auto same = vectors::without_cr(actual) == vectors::without_cr(expected);
    if (exceptions.contains(name)) {
      CHECK_MESSAGE(!same, "no exception any more");
      continue;
    }
    CHECK(vectors::without_cr(actual) == vectors::without_cr(expected));
  }
}

/// The decoded bodies of the leaves in mime4j's numbering: the path from "1", the whole message.
void collect_leaves(const Message& message, std::uint32_t index, const std::string& path,
                    std::map<std::string, std::string>& leaves) {
  auto& part = message.parts[index];
  if (part.kind == PartKind::Leaf) {
    leaves[path] = decoded_body(message, part);
    return;
  }
  int number = 0;
  for (auto child = part.first_child; child != kNoPart; child = message.parts[child].next_sibling)
    collect_leaves(message, child, path + '_' + std::to_string(++number), leaves);
}

TEST_CASE("mime4j: decoded leaves") {
  auto folder = vectors::folder_or_skip("mime4j leaves");
  if (folder.empty()) return;
  const std::set<std::string> exceptions = {
      // See the structures above.
      "bad-newlines-multiple-parts-base64_decoded_1_1_1.txt",
      "base64encoded-rfc822message_decoded_1_1.txt",
      "base64encoded-rfc822message-nested_decoded_1_1_1.txt",
      "multipartnestedemptyparts_decoded_1_1.txt",  // a whole nested message
      "basic-plain-with-bad-header-separator_decoded_1.txt",
      "malformedHeader-noheader_decoded_1.txt",
      "malformedHeaderStartsBody-noheader_decoded_1.txt",
      "malformedHeaderStartsBody-nocrlfcrlf_decoded_1.txt",
  };
  std::size_t count = 0;
  for (auto& path : vectors::files(folder / "mime/mime4j-testmsgs")) {
    auto file = path.filename().string();
    auto mark = file.find("_decoded_");
    if (mark == file.npos) continue;
    CAPTURE(file);
    auto bytes = vectors::read(path.parent_path() / (file.substr(0, mark) + ".msg"));
    auto message = parse_message(bytes);
    std::map<std::string, std::string> leaves;
    collect_leaves(message, 0, "1", leaves);
    auto leaf = file.substr(mark + 9);
    leaf.resize(leaf.find('.'));
    auto expected = vectors::read(path);
    auto same = vectors::without_cr(leaves[leaf]) == vectors::without_cr(expected);
    if (exceptions.contains(file)) {
      CHECK_MESSAGE(!same, "no exception any more");
      continue;
    }
    CHECK(same);
    ++count;
  }
  CHECK(count > 25);
}

// ---- MimeKit: byte offsets in mbox files ----

json::value read_json(const std::filesystem::path& path) {
  return json::parse(vectors::read(path));
}

std::string text_or(const json::value& value, std::string_view otherwise = "") {
  return std::string(value.is_string() ? std::string_view(value.as_string()) : otherwise);
}

class OffsetComparer {
 public:
  OffsetComparer(std::string_view bytes, std::uint64_t base)
      : message_(parse_message(bytes)), base_(base) {}

  void compare(const json::value& theirs, std::uint32_t index) {
    auto& part = message_.parts[index];
    CHECK(part.header.offset + base_ == number(theirs, "beginOffset"));
    // One attachment's data follows its header without an empty line: theirs makes all of it
    // header.
    if (part.has(Defect::NoHeaderEnd)) {
      CHECK(message_.body(part).starts_with("N3q8ryccAA"));
      return;
    }
    CHECK(part.body.offset + base_ == number(theirs, "headersEndOffset"));
    CHECK(part.body.end() + base_ == number(theirs, "endOffset"));
    CHECK(part.body.size == number(theirs, "octets"));
    CHECK(part.media_type.type + '/' + part.media_type.subtype ==
          to_lower(text_or(theirs.at("mimeType"))));
    CHECK(part.body_lines == number(theirs, "lines"));
    auto child = part.first_child;
    if (auto* message = theirs.as_object().if_contains("message");
        message && message->is_object()) {
      REQUIRE(child != kNoPart);
      compare(message->at("body"), child);
      return;
    }
    auto* children = theirs.as_object().if_contains("children");
    if (!children || !children->is_array()) return;
    for (auto& their_child : children->as_array()) {
      REQUIRE(child != kNoPart);
      compare(their_child, child);
      child = message_.parts[child].next_sibling;
    }
    CHECK(child == kNoPart);
  }

 private:
  static std::uint64_t number(const json::value& value, const char* name) {
    return static_cast<std::uint64_t>(value.at(name).as_int64());
  }

  Message message_;
  std::uint64_t base_;
};

TEST_CASE("mimekit: offsets in mbox files, with LF and with CRLF") {
  auto folder = vectors::folder_or_skip("mimekit offsets");
  if (folder.empty()) return;
  for (auto* name : {"content-length", "issue1189"}) {
    CAPTURE(name);
    auto base = (folder / "mime/mimekit-mbox" / name).string();
    auto lf = vectors::without_cr(vectors::read(base + ".mbox.txt"));
    auto crlf = with_crlf(lf);
    for (auto& [bytes, suffix] :
         {std::pair(lf, ".unix-offsets.json"), std::pair(crlf, ".dos-offsets.json")}) {
      for (auto& message : read_json(base + suffix).as_array()) {
        auto begin = static_cast<std::size_t>(message.at("beginOffset").as_int64());
        auto end = static_cast<std::size_t>(message.at("endOffset").as_int64());
        CAPTURE(begin);
        OffsetComparer(std::string_view(bytes).substr(begin, end - begin), begin)
            .compare(message.at("body"), 0);
      }
    }
  }
}

// ---- mail-mime-parser: the files that its messages carry ----

TEST_CASE("mail-mime-parser: contents of texts and attachments") {
  auto folder = vectors::folder_or_skip("mail-mime-parser contents");
  if (folder.empty()) return;
  auto base = folder / "mime/mail-mime-parser";
  std::map<std::string, int> seen;
  std::map<std::string, std::string> known;
  auto squeeze = [](const std::string& text) {
    // Old programs refilled and re-indented the texts: only the words must be right.
    std::string result;
    for (char c : fold(text))
      if (static_cast<unsigned char>(c) > 32) result += c;
    return result;
  };
  for (auto& path : vectors::files(base / "files"))
    known[path.filename().string()] = vectors::read(path);
  for (auto& path : vectors::files(base, ".txt")) {
    if (path.parent_path() != base) continue;
    auto bytes = vectors::read(path);
    auto message = parse_message(bytes);
    for (auto& part : message.parts) {
      if (part.kind != PartKind::Leaf) continue;
      auto body = decoded_body(message, part);
      for (auto& [name, content] : known) {
        if (name.ends_with(".txt")
                ? squeeze(body_text(message, part))
                          .find(squeeze(to_utf8(content, "windows-1252"))) != std::string::npos
                : body == content)
          ++seen[name];
      }
    }
  }
  // So many messages carry each of them; the other files belong to messages that are not here.
  CHECK(seen["HasenundFrosche.txt"] >= 18);
  CHECK(seen["hareandtortoise.txt"] >= 13);
  CHECK(seen["farmerandstork.txt"] >= 1);
  CHECK(seen["abc.txt"] >= 1);
  CHECK(seen["blueball.png"] >= 16);
  CHECK(seen["greenball.png"] >= 11);
  CHECK(seen["redball.png"] >= 15);
}

// ---- gmime: the same text in several charsets and encodings ----

TEST_CASE("gmime: charsets and encodings") {
  auto folder = vectors::folder_or_skip("gmime charsets");
  if (folder.empty()) return;
  auto base = folder / "charset/gmime";
  std::size_t count = 0;
  for (auto& path : vectors::files(base, ".txt")) {
    auto file = path.filename().string();
    auto pieces = split(file, '.');
    auto utf8 = base / (std::string(pieces[0]) + ".utf-8.txt");
    if (pieces.size() != 3 || !std::filesystem::exists(utf8)) continue;
    CAPTURE(path.filename().string());
    auto text = vectors::read(utf8);
    if (pieces[1] == "shift-jis" || pieces[1] == "iso-2022-jp") {
      // Unicode has the wave dash twice; these charsets mean the one of windows-31j.
      for (auto at = text.find("\u301C"); at != text.npos; at = text.find("\u301C", at))
        text.replace(at, 3, "\uFF5E");
    }
    if (pieces[1] == "big5") {
      // The text is Japanese; what Big5 without extensions does not have was left out of the file.
      auto decoded = to_utf8(vectors::read(path), "big5");
      CHECK(decoded.size() > text.size() * 3 / 4);
      std::string kept;
      for (std::string_view left = text; !left.empty();) {
        auto length = utf8_prefix(left, 1).size();
        while (length == 0 || (length < left.size() && (left[length] & 0xC0) == 0x80)) ++length;
        auto character = left.substr(0, length);
        if (decoded.find(character) != decoded.npos) kept += character;
        left.remove_prefix(length);
      }
      text = kept;
    }
    CHECK(to_utf8(vectors::read(path), pieces[1]) == text);
    ++count;
  }
  CHECK(count >= 7);
  auto photo = vectors::read(base / "photo.jpg");
  CHECK(decode_transfer(vectors::read(base / "photo.b64"), Encoding::Base64) == photo);
  CHECK(decode_transfer(vectors::read(base / "photo.uu"), Encoding::Uuencode) == photo);
  CHECK(vectors::without_cr(
            decode_transfer(vectors::read(base / "wikipedia.qp"), Encoding::QuotedPrintable)) ==
        vectors::without_cr(vectors::read(base / "wikipedia.txt")));
}

}  // namespace
}  // namespace hikyaku::mime
