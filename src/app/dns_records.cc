#include "app/dns_records.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <fmt/core.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "app/text_width.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kMx{"mail for the domain comes here", "このドメイン宛てのメールはここへ"};
constexpr Phrase kAddress{"this server", "このサーバー"};
constexpr Phrase kPutAddress{"put this server's address here, without the semicolon",
                             "このサーバーのアドレスに書き換え、先頭のセミコロンを外す"};
constexpr Phrase kSpf{"only this server sends for it", "送信するのはこのサーバーだけ"};
constexpr Phrase kDkim{"the key that signatures are checked with", "署名を検証するための鍵"};
constexpr Phrase kDmarc{
    "what others shall do with forgeries: begin with none (ruf= would ask for reports about single "
    "messages, too)",
    "なりすましの扱い。まずは none から(ruf= を加えると個々のメールの報告も求める)"};
constexpr std::size_t kCommentWidth = 96;
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

std::vector<IpAddress> published_addresses(const config::Config& config) {
  return config.server.local ? config.listen.addresses : public_addresses();
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

DnsRecord dkim_record(const std::string& name, const std::string& record) {
  return {name + '.', "TXT", quote_txt(record), kDkim};
}

std::string dmarc_record(const std::string& domain, const std::string& report_address) {
  std::string record = "v=DMARC1; p=none";
  if (report_address.empty()) return record;
  auto whole = report_address.contains('@') ? report_address : report_address + '@' + domain;
  return record + "; rua=mailto:" + whole;
}

std::string quote_txt(std::string_view text) {
  constexpr std::size_t kString = 255;
  std::string quoted;
  for (std::size_t at = 0; at == 0 || at < text.size(); at += kString) {
    quoted += quoted.empty() ? "\"" : " \"";
    for (auto c : text.substr(at, kString)) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    quoted += '"';
  }
  return quoted;
}

std::vector<DnsRecord> records_for(const std::string& domain, const MailHost& host,
                                   const std::vector<PublishedKey>& keys) {
  auto name = domain + '.';
  auto server = host.host_name + '.';
  std::vector<DnsRecord> records{{name, "MX", "10 " + server, kMx}};
  for (auto& address : host.addresses)
    records.push_back({server, address.is_v4() ? "A" : "AAAA", address.to_string(), kAddress});
  if (host.addresses.empty())
    records.push_back({server, "A", "<IPv4-ADDRESS>", kPutAddress, true, false});
  records.push_back({name, "TXT", "\"v=spf1 mx -all\"", kSpf});
  if (host.host_name != domain)
    // Bounces have no sender but the name in EHLO (RFC 7208 §2.3).
    records.push_back({server, "TXT", "\"v=spf1 a -all\"", kSpf});
  for (auto& key : keys) records.push_back(dkim_record(key.name, key.record));
  records.push_back(
      {"_dmarc." + name, "TXT", quote_txt(dmarc_record(domain, host.report_address)), kDmarc});
  for (auto& service : client_services())
    if (service.is_published)
      records.push_back({fmt::format("{}._tcp.{}", service.label, name), "SRV",
                         srv_record(service, host.host_name, host.port_base), kClients, false});
  return records;
}

std::span<const ClientService> client_services() {
  static constexpr ClientService kServices[] = {
      {"_submissions", "submission over TLS", 465, true},
      {"_imaps", "IMAP over TLS", 993, true},
      {"_pop3s", "POP3 over TLS", 995, false},
      {"_submission", "submission", 587, false},
      {"_imap", "IMAP", 143, false},
      {"_pop3", "POP3", 110, false},
  };
  return kServices;
}

std::string srv_record(const ClientService& service, const std::string& host_name,
                       std::uint16_t port_base) {
  return fmt::format("0 1 {} {}.", service.port + port_base, host_name);
}

std::string to_zone_text(const std::vector<DnsRecord>& records, Language language) {
  std::size_t names = 0;
  for (auto& record : records) names = std::max(names, record.name.size());
  std::string text;
  const Phrase* last = nullptr;
  for (auto& record : records) {
    if (!last || record.why.en != last->en) text += fmt::format("; {}\n", record.why.in(language));
    last = &record.why;
    text += fmt::format("{}{:<{}} IN {:<4} {}\n", record.known ? "" : "; ", record.name, names,
                        record.type, record.value);
  }
  return text;
}

std::string to_zone_comment(std::string_view text) {
  std::string comment;
  auto lines = wrapped(text, 0, kCommentWidth);
  for (auto line : split(lines, '\n'))
    if (!line.empty()) comment += "; " + std::string(line) + '\n';
  return comment;
}

}  // namespace hikyaku::app
