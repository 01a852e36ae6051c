// The streamed canonicalization against the plain one over the whole text, as RFC 6376 §3.4 words
// it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "dkim/body_hash.h"

namespace {

using namespace hikyaku;
using dkim::Canonicalization;

struct Collected final : dkim::ByteSink {
  std::string text;
  void write(std::string_view bytes) override { text += bytes; }
};

/// Line by line, all at once.
std::string plain(std::string_view body, Canonicalization how) {
  std::vector<std::string> lines;
  while (true) {
    auto end = body.find("\r\n");
    std::string line(body.substr(0, end));
    if (how == Canonicalization::Relaxed) {
      std::string reduced;
      for (char c : line) {
        if (!is_ascii_space(c))
          reduced += c;
        else if (!reduced.ends_with(' '))
          reduced += ' ';
      }
      if (reduced.ends_with(' ')) reduced.pop_back();
      line = reduced;
    }
    lines.push_back(line);
    if (end == body.npos) break;
    body.remove_prefix(end + 2);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string result;
  for (auto& line : lines) result += line + "\r\n";
  return result.empty() && how == Canonicalization::Simple ? "\r\n" : result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::size_t piece = 1 + data[0] + data[1] % 4 * 2000;
  std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  dkim::BodyHash hashes;
  std::vector<std::size_t> numbers;
  for (auto how : {Canonicalization::Simple, Canonicalization::Relaxed})
    for (auto length : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(data[1])})
      numbers.push_back(hashes.add({how, crypto::Hash::Sha256, length}));
  for (auto how : {Canonicalization::Simple, Canonicalization::Relaxed}) {
    Collected sink;
    dkim::BodyCanonicalizer canonicalizer(how);
    for (auto left = body; !left.empty(); left.remove_prefix(std::min(piece, left.size())))
      canonicalizer.update(left.substr(0, piece), sink);
    canonicalizer.finish(sink);
    if (sink.text != plain(body, how)) std::abort();
  }
  for (auto left = body; !left.empty(); left.remove_prefix(std::min(piece, left.size())))
    hashes.update(left.substr(0, piece));
  hashes.finish();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    auto whole = plain(body, i < 2 ? Canonicalization::Simple : Canonicalization::Relaxed);
    if (hashes.canonical_size(numbers[i]) != whole.size()) std::abort();
    auto covered = std::string_view(whole).substr(0, i % 2 ? data[1] : whole.size());
    if (hashes.digest(numbers[i]) != crypto::digest(crypto::Hash::Sha256, covered)) std::abort();
  }
  return 0;
}
