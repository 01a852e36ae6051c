// Decoders give the same whatever the pieces; encoders' output decodes to the input. The first byte
// chooses the encoding, the second the cut.
#include <cstdlib>

#include "mime/transfer.h"

using namespace hikyaku::mime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  auto encoding = static_cast<Encoding>(data[0] % 7);
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto cut = text.empty() ? 0 : data[1] % text.size();
  TransferDecoder decoder(encoding);
  std::string out;
  decoder.feed(text.substr(0, cut), out);
  decoder.feed(text.substr(cut), out);
  decoder.finish(out);
  if (out != decode_transfer(text, encoding)) std::abort();
  if (decode_transfer(encode_base64_body(text), Encoding::Base64) != text) std::abort();
  if (decode_transfer(encode_quoted_printable(text, LineEnds::Binary), Encoding::QuotedPrintable) !=
      text)
    std::abort();
  parse_encoding(text);
  return 0;
}
