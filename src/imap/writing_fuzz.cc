// Whatever bytes are written into responses: our own client reads one response, and the same bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "imap/response.h"
#include "imap/response_data.h"

namespace {
using namespace hikyaku;
using namespace hikyaku::imap;

Response read_one(std::string_view text) {
  ResponseParser parser;
  if (parser.next(text) != ResponseParser::Event::Response || !text.empty()) std::abort();
  return parser.take_response();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  std::string without_nul = bytes;
  std::erase(without_nul, '\0');
  for (auto wire : {Wire::Ascii, Wire::Utf8}) {
    std::string out = "* X ";
    append_string(out, bytes, wire);
    out += ' ';
    append_astring(out, bytes, wire);
    auto response = read_one(out + "\r\n");
    if (response.values.size() != 2 || response.values[0].text != without_nul ||
        response.values[1].text != without_nul)
      std::abort();

    out.clear();
    append_reply(out, "a1", no(bytes, "LIMIT"), wire);
    response = read_one(out);
    if (response.kind != Response::Kind::Tagged || response.code != "LIMIT") std::abort();
    out.clear();
    append_reply(out, "a1", ok(bytes), wire);
    if (!read_one(out).code.empty()) std::abort();
  }
  if (!is_utf8(bytes) || bytes.find('\0') != std::string::npos) return 0;
  for (auto form : {NameForm::Utf7, NameForm::Utf8}) {
    std::string out;
    append_list(out, ListEntry{bytes, {"\\Marked"}, {}}, form);
    auto list = read_list_line(read_one(out));
    if (!list) std::abort();
    auto name = decode_name(list->name, form);
    if (!name || !iequals(*name, bytes)) std::abort();
  }
  return 0;
}
