#include "app/configured_resolver.h"

#include "app/core.h"
#include "base/text.h"
#include "dns/zone_resolver.h"
#include "unbound/resolver.h"

namespace hikyaku::app {

ConfiguredResolver::~ConfiguredResolver() = default;

Result<std::unique_ptr<ConfiguredResolver>> ConfiguredResolver::create(
    net::Cores& cores, const config::Config& config) {
  std::unique_ptr<ConfiguredResolver> made(new ConfiguredResolver);
  auto& dns = config.dns;
  // An instance on loopback (lab, tests) has no other DNS than its zone.
  if (dns.zone_file.empty() || !config.server.local) {
    unbound::Settings settings;
    settings.forwarders = dns.resolver;
    if (!dns.trust_anchors.empty()) {
      TRY(auto anchors, read_file(dns.trust_anchors));
      for (auto line : split(anchors, '\n')) {
        if (!trim(line).empty() && trim(line).front() != ';')
          settings.trust_anchors.emplace_back(trim(line));
      }
    }
    TRY(made->below_, unbound::Resolver::create(cores, std::move(settings)));
    made->resolver_ = made->below_.get();
  }
  if (!dns.zone_file.empty()) {
    TRY(auto parsed, dns::Zone::read(dns.zone_file.string()));
    made->zone_ = std::make_unique<dns::ZoneResolver>(
        std::make_shared<const dns::Zone>(std::move(parsed)), made->below_.get());
    made->resolver_ = made->zone_.get();
  }
  return made;
}

}  // namespace hikyaku::app
