// Any text is a Config or a list of problems; what is accepted can be written and read again.
#include <cstdlib>

#include "config/diff.h"
#include "config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::config;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = load_text(text, "/d/hikyaku.toml");
  if (!config) {
    if (config.error().list.empty() || config.error().describe().empty()) std::abort();
    return 0;
  }
  std::string again;
  for (auto& option : options())
    again += std::string(option.name) + " = " + to_toml(option, option.get(*config)) + '\n';
  auto same = load_text(again, "/d/hikyaku.toml");
  if (!same || !diff(*config, *same).empty()) std::abort();
  return 0;
}
