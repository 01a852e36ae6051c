#include <algorithm>
#include <openssl/x509v3.h>

#include "base/ip.h"
#include "net/certificate.h"
#include "net/tls.h"

namespace hikyaku::net {

struct ClientTls::Context {
  SslCtxPtr ssl;
  Settings settings;
};

namespace {

// Opportunistic TLS takes what it gets, and any of it is better than clear text (RFC 7435 §3); so
// its keys may be shorter than those of a connection that is to be trusted.
constexpr const char* kOpportunistic = "DEFAULT:!aNULL:!eNULL:@SECLEVEL=1";
constexpr const char* kTrusted = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:!aNULL:!eNULL";

Result<> trust(SSL_CTX* context, const std::string& roots) {
  if (roots.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  auto certificates = parse_pem_certificates(roots);
  if (certificates.empty())
    return fail(ErrorCode::Invalid, "the trusted roots hold no PEM certificate");
  for (auto& root : certificates) X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get());
  return {};
}

}  // namespace

ClientTls::ClientTls(std::unique_ptr<Context> context) : context_(std::move(context)) {}

ClientTls::~ClientTls() = default;

Result<std::unique_ptr<ClientTls>> ClientTls::create(Settings settings) {
  auto context = std::make_unique<Context>();
  context->ssl.reset(SSL_CTX_new(TLS_client_method()));
  context->settings = std::move(settings);
  auto* raw = context->ssl.get();
  bool required = context->settings.verify == Verify::Require;
  if (!raw || SSL_CTX_set_cipher_list(raw, required ? kTrusted : kOpportunistic) != 1)
    return fail(ErrorCode::Internal, "TLS set-up: {}", openssl_reason("no reason"));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);  // else a flood of TLS messages keeps the loop
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_verify(raw, required ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  TRY_DO(trust(raw, context->settings.roots));
  std::string alpn;
  for (auto& protocol : context->settings.alpn) {
    alpn += static_cast<char>(protocol.size());
    alpn += protocol;
  }
  if (!alpn.empty())
    SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
  return std::unique_ptr<ClientTls>(new ClientTls(std::move(context)));
}

SslPtr new_client_ssl(const ClientTls::Context& context, const std::string& server_name) {
  bool required = context.settings.verify == ClientTls::Verify::Require;
  if (required && server_name.empty()) return nullptr;  // trusted for which name?
  SslPtr ssl(SSL_new(context.ssl.get()));
  if (!ssl) return nullptr;
  SSL_set_connect_state(ssl.get());
  if (server_name.empty()) return ssl;
  auto* parameters = SSL_get0_param(ssl.get());
  if (IpAddress::parse(server_name)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, server_name.c_str()) != 1) return nullptr;
    return ssl;  // RFC 6066 §3: no literal addresses in SNI
  }
  auto name =
      server_name.ends_with('.') ? server_name.substr(0, server_name.size() - 1) : server_name;
  SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl.get(), name.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl.get(), name.c_str()) != 1)
    return nullptr;
  return ssl;
}

}  // namespace hikyaku::net
