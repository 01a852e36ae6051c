#include "base/ip.h"

#include <algorithm>
#include <arpa/inet.h>
#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

IpAddress::IpAddress(std::array<std::uint8_t, 4> v4) {
  std::ranges::copy(v4, bytes_.begin());
}

IpAddress::IpAddress(std::array<std::uint8_t, 16> v6) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), v6.begin())) {
    std::copy(v6.begin() + 12, v6.end(), bytes_.begin());
    return;
  }
  v4_ = false;
  bytes_ = v6;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  std::string terminated(text);
  if (terminated.size() > 45 || terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<std::uint8_t, 4> v4{};
  if (inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return IpAddress(v4);
  std::array<std::uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) == 1) return IpAddress(v6);
  return std::nullopt;
}

std::string_view IpAddress::bytes() const {
  return {reinterpret_cast<const char*>(bytes_.data()), v4_ ? 4u : 16u};
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::string IpAddress::to_literal() const {
  return v4_ ? fmt::format("[{}]", to_string()) : fmt::format("[IPv6:{}]", to_string());
}

std::string IpAddress::reverse_name() const {
  if (v4_)
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes_[3], bytes_[2], bytes_[1], bytes_[0]);
  std::string name;
  for (auto byte = bytes_.rbegin(); byte != bytes_.rend(); ++byte)
    name += fmt::format("{:x}.{:x}.", *byte & 15, *byte >> 4);
  return name + "ip6.arpa";
}

IpAddress IpAddress::network(int prefix) const {
  IpAddress result = *this;
  auto size = v4_ ? 4 : 16;
  for (int i = 0; i < size; ++i) {
    int keep = std::clamp(prefix - i * 8, 0, 8);
    result.bytes_[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xFF00 >> keep);
  }
  return result;
}

bool IpAddress::in_network(const IpAddress& other, int prefix) const {
  return v4_ == other.v4_ && network(prefix) == other.network(prefix);
}

bool IpAddress::is_loopback() const {
  if (v4_) return bytes_[0] == 127;
  return bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; });
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(bytes_, [](auto b) { return b == 0; });
}

std::string Endpoint::to_string() const {
  auto host = address.to_string();
  return address.is_v4() ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto port = parse_decimal(text.substr(colon + 1), 65535);
  auto host = text.substr(0, colon);
  auto bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto address = IpAddress::parse(host);
  if (!port || !address || bracketed == address->is_v4()) return std::nullopt;
  return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

}  // namespace hikyaku
