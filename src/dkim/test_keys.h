// Keys and zones for the tests of DKIM and ARC.
#pragma once

#include <string>
#include <string_view>

#include "dns/fake_resolver.h"

namespace hikyaku::dkim {

/// A TXT record in zone form, cut into strings of at most 200 bytes.
inline std::string txt_record(std::string_view name, std::string_view text) {
  std::string line = std::string(name) + ". TXT";
  do {
    line += " \"";
    for (char c : text.substr(0, 200)) {
      if (c == '"' || c == '\\') line += '\\';
      line += c;
    }
    line += '"';
    text.remove_prefix(std::min<std::size_t>(200, text.size()));
  } while (!text.empty());
  return line + "\n";
}

}  // namespace hikyaku::dkim
