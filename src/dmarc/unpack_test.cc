#include "dmarc/unpack.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include "dmarc/gzip.h"
#include "testing/vectors.h"

namespace hikyaku::dmarc {
namespace {

std::string gzip(std::string_view bytes) {
  std::string out;
  GzipWriter writer([&](std::string_view piece) { out += piece; });
  writer.feed(bytes);
  writer.finish();
  return out;
}

void put(std::string& out, std::uint32_t value, int size) {
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
}

struct File {
  std::string name, content;
  std::uint16_t flags = 0, method = 0;
};

/// A zip archive of stored files.
std::string zip(const std::vector<File>& files) {
  std::string out, directory;
  for (auto& file : files) {
    auto offset = static_cast<std::uint32_t>(out.size());
    auto sum =
        static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(file.content.data()),
                                         static_cast<uInt>(file.content.size())));
    auto common = [&](std::string& to) {
      put(to, 20, 2);
      put(to, file.flags, 2);
      put(to, file.method, 2);
      put(to, 0, 4);
      put(to, sum, 4);
      put(to, static_cast<std::uint32_t>(file.content.size()), 4);
      put(to, static_cast<std::uint32_t>(file.content.size()), 4);
      put(to, static_cast<std::uint32_t>(file.name.size()), 2);
      put(to, 0, 2);
    };
    out += "PK\x03\x04";
    common(out);
    out += file.name + file.content;
    directory += "PK\x01\x02";
    put(directory, 20, 2);
    common(directory);
    put(directory, 0, 2);
    put(directory, 0, 4);
    put(directory, 0, 4);
    put(directory, offset, 4);
    directory += file.name;
  }
  auto at = static_cast<std::uint32_t>(out.size());
  out += directory + "PK\x05\x06";
  put(out, 0, 4);
  put(out, static_cast<std::uint32_t>(files.size()), 2);
  put(out, static_cast<std::uint32_t>(files.size()), 2);
  put(out, static_cast<std::uint32_t>(directory.size()), 4);
  put(out, at, 4);
  put(out, 0, 2);
  return out;
}

std::string outcome(std::string_view bytes, const UnpackLimits& limits = {}) {
  auto result = unpack(bytes, limits);
  return result ? *result : "!" + std::string(to_string(result.error().code));
}

TEST_CASE("what is packed comes out") {
  std::string text = "<feedback/>";
  CHECK(outcome(text) == text);
  CHECK(outcome(gzip(text)) == text);
  CHECK(outcome(gzip("<feed") + gzip("back/>")) == text);
  CHECK(outcome(gzip(text) + std::string(100, '\0')) == text);
  CHECK(outcome(zip({{"r.xml", text}})) == text);
  CHECK(outcome(zip({{"readme.txt", "x"}, {"r.XML", text}, {"s.xml", "y"}})) == text);
  CHECK(outcome(zip({{"dir/", ""}, {"__MACOSX/._r.xml", "x"}, {"../../etc/r.xml", text}})) == text);
  CHECK(outcome("") == "");
}

TEST_CASE("what is damaged, too large or packed twice does not") {
  std::string text = "<feedback/>";
  CHECK(outcome(gzip(gzip(text))) == "!denied");
  CHECK(outcome(gzip(zip({{"r.xml", text}}))) == "!denied");
  CHECK(outcome(zip({{"r.xml", gzip(text)}})) == "!denied");
  CHECK(outcome(zip({{"r.xml", zip({{"r.xml", text}})}})) == "!denied");
  CHECK(outcome(zip({})) == "!invalid");
  CHECK(outcome(zip({{"dir/", ""}})) == "!invalid");
  CHECK(outcome(zip({{"r.xml", text, 1}})) == "!unsupported");
  CHECK(outcome(zip({{"r.xml", text, 0, 12}})) == "!unsupported");
  UnpackLimits limits;
  limits.bytes = 1000;
  limits.packed_bytes = 5000;
  limits.entries = 3;
  CHECK(outcome(gzip(std::string(1'000'000, ' ')), limits) == "!too-large");
  CHECK(outcome(gzip(std::string(1000, ' ')), limits).size() == 1000);
  CHECK(outcome(zip({{"r.xml", std::string(1001, 'x')}}), limits) == "!too-large");
  CHECK(outcome(zip({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}), limits) == "!too-large");
  CHECK(outcome(std::string(5001, 'x'), limits) == "!too-large");
  // A thousand to one: the usual bomb. The limit ends it long before the memory does.
  CHECK(outcome(gzip(std::string(70 * 1024 * 1024, '\0'))) == "!too-large");
  for (auto whole : {gzip(text), zip({{"r.xml", text}})}) {
    for (std::size_t size = 4; size < whole.size(); ++size)
      CHECK(outcome(std::string_view(whole).substr(0, size)) == "!invalid");
    for (std::size_t i = 0; i < whole.size(); ++i) {
      auto changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 0x5A);
      (void)unpack(changed);  // whatever it says, it says it
    }
  }
}

}  // namespace
}  // namespace hikyaku::dmarc
