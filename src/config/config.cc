#include "config/config.h"

#include <algorithm>

namespace hikyaku::config {

std::vector<std::string> offered_mechanisms(const std::vector<std::string>& configured,
                                            Channel channel) {
  constexpr std::string_view kStrongestFirst[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
                                                  "PLAIN", "LOGIN"};
  std::vector<std::string> offered;
  for (auto name : kStrongestFirst) {
    std::string mechanism(name);
    if (std::ranges::find(configured, mechanism) == configured.end()) continue;
    auto shows_password = mechanism == "PLAIN" || mechanism == "LOGIN";
    if (shows_password && channel == Channel::Clear) continue;
    if (mechanism.starts_with("SCRAM-") && channel == Channel::Tls)
      offered.push_back(mechanism + "-PLUS");
    offered.push_back(mechanism);
  }
  return offered;
}

std::vector<Endpoint> Config::Listen::endpoints(const std::vector<ListenEntry>& entries) const {
  std::vector<Endpoint> all;
  for (auto& entry : entries) {
    if (!entry.everywhere) {
      all.push_back(entry.at);
      continue;
    }
    auto port = static_cast<std::uint16_t>(entry.at.port + port_base);
    for (auto& address : addresses) all.push_back({address, port});
  }
  return all;
}

std::vector<Endpoint> Config::Listen::metrics_endpoints() const {
  std::vector<Endpoint> all;
  for (auto& entry : metrics) {
    auto here = entry.at;
    if (entry.everywhere)
      here = {IpAddress(std::array<std::uint8_t, 4>{127, 0, 0, 1}), entry.at.port};
    all.push_back(here);
  }
  return all;
}

std::uint16_t Config::mx_port() const {
  if (transmit.mx_port != 0) return transmit.mx_port;
  return static_cast<std::uint16_t>(25 + (server.local ? listen.port_base : 0));
}

bool Config::offers(std::string_view mechanism) const {
  for (auto list : {&smtp.mechanisms, &submission.mechanisms, &imap.mechanisms, &pop3.mechanisms})
    if (std::ranges::find(*list, mechanism) != list->end()) return true;
  return false;
}

}  // namespace hikyaku::config
