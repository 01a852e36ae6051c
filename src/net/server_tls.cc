#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/text.h"
#include "net/certificate.h"
#include "net/tickets.h"
#include "net/tls.h"

namespace hikyaku::net {

struct ServerTls::TicketKeys : net::TicketKeys {};

/// One state of the certificates: never changed, kept by handshakes that began with it.
struct ServerTls::Snapshot {
  std::vector<Certificate> certificates;
  std::string alpn;  ///< in wire form: length, name, length, name
  std::shared_ptr<TicketKeys> ticket_keys;
  /// One context for each set of certificates that some name has.
  std::map<std::vector<std::size_t>, SslCtxPtr> contexts;
  std::unordered_map<std::string, SSL_CTX*> by_name;
  SSL_CTX* by_default = nullptr;

  SSL_CTX* find(std::string_view name) const;
  Result<> build();

 private:
  Result<SSL_CTX*> context_for(const std::vector<std::size_t>& chosen);
  std::vector<std::size_t> best_of(const std::vector<std::size_t>& candidates) const;
  bool share_a_name(std::size_t a, std::size_t b) const;
};

namespace {

// ECDHE only: what is recorded today stays closed when the certificate's key is stolen tomorrow.
// The CBC suites at the end are for mail programs of the early TLS 1.2 years.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL";
constexpr const char* kGroups = "X25519:P-256:P-384";

int choose_certificate(SSL* ssl, int*, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!name) return SSL_TLSEXT_ERR_OK;
  auto* snapshot = static_cast<const ServerTls::Snapshot*>(argument);
  SSL_set_SSL_CTX(ssl, snapshot->find(name));
  return SSL_TLSEXT_ERR_OK;
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void* argument) {
  auto& ours = *static_cast<const std::string*>(argument);
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(
          &selected, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
          static_cast<unsigned>(ours.size()), in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

bool add_certificate(SSL_CTX* context, const Certificate& certificate) {
  STACK_OF(X509)* chain = sk_X509_new_null();
  for (auto& issuer : certificate.chain) sk_X509_push(chain, issuer.get());
  // The call takes its own references to all of them.
  int added = SSL_CTX_use_cert_and_key(context, certificate.leaf.get(), certificate.key.get(),
                                       chain, /*override=*/1);
  sk_X509_free(chain);
  return added == 1;
}

std::string alpn_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (auto& protocol : protocols) {
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

}  // namespace

SSL_CTX* ServerTls::Snapshot::find(std::string_view name) const {
  auto lower = to_lower(name);
  if (lower.ends_with('.')) lower.pop_back();
  if (auto exact = by_name.find(lower); exact != by_name.end()) return exact->second;
  // A wildcard stands for exactly one label (RFC 6125 §6.4.3).
  if (auto dot = lower.find('.'); dot != std::string::npos && dot > 0) {
    auto wildcard = by_name.find("*" + lower.substr(dot));
    if (wildcard != by_name.end()) return wildcard->second;
  }
  return by_default;
}

Result<SSL_CTX*> ServerTls::Snapshot::context_for(const std::vector<std::size_t>& chosen) {
  if (auto known = contexts.find(chosen); known != contexts.end()) return known->second.get();
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  auto* raw = context.get();
  if (!raw || SSL_CTX_set_cipher_list(raw, kCiphers) != 1 ||
      SSL_CTX_set1_groups_list(raw, kGroups) != 1)
    return fail(ErrorCode::Internal, "TLS set-up: {}", openssl_reason("no reason"));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);  // else a flood of TLS messages keeps the loop
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  constexpr unsigned char kSessionContext[] = "hikyaku";
  SSL_CTX_set_session_id_context(raw, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_read_ahead(raw, 1);
  ticket_keys->attach(raw);
  SSL_CTX_set_tlsext_servername_callback(raw, choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(raw, this);
  if (!alpn.empty()) SSL_CTX_set_alpn_select_cb(raw, choose_alpn, &alpn);
  for (auto index : chosen)
    if (!add_certificate(raw, certificates[index]))
      return fail(ErrorCode::Invalid, "{}: {}", certificates[index].facts.origin,
                  openssl_reason("OpenSSL does not take it"));
  return contexts.emplace(chosen, std::move(context)).first->second.get();
}

/// Of the candidates, one for each type of key.
std::vector<std::size_t> ServerTls::Snapshot::best_of(
    const std::vector<std::size_t>& candidates) const {
  std::map<int, std::size_t> by_type;
  for (auto index : candidates) {
    auto [place, fresh] =
        by_type.emplace(EVP_PKEY_get_base_id(certificates[index].key.get()), index);
    if (!fresh && certificates[index].facts.not_after > certificates[place->second].facts.not_after)
      place->second = index;
  }
  std::vector<std::size_t> chosen;
  for (auto& [type, index] : by_type) chosen.push_back(index);
  std::ranges::sort(chosen);
  return chosen;
}

bool ServerTls::Snapshot::share_a_name(std::size_t a, std::size_t b) const {
  auto& names = certificates[a].shown_for;
  return std::ranges::find_first_of(names, certificates[b].shown_for) != names.end();
}

Result<> ServerTls::Snapshot::build() {
  std::map<std::string, std::vector<std::size_t>> candidates;
  std::vector<std::size_t> for_default;
  for (std::size_t index = 0; index < certificates.size(); ++index) {
    for (auto& name : certificates[index].shown_for) candidates[name].push_back(index);
    if (index == 0 || share_a_name(0, index)) for_default.push_back(index);
  }
  for (auto& [name, indexes] : candidates) {
    TRY(by_name[name], context_for(best_of(indexes)));
  }
  TRY(by_default, context_for(best_of(for_default)));
  return {};
}

ServerTls::ServerTls(Settings settings)
    : settings_(std::move(settings)), ticket_keys_(std::make_shared<TicketKeys>()) {}

ServerTls::~ServerTls() = default;

Result<std::unique_ptr<ServerTls>> ServerTls::create(
    const std::vector<CertificatePem>& certificates, Settings settings) {
  std::unique_ptr<ServerTls> tls(new ServerTls(std::move(settings)));
  TRY_DO(tls->reload(certificates));
  return tls;
}

Result<> ServerTls::reload(const std::vector<CertificatePem>& certificates) {
  if (certificates.empty()) return fail(ErrorCode::Invalid, "TLS needs a certificate");
  auto next = std::make_shared<Snapshot>();
  next->alpn = alpn_wire(settings_.alpn);
  next->ticket_keys = ticket_keys_;
  for (auto& pem : certificates) {
    TRY(auto certificate, parse_certificate(pem));
    next->certificates.push_back(std::move(certificate));
  }
  TRY_DO(next->build());
  std::lock_guard lock(mutex_);
  snapshot_ = std::move(next);
  return {};
}

std::shared_ptr<const ServerTls::Snapshot> ServerTls::snapshot() const {
  std::lock_guard lock(mutex_);
  return snapshot_;
}

std::vector<CertificateFacts> ServerTls::certificates() const {
  std::vector<CertificateFacts> facts;
  for (auto& certificate : snapshot()->certificates) facts.push_back(certificate.facts);
  return facts;
}

SslPtr new_server_ssl(const ServerTls::Snapshot& snapshot) {
  SslPtr ssl(SSL_new(snapshot.by_default));
  if (ssl) SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace hikyaku::net
