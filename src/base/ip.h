// IP addresses as values: no sockets, no resolver.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hikyaku {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) become IPv4 when they are
/// made.
class IpAddress {
 public:
  /// 0.0.0.0
  IpAddress() : IpAddress(std::array<std::uint8_t, 4>{}) {}
  explicit IpAddress(std::array<std::uint8_t, 4> v4);
  explicit IpAddress(std::array<std::uint8_t, 16> v6);

  /// "192.0.2.1" or "2001:db8::1"; no port, no brackets, no zone, no leading zeros in IPv4. nullopt
  /// otherwise.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return v4_; }
  /// 4 or 16 bytes in network order.
  std::string_view bytes() const;
  /// RFC 5952 form: small letters, longest run of zeros shortened.
  std::string to_string() const;
  /// As in SMTP (RFC 5321 §4.1.3): [192.0.2.1], [IPv6:2001:db8::1].
  std::string to_literal() const;
  /// The name whose PTR record tells the host name: 1.2.0.192.in-addr.arpa, ….ip6.arpa (RFC 3596
  /// §2.5).
  std::string reverse_name() const;

  /// True if the first `prefix` bits are those of `network` (and both are of one family).
  bool in_network(const IpAddress& network, int prefix) const;
  /// The address with all bits behind the first `prefix` cleared.
  IpAddress network(int prefix) const;
  /// 127.0.0.0/8 or ::1.
  bool is_loopback() const;
  /// 0.0.0.0 or ::.
  bool is_unspecified() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};  ///< IPv4: the first four
};

/// Where somebody listens or calls from.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  /// "192.0.2.1:25", "[2001:db8::1]:25".
  std::string to_string() const;
  static std::optional<Endpoint> parse(std::string_view text);
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace hikyaku
