#include "dkim/canonical.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "dkim/body_hash.h"
#include "testing/every_split.h"
#include "testing/vectors.h"

namespace hikyaku::dkim {
namespace {

namespace vectors = testing::vectors;

struct Collected final : ByteSink {
  std::string text;
  void write(std::string_view bytes) override { text += bytes; }
};

std::string body(std::string_view first, std::string_view second, Canonicalization how) {
  Collected sink;
  BodyCanonicalizer canonicalizer(how);
  canonicalizer.update(first, sink);
  canonicalizer.update(second, sink);
  canonicalizer.finish(sink);
  return sink.text;
}

std::string header(std::string_view bytes, Canonicalization how) {
  std::string result;
  for (auto& field : mime::HeaderView(bytes)) append_canonical(result, field, how);
  return result;
}

TEST_CASE("bodies, cut everywhere") {
  struct Case {
    std::string_view text, simple, relaxed;
  };
  for (auto& [text, simple, relaxed] : std::initializer_list<Case>{
           {"", "\r\n", ""},  // RFC 6376 §3.4.3, §3.4.4
           {"\r\n\r\n", "\r\n", ""},
           {" \t\r\n", " \t\r\n", ""},
           {"a", "a\r\n", "a\r\n"},
           {"a\r\n", "a\r\n", "a\r\n"},
           {"a\r\n\r\n\r\n", "a\r\n", "a\r\n"},
           {"\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
           {"a\r\n\r\nb", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
           {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},  // §3.4.5
           {"a  ", "a  \r\n", "a\r\n"},
           {"a\r\n \r\n", "a\r\n \r\n", "a\r\n"},
           {"a\rb", "a\rb\r\n", "a\rb\r\n"},  // a lone CR is a byte
           {"a\nb\n", "a\nb\n\r\n", "a\nb\n\r\n"},
           {"a\r", "a\r\r\n", "a\r\r\n"},
           {"a \r \r\n", "a \r \r\n", "a \r\r\n"},
           {"a\r\r\n", "a\r\r\n", "a\r\r\n"},
           {"\r", "\r\r\n", "\r\r\n"},
       }) {
    testing::every_split(text, [&](auto first, auto second) {
      CAPTURE(first);
      CAPTURE(second);
      CHECK(body(first, second, Canonicalization::Simple) == simple);
      CHECK(body(first, second, Canonicalization::Relaxed) == relaxed);
    });
  }
}

TEST_CASE("a large body comes out whole") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "a line with  space \r\n\r\n";
  Collected sink;
  BodyCanonicalizer canonicalizer(Canonicalization::Simple);
  for (std::size_t at = 0; at < text.size(); at += 1000)
    canonicalizer.update(std::string_view(text).substr(at, 1000), sink);
  canonicalizer.update(std::string(10'000, 'x'), sink);
  canonicalizer.finish(sink);
  CHECK(sink.text == text + std::string(10'000, 'x') + "\r\n");
}

TEST_CASE("fields") {
  struct Case {
    std::string_view text, simple, relaxed;
  };
  for (auto& [text, simple, relaxed] : std::initializer_list<Case>{
           {"A: X\r\n", "A: X\r\n", "a:X\r\n"},
           {"B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},  // §3.4.5
           {"SubJect:\tx  y", "SubJect:\tx  y\r\n", "subject:x y\r\n"},
           {"A:\r\n", "A:\r\n", "a:\r\n"},
           {"A:\r\n x\r\n", "A:\r\n x\r\n", "a:x\r\n"},
           {"A: x\r\n \r\n y\r\n", "A: x\r\n \r\n y\r\n", "a:x y\r\n"},
       }) {
    CAPTURE(text);
    CHECK(header(text, Canonicalization::Simple) == simple);
    CHECK(header(text, Canonicalization::Relaxed) == relaxed);
  }
}

TEST_CASE("the canonicalization vectors") {
  auto folder = vectors::folder_or_skip("DKIM canonicalization");
  if (folder.empty()) return;
  int count = 0;
  for (auto& path : vectors::files(folder / "dkim/canonicalization")) {
    auto name = path.filename().string();
    if (!name.starts_with("email.")) continue;
    CAPTURE(name);
    auto number = name.substr(6);
    auto bytes = with_crlf(vectors::read(path));
    auto split = mime::header_length(bytes);
    for (auto how : {Canonicalization::Simple, Canonicalization::Relaxed}) {
      auto expected_path =
          path.parent_path() / (std::string(to_string(how)) + ".expected." + number);
      if (!std::filesystem::exists(expected_path)) continue;
      auto text = std::string_view(bytes);
      // Space in a last line without line end: RFC 6376 §3.4.4 has all space at the end of lines
      // ignored before empty lines are; the vector keeps it.
      if (number == "24" && how == Canonicalization::Relaxed) {
        CHECK(body(text.substr(split), "", how).empty());
        continue;
      }
      CHECK(header(text.substr(0, split), how) + "\r\n" + body(text.substr(split), "", how) ==
            vectors::read(expected_path));
      ++count;
    }
  }
  MESSAGE(count << " forms");
  CHECK(count >= 41);
}

TEST_CASE("one pass gives every digest that is asked for") {
  BodyHash hashes;
  auto relaxed = hashes.add({Canonicalization::Relaxed, crypto::Hash::Sha256, {}});
  auto simple = hashes.add({Canonicalization::Simple, crypto::Hash::Sha1, {}});
  auto first = hashes.add({Canonicalization::Relaxed, crypto::Hash::Sha256, 3});
  CHECK(hashes.add({Canonicalization::Relaxed, crypto::Hash::Sha256, {}}) == relaxed);
  hashes.update("a  b");
  hashes.update(" \r\nc\r\n\r\n");
  hashes.finish();
  CHECK(hashes.digest(relaxed) == crypto::digest(crypto::Hash::Sha256, "a b\r\nc\r\n"));
  CHECK(hashes.digest(simple) == crypto::digest(crypto::Hash::Sha1, "a  b \r\nc\r\n"));
  CHECK(hashes.digest(first) == crypto::digest(crypto::Hash::Sha256, "a b"));
  CHECK(hashes.canonical_size(first) == 8);
  CHECK(hashes.canonical_size(simple) == 10);
}

}  // namespace
}  // namespace hikyaku::dkim
