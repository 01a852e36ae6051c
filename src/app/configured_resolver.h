// The resolver that the configuration asks for: libunbound, a zone file laid over it, or on
// loopback the zone file alone.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/config.h"
#include "dns/resolver.h"

namespace hikyaku::net {
class Cores;
}

namespace hikyaku::unbound {
class Resolver;
}

namespace hikyaku::app {

class ConfiguredResolver {
 public:
  /// `cores` must outlive it. The error names the file or option that is wrong.
  static Result<std::unique_ptr<ConfiguredResolver>> create(net::Cores& cores,
                                                            const config::Config& config);
  ~ConfiguredResolver();

  dns::Resolver& get() const { return *resolver_; }
  /// The part that asks the DNS; null: there is none but the zone file.
  unbound::Resolver* outside() const { return below_.get(); }

 private:
  ConfiguredResolver() = default;

  std::unique_ptr<unbound::Resolver> below_;
  std::unique_ptr<dns::Resolver> zone_;
  dns::Resolver* resolver_ = nullptr;
};

}  // namespace hikyaku::app
