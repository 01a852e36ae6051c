// The instance's own key: what the file secret.key holds.
#pragma once

#include <string_view>

#include "base/result.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::crypto {

/// 256 random bits that lie outside the data directory. Nothing is done with them directly: each
/// purpose has a key derived from them, so that a value made for one purpose is worthless in
/// another. Lose it, and what was sealed or hashed with it is lost; everything else stays.
class MasterKey {
 public:
  static MasterKey generate(Random& random);
  /// Reads what `text()` wrote (blank lines and lines with # are passed over). Invalid otherwise.
  static Result<MasterKey> parse(std::string_view file);
  /// The contents of secret.key: a comment and 64 hexadecimal digits.
  Secret text() const;

  /// 32 bytes for one purpose; `purpose` is a fixed text such as "seal".
  Secret derive(std::string_view purpose) const;

  MasterKey copy() const { return MasterKey(bytes_.copy()); }

 private:
  explicit MasterKey(Secret bytes) : bytes_(std::move(bytes)) {}
  Secret bytes_;
};

}  // namespace hikyaku::crypto
