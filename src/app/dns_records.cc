#include "app/dns_records.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <fmt/core.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "app/text_width.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kMx{"mail for the domain comes here", "このドメイン宛てのメールはここへ"};
constexpr Phrase kAddress{"this server", "このサーバー"};
constexpr Phrase kPutAddress{"put this server's address here",
                             "このサーバーのアドレスに書き換える"};
constexpr Phrase kSpf{"only this server sends for it", "送信するのはこのサーバーだけ"};
constexpr Phrase kDmarc{"what others shall do with forgeries: begin with none",
                        "なりすましの扱い。まずは none から"};
constexpr Phrase kClients{"mail clients find the server", "メールソフトがサーバーを見つける"};

struct Network {
  const char* address;
  int prefix;
};
/// What is not reachable from the internet (RFC 6890).
constexpr Network kNotPublic[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},    {"100.64.0.0", 10},   {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.0.0.0", 24},    {"192.0.2.0", 24},
    {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24}, {"203.0.113.0", 24},
    {"224.0.0.0", 3},    {"::", 8},          {"100::", 64},        {"2001:db8::", 32},
    {"fc00::", 7},       {"fe80::", 10},     {"ff00::", 8},
};

IpAddress address_of(const sockaddr* from) {
  if (from->sa_family == AF_INET) {
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(from)->sin_addr, 4);
    return IpAddress(bytes);
  }
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr, 16);
  return IpAddress(bytes);
}

}  // namespace

bool is_public(const IpAddress& address) {
  return std::ranges::none_of(kNotPublic, [&](auto& network) {
    return address.in_network(*IpAddress::parse(network.address), network.prefix);
  });
}

std::vector<IpAddress> public_addresses() {
  std::vector<IpAddress> found;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return found;
  for (auto one = all; one; one = one->ifa_next) {
    if (!one->ifa_addr) continue;
    auto family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    auto address = address_of(one->ifa_addr);
    if (is_public(address)) found.push_back(address);
  }
  ::freeifaddrs(all);
  std::ranges::sort(found);
  auto doubles = std::ranges::unique(found);
  found.erase(doubles.begin(), doubles.end());
  return found;
}

std::vector<DnsRecord> records_for(const std::string& domain, const MailHost& host) {
  auto name = domain + '.';
  auto server = host.host_name + '.';
  std::vector<DnsRecord> records{{name, "MX", "10 " + server, kMx}};
  for (auto& address : host.addresses)
    records.push_back({server, address.is_v4() ? "A" : "AAAA", address.to_string(), kAddress});
  if (host.addresses.empty()) records.push_back({server, "A", "<IPv4-ADDRESS>", kPutAddress});
  records.push_back({name, "TXT", "\"v=spf1 mx -all\"", kSpf});
  if (host.host_name != domain)
    // Bounces have no sender but the name in EHLO (RFC 7208 §2.3).
    records.push_back({server, "TXT", "\"v=spf1 a -all\"", kSpf});
  records.push_back({"_dmarc." + name, "TXT", "\"v=DMARC1; p=none\"", kDmarc});
  struct Service {
    const char* label;
    int port;
  };
  for (auto& [label, port] : {Service{"_submissions", 465}, Service{"_imaps", 993}}) {
    records.push_back({fmt::format("{}._tcp.{}", label, name), "SRV",
                       fmt::format("0 1 {} {}", port + host.port_base, server), kClients, false});
  }
  return records;
}

std::string to_zone_text(const std::vector<DnsRecord>& records, Language language,
                         std::size_t width) {
  std::size_t names = 0;
  std::size_t values = 0;
  for (auto& record : records) {
    names = std::max(names, record.name.size());
    values = std::max(values, record.value.size());
  }
  std::vector<std::string> lines;
  bool comments = true;  // all of them, or none: half of them would look like a mistake
  for (auto& record : records) {
    lines.push_back(fmt::format("{:<{}} IN {:<4} {:<{}}", record.name, names, record.type,
                                record.value, values));
    comments &= columns(lines.back()) + 3 + columns(record.why.in(language)) <= width;
  }
  std::string text;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto& line = lines[i];
    if (comments)
      line += fmt::format(" ; {}", records[i].why.in(language));
    else
      line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace hikyaku::app
