#include <openssl/x509v3.h>

#include "net/openssl_internal.h"

namespace hikyaku::net {
namespace {

std::string subject_of(X509* certificate) {
  BioPtr text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  auto size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

/// RFC 9266 §2.
std::string tls_exporter(SSL* ssl) {
  constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  std::string bytes(32, '\0');
  constexpr unsigned char kNoContext = 0;
  if (SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                 kLabel.data(), kLabel.size(), &kNoContext, 0,
                                 /*use_context=*/1) != 1)
    return {};
  return bytes;
}

/// The first Finished message of the handshake (RFC 5929 §3): the client's in a full one, the
/// server's in a resumed one.
std::string tls_unique(SSL* ssl) {
  // Without the extended master secret two connections can be made to share it (RFC 7627 §1).
  if (SSL_get_extms_support(ssl) != 1) return {};
  char bytes[EVP_MAX_MD_SIZE];
  bool ours = (SSL_is_server(ssl) == 1) == (SSL_session_reused(ssl) == 1);
  auto size = ours ? SSL_get_finished(ssl, bytes, sizeof bytes)
                   : SSL_get_peer_finished(ssl, bytes, sizeof bytes);
  return {bytes, size};
}

/// RFC 5929 §4.1: the certificate hashed with the hash of its signature, SHA-256 instead of MD5 and
/// SHA-1; undefined for signatures without a hash (Ed25519).
std::string tls_server_end_point(X509* certificate) {
  int digest_nid = NID_undef;
  if (!certificate ||
      X509_get_signature_info(certificate, &digest_nid, nullptr, nullptr, nullptr) != 1 ||
      digest_nid == NID_undef)
    return {};
  if (digest_nid == NID_md5 || digest_nid == NID_sha1) digest_nid = NID_sha256;
  const EVP_MD* digest = EVP_get_digestbynid(digest_nid);
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!digest || X509_digest(certificate, digest, bytes, &size) != 1) return {};
  return {reinterpret_cast<char*>(bytes), size};
}

}  // namespace

std::string openssl_reason(std::string_view otherwise) {
  auto error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return std::string(otherwise);
  if (ERR_SYSTEM_ERROR(error)) return errno_error("system", ERR_GET_REASON(error)).text;
  const char* reason = ERR_reason_error_string(error);
  return reason ? reason : fmt::format("OpenSSL error {:x}", error);
}

TlsInfo tls_info(SSL* ssl) {
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    info.cipher = SSL_CIPHER_get_name(cipher);
    info.cipher_bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  if (auto group = SSL_get_negotiated_group(ssl); group != NID_undef)
    if (const char* name = SSL_group_to_name(ssl, static_cast<int>(group))) info.group = name;
  if (const char* sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) info.sni = sni;
  if (X509Ptr peer(SSL_get1_peer_certificate(ssl)); peer)
    info.peer_subject = subject_of(peer.get());
  if (SSL_is_server(ssl) == 0) {
    auto verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) info.verify_error = X509_verify_cert_error_string(verified);
  }
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  if (alpn) info.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  info.resumed = SSL_session_reused(ssl) == 1;
  ERR_clear_error();
  return info;
}

ChannelBindings channel_bindings(SSL* ssl) {
  ChannelBindings bindings;
  if (SSL_version(ssl) >= TLS1_3_VERSION)
    bindings.tls_exporter = tls_exporter(ssl);
  else
    bindings.tls_unique = tls_unique(ssl);
  if (SSL_is_server(ssl) == 1) {
    bindings.tls_server_end_point = tls_server_end_point(SSL_get_certificate(ssl));
  } else {
    X509Ptr server(SSL_get1_peer_certificate(ssl));
    bindings.tls_server_end_point = tls_server_end_point(server.get());
  }
  ERR_clear_error();
  return bindings;
}

}  // namespace hikyaku::net
