// OpenSSL's objects with owners, and its errors in words. Private to net/.
#pragma once

#include <memory>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string>

#include "net/stream.h"
#include "net/tls.h"

namespace hikyaku::net {

template <auto free_function>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free>>;

/// The reason of the oldest error in this thread's queue, which is emptied; `otherwise` if none.
std::string openssl_reason(std::string_view otherwise);

/// The connection object for one handshake, without its socket.
SslPtr new_server_ssl(const ServerTls::Snapshot& snapshot);
SslPtr new_client_ssl(const ClientTls::Context& context, const std::string& server_name);

/// After a finished handshake.
TlsInfo tls_info(SSL* ssl);
ChannelBindings channel_bindings(SSL* ssl);

}  // namespace hikyaku::net
