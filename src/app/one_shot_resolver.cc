#include "app/one_shot_resolver.h"

#include "base/text.h"
#include "dns/zone_resolver.h"
#include "unbound/resolver.h"

namespace hikyaku::app {
namespace {

constexpr std::uint16_t kDnsPort = 53;

Result<Endpoint> server_of(const std::string& text) {
  if (auto endpoint = Endpoint::parse(text)) return *endpoint;
  if (auto address = IpAddress::parse(text)) return Endpoint{*address, kDnsPort};
  return fail(ErrorCode::Invalid, "--dns {}: give the server's address, such as 192.0.2.53:53",
              printable(text, 80));
}

}  // namespace

std::vector<OptionSpec> resolver_options() {
  return {
      {.name = "--zone",
       .value = "FILE",
       .help = {"answer from this zone file alone; what is not in it does not exist",
                "このゾーンファイルだけを DNS とする。書かれていない名前は存在しない"}},
      {.name = "--dns",
       .value = "ADDR:PORT",
       .help = {"ask this DNS server; without it, the authoritative servers are asked",
                "この DNS サーバーに問い合わせる。省略時は権威サーバーに直接問い合わせる"}},
  };
}

OneShotResolver::~OneShotResolver() {
  resolver_.reset();
  cores_.stop();
  cores_.join();
}

Result<std::unique_ptr<OneShotResolver>> OneShotResolver::create(const Invocation& invocation) {
  auto zone = invocation.value("--zone");
  auto server = invocation.value("--dns");
  if (zone && server)
    return fail(ErrorCode::Invalid, "--zone and --dns exclude each other: give one of them");
  std::unique_ptr<OneShotResolver> made(new OneShotResolver);
  if (zone) {
    auto parsed = dns::Zone::read(*zone);
    if (!parsed)
      return std::unexpected(Error{ErrorCode::Invalid, parsed.error().describe(), nullptr});
    made->resolver_ =
        std::make_unique<dns::ZoneResolver>(std::make_shared<const dns::Zone>(std::move(*parsed)));
  } else {
    unbound::Settings settings;
    if (server) {
      TRY(auto endpoint, server_of(*server));
      settings.forwarders.push_back(endpoint);
      // Whoever names a server believes it; private zones are seldom signed from the root on.
      settings.dnssec = false;
    }
    auto resolver = unbound::Resolver::create(made->cores_, std::move(settings));
    if (!resolver)
      return fail(ErrorCode::Unavailable, "no resolver: {}", resolver.error().describe());
    made->resolver_ = std::move(*resolver);
  }
  made->cores_.start();
  return made;
}

}  // namespace hikyaku::app
