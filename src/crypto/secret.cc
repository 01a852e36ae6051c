#include "crypto/secret.h"

#include <cstring>
#include <sodium/utils.h>
#include <utility>

#include "crypto/constant_time.h"

namespace hikyaku::crypto {

Secret::Secret(std::size_t length) : bytes_(std::make_unique<char[]>(length)), size_(length) {}

Secret::Secret(std::string_view bytes) : Secret(bytes.size()) {
  if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
}

Secret Secret::take(std::string&& bytes) {
  Secret result{std::string_view(bytes)};
  crypto::wipe(bytes);
  return result;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() {
  wipe();
}

void Secret::wipe() noexcept {
  if (bytes_) sodium_memzero(bytes_.get(), size_);
}

bool operator==(const Secret& a, const Secret& b) {
  return constant_time_equal(a.reveal(), b.reveal());
}

void wipe(std::string& text) noexcept {
  // Up to the capacity: bytes behind the end may be older, longer contents.
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.clear();
}

void wipe(std::span<char> bytes) noexcept {
  if (!bytes.empty()) sodium_memzero(bytes.data(), bytes.size());
}

[[gnu::noinline]] void wipe_stack() noexcept {
  char below[32 * 1024];
  sodium_memzero(below, sizeof below);
}

}  // namespace hikyaku::crypto
