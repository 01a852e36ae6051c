// Whatever the bytes: no crash, no byte lost, every part within its parent, the digest agrees.
#include <cstdlib>

#include "mime/describe.h"
#include "mime/digest.h"
#include "mime/message.h"
#include "mime/text.h"

using namespace hikyaku::mime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto message = parse_message(bytes);
  auto& root = message.root();
  if (root.header.offset != 0 || root.body.end() != size) std::abort();
  if (header_length(bytes) != root.header.size) std::abort();
  for (auto& part : message.parts) {
    if (part.body.offset != part.header.end() || part.body.end() > size) std::abort();
    if (part.parent != kNoPart && part.body.end() > message.parts[part.parent].body.end())
      std::abort();
    if (part.kind == PartKind::Message && part.first_child == kNoPart) std::abort();
  }
  Digest digest(message);
  if (Digest::decode(digest.encode()) != digest) std::abort();
  if (auto hostile = Digest::decode(bytes)) hostile->find({{1, 2}, Section::What::Header});
  describe_json(message, 1000);
  describe_text(message);
  FoldedTexts texts({"x"});
  FoldedTexts::Found found(texts);
  look_in_bodies(message, found, 100'000);
  return 0;
}
