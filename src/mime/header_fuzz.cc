// Values of fields: addresses, dates, encoded words, parameters, subjects, identifiers.
#include <cstdlib>

#include "base/text.h"
#include "mime/address.h"
#include "mime/compose.h"
#include "mime/date.h"
#include "mime/encoded_word.h"
#include "mime/parameter.h"
#include "mime/text.h"

using namespace hikyaku;
using namespace hikyaku::mime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view value(reinterpret_cast<const char*>(data), size);
  auto decoded = decode_words(value);
  if (!is_utf8(decoded)) std::abort();
  // What we write for it reads back as it is, in ASCII.
  auto field = HeaderWriter().text("Subject", decoded).take();
  if (!is_ascii(field)) std::abort();
  for (auto& address : parse_address_list(value)) {
    if (!is_utf8(address.display_name())) std::abort();
    address.addr_spec();
  }
  if (auto date = parse_date(value)) format_date(date->time, date->offset);
  auto type = parse_content_type(value);
  for (auto& parameter : type.parameters) {
    auto text = parameter.text();
    if (!is_utf8(text)) std::abort();
    if (safe_file_name(text).find('/') != std::string::npos) std::abort();
    std::string written = "x";
    append_parameter(written, "name", text);
    if (!is_ascii(written)) std::abort();
  }
  parse_parameterized(value);
  base_subject(value);
  message_ids(value);
  return 0;
}
