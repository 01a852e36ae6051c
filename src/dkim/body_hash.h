// BodyHash: the digests of a message's body for every signature on it, in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "dkim/canonical.h"

namespace hikyaku::dkim {

/// What a signature wants to know about the body.
struct BodyHashKind {
  Canonicalization canonicalization = Canonicalization::Relaxed;
  crypto::Hash hash = crypto::Hash::Sha256;
  std::optional<std::uint64_t> length = std::nullopt;  ///< l=: only so many canonical bytes
  bool operator==(const BodyHashKind&) const = default;
};

/// Ask for all kinds first, then feed the body, then read. Kinds that were asked for twice are
/// computed once; every canonicalization is done once.
class BodyHash {
 public:
  BodyHash();
  BodyHash(BodyHash&&) noexcept;
  BodyHash& operator=(BodyHash&&) noexcept;
  ~BodyHash();

  /// The number to ask for the digest with. Before the first update().
  std::size_t add(const BodyHashKind& kind);
  void update(std::string_view bytes);
  /// Once, after the last byte.
  void finish();

  /// After finish().
  const std::string& digest(std::size_t number) const;
  /// The size of the whole canonical body in the form of that kind.
  std::uint64_t canonical_size(std::size_t number) const;

 private:
  struct Entry;
  struct Stream;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace hikyaku::dkim
