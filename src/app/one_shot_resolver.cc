#include "app/one_shot_resolver.h"

#include "base/text.h"
#include "dns/zone_resolver.h"
#include "unbound/probe.h"
#include "unbound/resolver.h"

namespace hikyaku::app {
namespace {

constexpr std::uint16_t kDnsPort = 53;

constexpr std::chrono::seconds kProbe{3};

constexpr Phrase kNoDns{
    "no DNS server answers: is there a network? To ask a certain server: --dns ADDRESS; to answer "
    "from a file: --zone FILE",
    "どの DNS サーバーも応答しません。ネットワークはつながっていますか? 特定のサーバーに"
    "問い合わせるには --dns アドレス、ファイルから答えるには --zone ファイル"};
constexpr Phrase kNoServer{"the DNS server {} does not answer: is it the right one (--dns)?",
                           "DNS サーバー {} が応答しません。--dns の指定は正しいですか?"};

Result<Endpoint> server_of(const std::string& text) {
  if (auto endpoint = Endpoint::parse(text); endpoint && endpoint->port != 0) return *endpoint;
  if (auto address = IpAddress::parse(text)) return Endpoint{*address, kDnsPort};
  auto shown = printable(text, 80);
  auto colon = text.rfind(':');
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (colon != text.npos && IpAddress::parse(host))
    return fail(ErrorCode::Invalid, "--dns {}: a port is a number from 1 to 65535", shown);
  return fail(ErrorCode::Invalid,
              "--dns {}: give the server's address, such as 192.0.2.53 or [2001:db8::53]:5353; a "
              "name would have to be looked up first",
              shown);
}

Task<bool> somebody_answers(dns::Resolver& resolver, std::vector<Endpoint> servers) {
  for (auto& server : servers)
    if (unbound::answers(server, kProbe)) co_return true;
  if (!servers.empty()) co_return false;
  auto root = co_await resolver.a("a.root-servers.net");
  co_return root.status != dns::Status::Failed;
}

}  // namespace

AskedResolver::Probe dns_probe(dns::Resolver& resolver, std::vector<Endpoint> servers) {
  return [&resolver, servers = std::move(servers)]() -> Task<bool> {
    return somebody_answers(resolver, servers);
  };
}

std::optional<Exit> OneShotResolver::complain_if_unreachable(Terminal& terminal) const {
  if (!asked_->is_unreachable()) return std::nullopt;
  if (server_)
    terminal.complain(kNoServer, server_->to_string());
  else
    terminal.complain(kNoDns);
  return Exit::TryLater;
}

void tell_questions(const OneShotResolver& resolver, Terminal& terminal) {
  auto text = describe_questions(resolver.questions(), terminal.language());
  if (!text.empty()) terminal.lines('\n' + text);
}

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
  asked_.reset();
  resolver_.reset();
  cores_.stop();
  cores_.join();
}

Result<std::unique_ptr<OneShotResolver>> OneShotResolver::create(const Invocation& invocation,
                                                                 Terminal& terminal) {
  auto zone = invocation.value("--zone");
  auto server = invocation.value("--dns");
  if (zone && server)
    return fail(ErrorCode::Invalid, "--zone and --dns exclude each other: give one of them");
  std::unique_ptr<OneShotResolver> made(new OneShotResolver(terminal));
  if (zone) {
    auto parsed = dns::Zone::read(*zone);
    if (!parsed)
      return std::unexpected(Error{ErrorCode::Invalid, parsed.error().describe(), nullptr});
    made->resolver_ =
        std::make_unique<dns::ZoneResolver>(std::make_shared<const dns::Zone>(std::move(*parsed)));
    made->asked_ = std::make_unique<AskedResolver>(*made->resolver_);
  } else {
    unbound::Settings settings;
    if (server) {
      TRY(made->server_, server_of(*server));
      settings.forwarders.push_back(*made->server_);
      // Whoever names a server believes it; private zones are seldom signed from the root on.
      settings.dnssec = false;
    }
    auto servers = settings.forwarders;
    auto resolver = unbound::Resolver::create(made->cores_, std::move(settings));
    if (!resolver)
      return fail(ErrorCode::Unavailable, "no resolver: {}", resolver.error().describe());
    made->resolver_ = std::move(*resolver);
    made->asked_ = std::make_unique<AskedResolver>(*made->resolver_,
                                                   dns_probe(*made->resolver_, std::move(servers)));
  }
  made->cores_.start();
  return made;
}

}  // namespace hikyaku::app
