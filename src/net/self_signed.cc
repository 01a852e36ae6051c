// Making certificates that sign themselves.
#include <algorithm>
#include <fmt/core.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/ip.h"
#include "base/text.h"
#include "net/openssl_internal.h"

namespace hikyaku::net {
namespace {

/// RFC 5280's bound on a common name (ub-common-name).
constexpr std::size_t kMaxCommonName = 64;

KeyPtr make_key(KeyType type) {
  return KeyPtr(type == KeyType::EcP256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048));
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

/// Only what a host name can be: the text goes into OpenSSL's own extension syntax.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char c) {
    return is_ascii_alnum(c) || c == '-' || c == '.' || c == '*' || c == '_' || c == ':';
  });
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string list;
  for (auto& name : names) {
    if (!list.empty()) list += ',';
    list += (IpAddress::parse(name) ? "IP:" : "DNS:") + name;
  }
  return list;
}

bool describe(X509* certificate, const std::vector<std::string>& names, int days) {
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_set_version(certificate, X509_VERSION_3);
  constexpr long kDay = 24 * 60 * 60;
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kDay * days);
  X509_NAME* subject = X509_get_subject_name(certificate);
  auto common_name = names.front().substr(0, kMaxCommonName);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
  X509_set_issuer_name(certificate, subject);
  return add_extension(certificate, NID_subject_alt_name, alternative_names(names)) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth,clientAuth") &&
         add_extension(certificate, NID_subject_key_identifier, "hash");
}

std::string written(BIO* bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Result<CertificatePem> make_self_signed(const std::vector<std::string>& names, KeyType type,
                                        int days) {
  if (names.empty()) return fail(ErrorCode::Invalid, "a certificate needs a name");
  for (auto& name : names)
    if (!is_plain_name(name))
      return fail(ErrorCode::Invalid, "no certificate for {:?}: not a host name", printable(name));
  auto key = make_key(type);
  X509Ptr certificate(X509_new());
  if (!key || !certificate || !describe(certificate.get(), names, days) ||
      X509_set_pubkey(certificate.get(), key.get()) != 1 ||
      X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0)
    return fail(ErrorCode::Internal, "cannot make a certificate: {}", openssl_reason("no reason"));
  BioPtr certificate_text(BIO_new(BIO_s_mem()));
  BioPtr key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_text.get(), certificate.get());
  PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return CertificatePem{written(certificate_text.get()), written(key_text.get()),
                        "the self-signed certificate for " + names.front()};
}

}  // namespace hikyaku::net
