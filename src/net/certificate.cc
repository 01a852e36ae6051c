#include "net/certificate.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sstream>

#include "base/ip.h"
#include "base/text.h"

namespace hikyaku::net {
namespace {

/// A certificate chain is a few kilobytes; more is some other file.
constexpr std::size_t kMaxPemFile = 1024 * 1024;

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(errno_error("cannot read " + path, errno));
  std::string text(kMaxPemFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::unexpected(errno_error("cannot read " + path, errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxPemFile)
    return fail(ErrorCode::TooLarge, "{} is no certificate: it is larger than 1 MB", path);
  return text;
}

BioPtr memory_bio(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// OpenSSL asks here for the passphrase of an encrypted key; there is nobody to ask.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::chrono::sys_seconds to_time(const ASN1_TIME* time) {
  std::tm fields{};
  if (!time || !ASN1_TIME_to_tm(time, &fields)) return {};
  return std::chrono::sys_seconds(std::chrono::seconds(timegm(&fields)));
}

std::string key_type(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA")) return fmt::format("RSA {}", EVP_PKEY_get_bits(key));
  if (EVP_PKEY_is_a(key, "EC")) {
    char group[64] = {};
    EVP_PKEY_get_group_name(key, group, sizeof group, nullptr);
    std::string_view name = group;
    return fmt::format("EC {}", name == "prime256v1"  ? "P-256"
                                : name == "secp384r1" ? "P-384"
                                                      : name);
  }
  return EVP_PKEY_get0_type_name(key);
}

std::vector<std::string> dns_names(X509* certificate) {
  std::vector<std::string> names;
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const auto* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type != GEN_DNS) continue;
    std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    names.push_back(to_lower(text));
  }
  GENERAL_NAMES_free(alternatives);
  return names;
}

}  // namespace

Result<CertificatePem> read_certificate(const std::string& certificate_file,
                                        const std::string& key_file) {
  TRY(auto certificate, read_file(certificate_file));
  TRY(auto key, read_file(key_file));
  return CertificatePem{std::move(certificate), std::move(key), certificate_file, {}};
}

std::vector<X509Ptr> parse_pem_certificates(const std::string& pem) {
  std::vector<X509Ptr> found;
  auto bio = memory_bio(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    found.emplace_back(certificate);
  ERR_clear_error();  // the end of the text is an "error" too
  return found;
}

Result<Certificate> parse_certificate(const CertificatePem& pem) {
  Certificate result;
  auto all = parse_pem_certificates(pem.certificate);
  if (all.empty())
    return fail(ErrorCode::Invalid, "{}: there is no PEM certificate in it", pem.origin);
  result.leaf = std::move(all.front());
  result.chain.assign(std::make_move_iterator(all.begin() + 1), std::make_move_iterator(all.end()));

  bool encrypted = false;
  auto bio = memory_bio(pem.key);
  result.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &encrypted));
  auto reason = openssl_reason("there is no PEM private key");
  if (encrypted)
    return fail(ErrorCode::Invalid,
                "the key of {} is protected by a passphrase; remove it with "
                "\"openssl pkey -in KEY -out NEWKEY\"",
                pem.origin);
  if (!result.key) return fail(ErrorCode::Invalid, "the key of {}: {}", pem.origin, reason);
  if (X509_check_private_key(result.leaf.get(), result.key.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::Invalid,
                "{}: the key does not belong to this certificate (the first "
                "certificate in the file must be the server's own)",
                pem.origin);
  }
  result.facts.origin = pem.origin;
  result.facts.names = dns_names(result.leaf.get());
  result.shown_for = result.facts.names;
  if (!pem.names.empty()) {
    result.shown_for.clear();
    for (auto& name : pem.names) result.shown_for.push_back(to_lower(name));
  }
  result.facts.key_type = key_type(result.key.get());
  result.facts.not_before = to_time(X509_get0_notBefore(result.leaf.get()));
  result.facts.not_after = to_time(X509_get0_notAfter(result.leaf.get()));
  result.facts.self_signed = X509_NAME_cmp(X509_get_subject_name(result.leaf.get()),
                                           X509_get_issuer_name(result.leaf.get())) == 0;
  return result;
}

}  // namespace hikyaku::net
