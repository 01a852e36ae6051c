#include "crypto/certificate.h"

#include <algorithm>
#include <ctime>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "crypto/key_internal.h"

namespace hikyaku::crypto {
namespace {

/// Nobody's chain is longer; a CA bundle is not what we read.
constexpr std::size_t kMaxPem = 1024 * 1024;
constexpr std::size_t kMaxDer = 64 * 1024;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

std::string name_text(const X509_NAME* name) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return to_valid_utf8(written(bio.get()));
}

std::string_view asn1_text(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// A name with a NUL in it is how one certificate pretends to be for another host.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

Result<Time> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1)
    return fail(ErrorCode::Invalid, "the certificate's dates cannot be read");
  return Time(seconds(timegm(&parts)));
}

void read_alternative_names(const GENERAL_NAMES* names, Certificate& result) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    auto name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      auto text = asn1_text(name->d.dNSName);
      if (is_plain_name(text)) result.dns_names.push_back(to_lower(text));
    } else if (name->type == GEN_IPADD) {
      auto bytes = asn1_text(name->d.iPAddress);
      std::array<std::uint8_t, 16> address{};
      std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), 16), address.begin());
      if (bytes.size() == 4)
        result.addresses.emplace_back(
            std::array<std::uint8_t, 4>{address[0], address[1], address[2], address[3]});
      else if (bytes.size() == 16)
        result.addresses.emplace_back(address);
    }
  }
}

void read_common_name(const X509_NAME* subject, Certificate& result) {
  auto index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return;
  auto text = asn1_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (is_plain_name(text)) result.dns_names.push_back(to_lower(text));
}

/// RFC 5929 §4.1: the digest of the certificate with its signature's hash, SHA-256 instead of MD5
/// and SHA-1, undefined when the signature has none of its own.
std::string end_point_binding(X509* certificate, std::string_view der) {
  int hash_id = NID_undef;
  if (X509_get_signature_info(certificate, &hash_id, nullptr, nullptr, nullptr) != 1) return {};
  if (hash_id == NID_undef) return {};
  if (hash_id == NID_md5 || hash_id == NID_sha1) hash_id = NID_sha256;
  auto algorithm = EVP_get_digestbynid(hash_id);
  if (!algorithm) return {};
  std::string result(static_cast<std::size_t>(EVP_MD_get_size(algorithm)), '\0');
  if (EVP_Digest(der.data(), der.size(), bytes_of(result), nullptr, algorithm, nullptr) != 1)
    return {};
  return result;
}

Result<Certificate> read(X509* certificate, std::string_view der) {
  Certificate result;
  result.der = der;
  auto subject = X509_get_subject_name(certificate);
  result.subject = name_text(subject);
  result.issuer = name_text(X509_get_issuer_name(certificate));
  NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names)
    read_alternative_names(names.get(), result);
  else
    read_common_name(subject, result);
  TRY(result.not_before, time_of(X509_get0_notBefore(certificate)));
  TRY(result.not_after, time_of(X509_get0_notAfter(certificate)));
  unsigned char* out = nullptr;
  auto size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &out);
  if (size > 0) result.public_key_der.assign(reinterpret_cast<char*>(out), size);
  OPENSSL_free(out);
  result.server_end_point = end_point_binding(certificate, der);
  result.self_signed = X509_self_signed(certificate, 1) == 1;
  return result;
}

bool add_extension(X509* certificate, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  auto extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  if (!extension) return false;
  bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

/// Added entry by entry, not through the text form of a configuration file, in which a comma inside
/// a name would begin another name.
bool add_alternative_names(X509* certificate, const SelfSigned& contents) {
  NamesPtr names(GENERAL_NAMES_new());
  auto add = [&](int type, ASN1_STRING* value, std::string_view bytes) {
    auto name = GENERAL_NAME_new();
    ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size()));
    GENERAL_NAME_set0_value(name, type, value);
    sk_GENERAL_NAME_push(names.get(), name);
  };
  for (const auto& name : contents.dns_names) add(GEN_DNS, ASN1_IA5STRING_new(), name);
  for (const auto& address : contents.addresses)
    add(GEN_IPADD, ASN1_OCTET_STRING_new(), address.bytes());
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

bool set_times(X509* certificate, const SelfSigned& contents) {
  auto set = [](ASN1_TIME* field, Time time) {
    return ASN1_TIME_set(field, std::chrono::floor<seconds>(time).time_since_epoch().count()) !=
           nullptr;
  };
  return set(X509_getm_notBefore(certificate), contents.not_before) &&
         set(X509_getm_notAfter(certificate), contents.not_after);
}

