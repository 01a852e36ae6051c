// Channel bindings: what ties a login to the TLS connection under it (RFC 5056, 5929, 9266).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::sasl {

/// In the order in which we prefer them.
enum class BindingType {
  TlsExporter,        ///< RFC 9266: any TLS 1.3 connection
  TlsUnique,          ///< RFC 5929 §3: TLS 1.2 and older (not defined for 1.3)
  TlsServerEndPoint,  ///< RFC 5929 §4: digest of the server's certificate; any version
};

/// "tls-exporter", "tls-unique", "tls-server-end-point".
std::string_view to_string(BindingType type);
std::optional<BindingType> find_binding_type(std::string_view name);

/// One binding that a connection has. The TLS layer makes them; a connection without TLS has none.
struct ChannelBinding {
  BindingType type;
  std::string data;
};

/// The one of `type`, or null.
const ChannelBinding* find_binding(const std::vector<ChannelBinding>& bindings, BindingType type);

}  // namespace hikyaku::sasl
