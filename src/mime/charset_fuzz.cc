// Any bytes under any label give well-formed UTF-8. The first byte chooses the label.
#include <cstdlib>

#include "base/text.h"
#include "mime/charset.h"
#include "mime/text.h"

using namespace hikyaku;
using namespace hikyaku::mime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::string_view kLabels[] = {
      "utf-8",  "iso-2022-jp", "euc-jp",       "shift_jis",    "iso-2022-jp-2", "iso-2022-jp-3",
      "gb2312", "big5",        "euc-kr",       "utf-7",        "hz-gb-2312",    "iso-2022-kr",
      "utf-16", "us-ascii",    "windows-1252", "euc-jisx0213", "iso-2022-cn",   "unknown"};
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto label = kLabels[data[0] % std::size(kLabels)];
  auto text = to_utf8(bytes, label);
  if (!is_utf8(text)) std::abort();
  if (!is_utf8(fold(text)) || !is_utf8(fold(bytes))) std::abort();
  if (auto japanese = from_utf8(text, "iso-2022-jp"))
    if (!is_ascii(*japanese)) std::abort();
  from_utf8(bytes, label);
  is_known_charset(bytes.substr(0, 50));
  return 0;
}
