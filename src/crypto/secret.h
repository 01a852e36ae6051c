// Bytes that must not stay in memory, be printed or be compared byte by byte.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hikyaku::crypto {

/// A password or key. Wipes its bytes when it goes; has no printed form (no operator<<, no
/// formatter); is copied only by asking; compares in constant time.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes);
  /// Takes over `bytes` and wipes the string.
  static Secret take(std::string&& bytes);
  /// `length` bytes that `fill(std::span<char>)` writes in place.
  template <class Fill>
  static Secret filled(std::size_t length, Fill fill) {
    Secret result(length);
    fill(std::span<char>(result.bytes_.get(), length));
    return result;
  }

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  /// The bytes, valid as long as this object. Whoever copies them must wipe the copy.
  std::string_view reveal() const { return {bytes_.get(), size_}; }
  Secret copy() const { return Secret(reveal()); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  friend bool operator==(const Secret& a, const Secret& b);

 private:
  explicit Secret(std::size_t length);
  void wipe() noexcept;

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

/// Overwrites the bytes of `text`, in a way that no optimizer removes, and empties it.
void wipe(std::string& text) noexcept;
void wipe(std::span<char> bytes) noexcept;
/// Overwrites 32 KB of this thread's stack below the caller: where functions that have returned
/// kept their copies, and where the dynamic linker saved vector registers. After work with a
/// secret.
void wipe_stack() noexcept;

}  // namespace hikyaku::crypto
