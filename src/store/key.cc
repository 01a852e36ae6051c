#include "store/key.h"

namespace hikyaku::store {

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

KeyRange Key::children() const {
  return {bytes(), prefix_end(bytes())};
}

Decoder key_fields(std::string_view key) {
  return Decoder(key.substr(5));
}

}  // namespace hikyaku::store
