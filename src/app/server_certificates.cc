#include "app/server_certificates.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace hikyaku::app {

Result<std::vector<net::CertificatePem>> read_certificates(const Instance& instance,
                                                           const config::Config& config) {
  std::vector<net::CertificatePem> certificates;
  for (auto& entry : config.tls.certificates) {
    TRY(auto certificate, net::read_certificate(entry.cert.string(), entry.key.string()));
    certificate.names = entry.names;
    certificates.push_back(std::move(certificate));
  }
  if (certificates.empty() && std::filesystem::exists(instance.tls / "cert.pem")) {
    TRY(auto certificate, net::read_certificate((instance.tls / "cert.pem").string(),
                                                (instance.tls / "key.pem").string()));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

std::optional<Time> certificate_end(const net::ServerTls* tls) {
  std::optional<Time> end;
  if (!tls) return end;
  for (auto& facts : tls->certificates())
    end = std::min(end.value_or(facts.not_after), Time(facts.not_after));
  return end;
}

}  // namespace hikyaku::app
