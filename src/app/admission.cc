#include "app/admission.h"

#include <algorithm>
#include <utility>

#include "pop3/replies.h"
#include "smtp/replies.h"

namespace hikyaku::app {

std::string network_of(const IpAddress& peer) {
  return peer.is_v4() ? peer.to_string() : peer.network(64).to_string();
}

void Admission::set_limits(std::uint32_t total, std::uint32_t per_address) {
  std::lock_guard lock(mutex_);
  most_ = total;
  most_per_address_ = per_address;
}

std::expected<void, std::string_view> Admission::enter(const IpAddress& peer,
                                                       std::uint32_t most_here) {
  std::lock_guard lock(mutex_);
  if (total_ >= most_) return std::unexpected("limits.connections");
  auto here = by_address_.try_emplace(network_of(peer)).first;
  if (here->second >= std::min(most_per_address_, most_here)) {
    if (here->second == 0) by_address_.erase(here);
    return std::unexpected(most_here < most_per_address_ ? "limits.memory"
                                                         : "limits.connections_per_address");
  }
  ++here->second;
  ++total_;
  return {};
}

void Admission::leave(const IpAddress& peer) {
  std::lock_guard lock(mutex_);
  auto found = by_address_.find(network_of(peer));
  if (found == by_address_.end()) return;
  --total_;
  if (--found->second == 0) by_address_.erase(found);
}

std::optional<std::uint64_t> RefusalLog::note(const IpAddress& peer, Time now) {
  std::lock_guard lock(mutex_);
  // A clock that was set back begins another minute, too.
  if (now < begun_ || now - begun_ >= std::chrono::minutes(1)) {
    begun_ = now;
    told_.clear();
  }
  if (told_.size() >= kMostLines || !told_.insert(network_of(peer)).second) {
    ++untold_;
    return std::nullopt;
  }
  return std::exchange(untold_, 0);
}

std::string farewell(Service service, NotNow why, const std::string& host_name) {
  auto busy = why == NotNow::TooBusy;
  std::string text =
      busy ? "Too much is going on here, try again later" : "Too many connections, try again later";
  switch (service) {
    case Service::Smtp:
    case Service::Submission:
      return smtp::format(busy ? smtp::replies::busy(host_name)
                               : smtp::replies::too_many_connections(host_name));
    case Service::Imap:
      return "* BYE [UNAVAILABLE] " + text + "\r\n";
    case Service::Pop3: {
      std::string line;
      pop3::append_reply(line, pop3::err(text, pop3::kCodeSysTemp));
      return line;
    }
    case Service::Http:
      return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    // These begin with a TLS handshake: there is nothing that could be said.
    case Service::Submissions:
    case Service::Imaps:
    case Service::Pop3s:
      break;
  }
  return {};
}

}  // namespace hikyaku::app