bool set_serial(X509* certificate, Random& random) {
  auto serial = random.bytes(16);
  serial[0] = static_cast<char>((serial[0] & 0x3f) | 0x40);  // positive, and never shorter
  BIGNUM* number = BN_bin2bn(bytes_of(serial), static_cast<int>(serial.size()), nullptr);
  bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  return set;
}

}  // namespace

bool Certificate::covers(std::string_view host) const {
  if (host.ends_with('.')) host.remove_suffix(1);
  return std::ranges::any_of(dns_names, [&](std::string_view name) {
    if (iequals(name, host)) return true;
    if (!name.starts_with("*.")) return false;
    auto dot = host.find('.');
    auto rest = name.substr(1);
    // Not for a whole top-level domain.
    return dot != std::string_view::npos && dot > 0 &&
           rest.find('.', 1) != std::string_view::npos && iequals(host.substr(dot), rest);
  });
}

bool Certificate::matches(const PrivateKey& key) const {
  return key.public_key().der() == public_key_der;
}

Result<Certificate> parse_certificate(std::string_view der) {
  ErrorQueueGuard guard;
  if (der.size() > kMaxDer) return fail(ErrorCode::Invalid, "the certificate is too long");
  auto at = bytes_of(der);
  X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate || at != bytes_of(der) + der.size())
    return fail(ErrorCode::Invalid, "not a certificate in DER");
  return read(certificate.get(), der);
}

Result<std::vector<Certificate>> parse_certificate_chain(std::string_view pem,
                                                         std::size_t max_certificates) {
  ErrorQueueGuard guard;
  if (pem.size() > kMaxPem) return fail(ErrorCode::TooLarge, "the certificate file is too long");
  std::vector<Certificate> chain;
  auto bio = read_bio(pem);
  for (;;) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) break;
      return fail(ErrorCode::Invalid, "certificate {} of the file is broken: {}", chain.size() + 1,
                  openssl_reason());
    }
    std::string kind = name;
    std::string der(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_cleanse(data, static_cast<std::size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    if (kind != PEM_STRING_X509 && kind != PEM_STRING_X509_OLD) {
      wipe(der);
      continue;
    }
    if (chain.size() == max_certificates)
      return fail(ErrorCode::TooLarge, "more than {} certificates in one file", max_certificates);
    auto certificate = parse_certificate(der);
    if (!certificate)
      return wrap(std::move(certificate).error(), "certificate {} of the file", chain.size() + 1);
    chain.push_back(*std::move(certificate));
  }
  if (chain.empty()) return fail(ErrorCode::Invalid, "no certificate in PEM form found");
  return chain;
}

Result<std::string> make_self_signed(const PrivateKey& key, const SelfSigned& contents,
                                     Random& random) {
  ErrorQueueGuard guard;
  if (contents.dns_names.empty()) return fail(ErrorCode::Invalid, "a certificate needs a name");
  for (const auto& name : contents.dns_names)
    if (!is_plain_name(name))
      return fail(ErrorCode::Invalid, "\"{}\" is no name for a certificate", printable(name));
  if (contents.not_after <= contents.not_before)
    return fail(ErrorCode::Invalid, "the certificate would end before it begins");

  X509Ptr certificate(X509_new());
  auto subject = X509_get_subject_name(certificate.get());
  // A common name has at most 64 characters (RFC 5280, upper bounds); the names that count stand
  // in subjectAltName.
  auto common_name = utf8_prefix(contents.dns_names.front(), 64);
  auto pkey = KeyAccess::native(key);
  bool made = X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
              set_serial(certificate.get(), random) && set_times(certificate.get(), contents) &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, bytes_of(common_name),
                                         static_cast<int>(common_name.size()), -1, 0) == 1 &&
              X509_set_issuer_name(certificate.get(), subject) == 1 &&
              X509_set_pubkey(certificate.get(), pkey) == 1 &&
              add_alternative_names(certificate.get(), contents) &&
              add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature") &&
              add_extension(certificate.get(), NID_ext_key_usage, "serverAuth") &&
              X509_sign(certificate.get(), pkey,
                        key.type() == KeyType::Ed25519 ? nullptr : native(Hash::Sha256)) != 0;
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!made || PEM_write_bio_X509(bio.get(), certificate.get()) != 1)
    return fail(ErrorCode::Internal, "cannot make a certificate: {}", openssl_reason());
  return std::string(written(bio.get()));
}

}  // namespace hikyaku::crypto
