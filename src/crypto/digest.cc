#include "crypto/digest.h"

#include <cassert>
#include <cstdlib>

#include "crypto/openssl_internal.h"

namespace hikyaku::crypto {
namespace {

// A libcrypto that lacks one of these (a FIPS configuration) cannot run a mail server.
const EVP_MD* fetch(const char* name) {
  auto algorithm = EVP_MD_fetch(nullptr, name, nullptr);
  if (!algorithm) std::abort();
  return algorithm;
}

}  // namespace

const EVP_MD* native(Hash hash) {
  static const EVP_MD* const md5 = fetch("MD5");
  static const EVP_MD* const sha1 = fetch("SHA1");
  static const EVP_MD* const sha256 = fetch("SHA256");
  static const EVP_MD* const sha512 = fetch("SHA512");
  switch (hash) {
    case Hash::Md5:
      return md5;
    case Hash::Sha1:
      return sha1;
    case Hash::Sha256:
      return sha256;
    case Hash::Sha512:
      return sha512;
  }
  std::abort();
}

std::string openssl_reason() {
  auto code = ERR_peek_last_error();
  ERR_clear_error();
  auto reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown reason";
}

std::string digest(Hash hash, std::string_view bytes) {
  std::string result(digest_size(hash), '\0');
  if (EVP_Digest(bytes.data(), bytes.size(), bytes_of(result), nullptr, native(hash), nullptr) != 1)
    std::abort();
  return result;
}

struct Digest::State {
  DigestContext context{EVP_MD_CTX_new()};
  std::size_t size = 0;
};

Digest::Digest(Hash hash) : state_(std::make_unique<State>()) {
  state_->size = digest_size(hash);
  if (EVP_DigestInit_ex2(state_->context.get(), native(hash), nullptr) != 1) std::abort();
}

Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::update(std::string_view bytes) {
  assert(state_ && "update after finish");
  EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

std::string Digest::finish() {
  assert(state_ && "finished twice");
  std::string result(state_->size, '\0');
  EVP_DigestFinal_ex(state_->context.get(), bytes_of(result), nullptr);
  state_ = nullptr;
  return result;
}

}  // namespace hikyaku::crypto
