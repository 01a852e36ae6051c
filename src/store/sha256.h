// SHA-256 piece by piece.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace hikyaku::store {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view bytes);
  /// 32 bytes; once.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hikyaku::store
