// The written forms of sizes in the configuration. Durations are in base/time.h.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hikyaku::config {

/// A number of bytes; a type of its own, so that nobody takes it for a count.
struct Bytes {
  std::uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

inline constexpr std::int64_t kKB = 1024;
inline constexpr std::int64_t kMB = 1024 * kKB;
inline constexpr std::int64_t kGB = 1024 * kMB;
inline constexpr std::int64_t kTB = 1024 * kGB;

/// "512", "64KB", "50 MB", "2GiB", any case; K, M, G and T are 1024 of the one below. nullopt for
/// anything else, and above 8 EB.
std::optional<Bytes> parse_bytes(std::string_view text);
/// The shortest exact form: "50MB", "1000B".
std::string format_bytes(Bytes size);

}  // namespace hikyaku::config
