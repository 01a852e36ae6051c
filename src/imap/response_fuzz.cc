// The client's reader: the same is read however the input is cut; what is taken from responses
// holds together.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "imap/response_data.h"

namespace {
using namespace hikyaku::imap;

void describe(const std::vector<Value>& values, std::string& story) {
  for (auto& value : values) {
    story += static_cast<char>('a' + static_cast<int>(value.kind));
    story += value.text;
    describe(value.items, story);
  }
}

std::string read(std::string_view bytes, std::size_t step) {
  ResponseLimits limits;
  limits.response = 4'000;
  limits.literal = 500;
  limits.content = 2'000;
  limits.contents = 5;
  limits.depth = 20;
  ResponseParser parser(limits);
  std::string story;
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (true) {
      auto event = parser.next(piece);
      if (event == ResponseParser::Event::NeedMore) break;
      if (event == ResponseParser::Event::ContentData) {
        story += parser.data();
        continue;
      }
      story += static_cast<char>('0' + static_cast<int>(event));
      if (event == ResponseParser::Event::Fatal) return story;
      if (event == ResponseParser::Event::ContentBegin) story += parser.label();
      if (event == ResponseParser::Event::ContentEnd) continue;
      auto& response = parser.response();
      story += response.tag + response.name + response.code + response.text;
      describe(response.values, story);
      describe(response.code_values, story);
      if (auto fetch = read_fetch(response)) story += std::to_string(fetch->uid.value_or(0));
      if (auto list = read_list_line(response)) story += list->name;
      if (auto status = read_status_line(response)) story += status->mailbox;
      if (auto search = read_search(response)) story += search->found.to_string();
    }
    if (!piece.empty()) std::abort();
  }
  return story;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto whole = read(bytes, size + 1);
  if (read(bytes, 1) != whole || read(bytes, 7) != whole) std::abort();
  return 0;
}
