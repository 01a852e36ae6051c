#include "config/checks.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>

#include "config/options.h"

namespace hikyaku::config {
namespace {

class Checker {
 public:
  Checker(const Config& config, const LineOf& line_of, std::vector<Problem>& problems)
      : config_(config), line_of_(line_of), problems_(problems) {}

  void run() {
    ports();
    loopback();
    queue();
    limits();
    certificates();
  }

 private:
  /// At the later of the lines of two options.
  void conflict(std::string_view one, std::string_view other, std::string what,
                std::string remedy) {
    auto line = std::max(line_of_(one), line_of_(other));
    problems_.push_back({line, std::move(what), std::move(remedy)});
  }

  void ports() {
    auto& listen = config_.listen;
    const std::pair<std::string_view, const std::vector<ListenEntry>*> lists[] = {
        {"listen.smtp", &listen.smtp},   {"listen.submission", &listen.submission},
        {"listen.imap", &listen.imap},   {"listen.submissions", &listen.submissions},
        {"listen.imaps", &listen.imaps}, {"listen.pop3", &listen.pop3},
        {"listen.pop3s", &listen.pop3s},
    };
    std::map<Endpoint, std::string_view> taken;
    for (auto& [name, entries] : lists) {
      auto too_high = std::ranges::find_if(*entries, [&](auto& entry) {
        return entry.everywhere && entry.at.port + listen.port_base > 65535;
      });
      if (too_high != entries->end()) {
        conflict(name, "listen.port_base",
                 fmt::format("{} has port {}, which with listen.port_base = {} exceeds 65535", name,
                             too_high->at.port, listen.port_base),
                 "Choose a smaller listen.port_base.");
        continue;
      }
      for (auto& endpoint : listen.endpoints(*entries)) {
        auto [place, is_new] = taken.emplace(endpoint, name);
        if (is_new) continue;
        conflict(name, place->second,
                 fmt::format("{} and {} both want {}", place->second, name, endpoint.to_string()),
                 "Give each service a port of its own, or close one with [].");
      }
    }
    for (auto& endpoint : listen.metrics_endpoints()) {
      auto place = taken.find(endpoint);
      if (place == taken.end()) continue;
      conflict(
          "listen.metrics", place->second,
          fmt::format("{} and listen.metrics both want {}", place->second, endpoint.to_string()),
          "Give each service a port of its own, or close one with [].");
    }
  }

  void loopback() {
    if (!config_.server.local) return;
    for (auto& address : config_.listen.addresses) {
      if (address.is_loopback()) continue;
      conflict("server.local", "listen.addresses",
               fmt::format("server.local = true, but listen.addresses has {}, which others can "
                           "reach",
                           address.to_string()),
               "Use loopback addresses (127.0.0.0/8, ::1), or server.local = false.");
    }
  }

  void queue() {
    auto& queue = config_.queue;
    if (queue.delay_notice >= queue.lifetime)
      conflict("queue.delay_notice", "queue.lifetime",
               fmt::format("queue.delay_notice = \"{}\" would come after queue.lifetime = \"{}\"",
                           format_duration(queue.delay_notice), format_duration(queue.lifetime)),
               "Make it shorter, or \"0s\" for no notice.");
    auto expiry = config_.dkim.expiry;
    if (expiry != milliseconds(0) && expiry <= queue.lifetime)
      conflict("dkim.expiry", "queue.lifetime",
               fmt::format("dkim.expiry = \"{}\" ends before queue.lifetime = \"{}\"",
                           format_duration(expiry), format_duration(queue.lifetime)),
               "Mail that waits in queues would arrive with an expired signature: make it longer, "
               "or \"0s\" for none.");
    auto longest = *std::ranges::max_element(queue.retry);
    if (longest > queue.lifetime)
      conflict("queue.retry", "queue.lifetime",
               fmt::format("queue.retry has \"{}\", longer than queue.lifetime = \"{}\"",
                           format_duration(longest), format_duration(queue.lifetime)),
               "No message would live to see that attempt; use shorter waits.");
  }

  void limits() {
    auto& limits = config_.limits;
    auto within = [&](std::string_view name, std::uint32_t value, std::string_view whole_name,
                      std::uint32_t whole) {
      if (value <= whole) return;
      conflict(name, whole_name,
               fmt::format("{} = {} is more than {} = {}", name, value, whole_name, whole),
               "A part cannot have more than the whole.");
    };
    within("limits.connections_per_address", limits.connections_per_address, "limits.connections",
           limits.connections);
    within("transmit.connections_per_destination", config_.transmit.connections_per_destination,
           "transmit.connections", config_.transmit.connections);
  }

  void certificates() {
    auto& all = config_.tls.certificates;
    for (auto one = all.begin(); one != all.end(); ++one) {
      if (std::find(all.begin(), one, *one) == one) continue;
      conflict("tls.certificates", "tls.certificates",
               fmt::format("tls.certificates has {} twice", one->cert.string()), "Remove one.");
    }
  }

  const Config& config_;
  const LineOf& line_of_;
  std::vector<Problem>& problems_;
};

}  // namespace

void find_conflicts(const Config& config, const LineOf& line_of, std::vector<Problem>& problems) {
  Checker(config, line_of, problems).run();
}

}  // namespace hikyaku::config
