#include "sasl/scram_message.h"

#include <algorithm>
#include <optional>

#include "base/base64.h"
#include "base/text.h"

namespace hikyaku::sasl {
namespace {

/// The attributes of a message, one after another.
class Attributes {
 public:
  explicit Attributes(std::string_view message) : left_(message) {}

  bool at_end() const { return at_end_; }
  std::string_view peek() const { return left_.substr(0, left_.find(',')); }

  /// The next attribute whole, "x=value".
  std::string_view next() {
    auto attribute = peek();
    at_end_ = attribute.size() == left_.size();
    left_.remove_prefix(at_end_ ? left_.size() : attribute.size() + 1);
    return attribute;
  }

  /// The value of the next attribute, which must be `name`.
  std::optional<std::string_view> expect(char name) {
    if (at_end_) return std::nullopt;
    auto attribute = next();
    if (attribute.size() < 3 || attribute[0] != name || attribute[1] != '=') return std::nullopt;
    return attribute.substr(2);
  }

  /// attr-val = ALPHA "=" value
  bool expect_extension() {
    auto attribute = next();
    return attribute.size() >= 3 && is_ascii_alpha(attribute[0]) && attribute[1] == '=';
  }

  bool expect_extensions() {
    while (!at_end_)
      if (!expect_extension()) return false;
    return true;
  }

 private:
  std::string_view left_;
  bool at_end_ = false;
};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::Invalid, "malformed SCRAM message: {}", what);
}

std::unexpected<Error> mandatory_extension() {
  return fail(ErrorCode::Unsupported, "SCRAM message with a mandatory extension");
}

/// What every message consists of: UTF-8 without NUL.
bool is_message(std::string_view message) {
  return is_utf8(message) && message.find('\0') == std::string_view::npos;
}

bool is_nonce(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNonce &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != ','; });
}

bool is_binding_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_ascii_alnum(c) || c == '.' || c == '-';
  });
}

std::optional<std::string> decode_saslname(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    if (text.starts_with("=2C")) {
      name += ',';
      text.remove_prefix(3);
    } else if (text.starts_with("=3D")) {
      name += '=';
      text.remove_prefix(3);
    } else if (text.front() == '=') {
      return std::nullopt;
    } else {
      name += text.front();
      text.remove_prefix(1);
    }
  }
  return name;
}

/// gs2-cbind-flag and what stands in it.
bool read_flag(std::string_view text, ClientFirst& result) {
  if (text == "n") return true;
  if (text == "y") {
    result.flag = Gs2Flag::ServerLacksIt;
    return true;
  }
  if (!text.starts_with("p=") || !is_binding_name(text.substr(2))) return false;
  result.flag = Gs2Flag::Required;
  result.binding_name = text.substr(2);
  return true;
}

bool read_authzid(std::string_view text, ClientFirst& result) {
  if (text.empty()) return true;
  if (!text.starts_with("a=") || text.size() == 2) return false;
  auto authzid = decode_saslname(text.substr(2));
  if (authzid) result.authzid = *std::move(authzid);
  return authzid.has_value();
}

}  // namespace

Result<ClientFirst> parse_client_first(std::string_view message) {
  if (!is_message(message)) return malformed("not UTF-8");
  ClientFirst result;
  auto first_comma = message.find(',');
  auto second_comma = message.find(',', first_comma + 1);
  if (first_comma == std::string_view::npos || second_comma == std::string_view::npos)
    return malformed("no gs2 header");
  if (!read_flag(message.substr(0, first_comma), result)) return malformed("gs2-cbind-flag");
  if (!read_authzid(message.substr(first_comma + 1, second_comma - first_comma - 1), result))
    return malformed("authzid");
  result.gs2_header = message.substr(0, second_comma + 1);
  result.bare = message.substr(second_comma + 1);

  Attributes attributes(result.bare);
  if (attributes.peek().starts_with("m=")) return mandatory_extension();
  auto name = attributes.expect('n');
  auto authcid = name ? decode_saslname(*name) : std::nullopt;
  if (!authcid) return malformed("user name");
  result.authcid = *std::move(authcid);
  auto nonce = attributes.expect('r');
  if (!nonce || !is_nonce(*nonce)) return malformed("nonce");
  result.nonce = *nonce;
  if (!attributes.expect_extensions()) return malformed("extension");
  return result;
}

Result<ServerFirst> parse_server_first(std::string_view message) {
  if (!is_message(message)) return malformed("not UTF-8");
  Attributes attributes(message);
  if (attributes.peek().starts_with("m=")) return mandatory_extension();
  ServerFirst result;
  auto nonce = attributes.expect('r');
  if (!nonce || !is_nonce(*nonce)) return malformed("nonce");
  result.nonce = *nonce;
  auto salt = attributes.expect('s');
  auto salt_bytes = salt ? base64_decode(*salt) : std::nullopt;
  if (!salt_bytes) return malformed("salt");
  result.salt = *std::move(salt_bytes);
  auto count = attributes.expect('i');
  auto iterations = count && !count->starts_with('0') ? parse_decimal(*count, UINT32_MAX)
                                                      : std::optional<std::uint64_t>();
  if (!iterations) return malformed("iteration count");
  result.iterations = static_cast<std::uint32_t>(*iterations);
  if (!attributes.expect_extensions()) return malformed("extension");
  return result;
}

Result<ClientFinal> parse_client_final(std::string_view message) {
  if (!is_message(message)) return malformed("not UTF-8");
  // The proof is the last attribute, and its base64 contains no comma.
  auto proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return malformed("no proof");
  ClientFinal result;
  auto proof = base64_decode(message.substr(proof_at + 3));
  if (!proof || proof->empty()) return malformed("proof");
  result.proof = *std::move(proof);
  result.without_proof = message.substr(0, proof_at);

  Attributes attributes(result.without_proof);
  auto binding = attributes.expect('c');
  auto binding_bytes = binding ? base64_decode(*binding) : std::nullopt;
  if (!binding_bytes) return malformed("channel binding");
  result.binding = *std::move(binding_bytes);
  auto nonce = attributes.expect('r');
  if (!nonce || !is_nonce(*nonce)) return malformed("nonce");
  result.nonce = *nonce;
  if (!attributes.expect_extensions()) return malformed("extension");
  return result;
}

Result<ServerFinal> parse_server_final(std::string_view message) {
  if (!is_message(message)) return malformed("not UTF-8");
  Attributes attributes(message);
  ServerFinal result;
  if (attributes.peek().starts_with("e=")) {
    auto error = attributes.expect('e');
    if (!error) return malformed("error");
    result.error = *error;
  } else {
    auto verifier = attributes.expect('v');
    auto bytes = verifier ? base64_decode(*verifier) : std::nullopt;
    if (!bytes) return malformed("verifier");
    result.verifier = *std::move(bytes);
  }
  if (!attributes.expect_extensions()) return malformed("extension");
  return result;
}

std::string encode_saslname(std::string_view name) {
  std::string result;
  for (char c : name) {
    if (c == ',')
      result += "=2C";
    else if (c == '=')
      result += "=3D";
    else
      result += c;
  }
  return result;
}

}  // namespace hikyaku::sasl
