// The messages of SCRAM (RFC 5802 §5.1 and §7): grammar only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::sasl {

/// What a client says about channel bindings in its first message.
enum class Gs2Flag {
  None,           ///< "n": it knows none
  ServerLacksIt,  ///< "y": it knows some, but believes that the server does not
  Required,       ///< "p=NAME": it binds by NAME
};

/// client-first-message. Names are decoded and not prepared yet.
struct ClientFirst {
  Gs2Flag flag = Gs2Flag::None;
  std::string binding_name;  ///< with Required
  std::string authzid;       ///< may be empty
  std::string authcid;
  std::string nonce;
  std::string gs2_header;  ///< as it was written, with its last comma
  std::string bare;        ///< client-first-message-bare as it was written
};

/// server-first-message.
struct ServerFirst {
  std::string nonce;
  std::string salt;
  std::uint32_t iterations = 0;
};

/// client-final-message.
struct ClientFinal {
  std::string binding;  ///< cbind-input, decoded
  std::string nonce;
  std::string proof;  ///< decoded
  std::string without_proof;
};

/// server-final-message: the verifier (decoded), or what the server calls the error.
struct ServerFinal {
  std::string verifier;
  std::string error;  ///< empty if there is a verifier
};

/// The longest nonce that is taken from the other side, in bytes.
constexpr std::size_t kMaxNonce = 1024;

/// Each gives Invalid for what does not follow the grammar and Unsupported for a mandatory
/// extension ("m="). Unknown optional extensions are passed over (§5.1).
Result<ClientFirst> parse_client_first(std::string_view message);
Result<ServerFirst> parse_server_first(std::string_view message);
Result<ClientFinal> parse_client_final(std::string_view message);
Result<ServerFinal> parse_server_final(std::string_view message);

/// A name as saslname: "," and "=" become =2C and =3D.
std::string encode_saslname(std::string_view name);

}  // namespace hikyaku::sasl
