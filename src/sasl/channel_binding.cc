#include "sasl/channel_binding.h"

#include <algorithm>

namespace hikyaku::sasl {

std::string_view to_string(BindingType type) {
  switch (type) {
    case BindingType::TlsExporter:
      return "tls-exporter";
    case BindingType::TlsUnique:
      return "tls-unique";
    case BindingType::TlsServerEndPoint:
      return "tls-server-end-point";
  }
  return "";
}

std::optional<BindingType> find_binding_type(std::string_view name) {
  for (auto type :
       {BindingType::TlsExporter, BindingType::TlsUnique, BindingType::TlsServerEndPoint})
    if (name == to_string(type)) return type;
  return std::nullopt;
}

const ChannelBinding* find_binding(const std::vector<ChannelBinding>& bindings, BindingType type) {
  auto found = std::ranges::find(bindings, type, &ChannelBinding::type);
  return found == bindings.end() ? nullptr : &*found;
}

}  // namespace hikyaku::sasl
