#include "dns/zone_resolver.h"

#include <algorithm>

namespace hikyaku::dns {

ZoneResolver::ZoneResolver(std::shared_ptr<const Zone> zone, Resolver* fallback)
    : zone_(std::move(zone)), fallback_(fallback) {}

void ZoneResolver::replace(std::shared_ptr<const Zone> zone) {
  std::lock_guard lock(mutex_);
  zone_ = std::move(zone);
}

std::shared_ptr<const Zone> ZoneResolver::zone() const {
  std::lock_guard lock(mutex_);
  return zone_;
}

template <class Value, class Ask>
Task<Answer<Value>> ZoneResolver::answer(std::string name, Type type,
                                         std::optional<Value> (*decode)(std::string_view),
                                         Ask ask) {
  auto lookup = zone()->find(name, type);
  if (!lookup.outside || !fallback_ || lookup.name.empty()) co_return to_answer(lookup, decode);
  auto answer = co_await ask(*fallback_, lookup.name);
  if (!lookup.chain.empty()) {
    answer.secure = false;
    for (auto& alias : lookup.chain)
      answer.ttl = std::min(answer.ttl, std::chrono::seconds(alias.ttl));
  }
  co_return answer;
}

Task<Answer<Mx>> ZoneResolver::mx(std::string name) {
  return answer<Mx>(std::move(name), Type::MX, decode_mx,
                    [](Resolver& other, std::string at) { return other.mx(std::move(at)); });
}

Task<Answer<IpAddress>> ZoneResolver::a(std::string name) {
  return answer<IpAddress>(std::move(name), Type::A, decode_a,
                           [](Resolver& other, std::string at) { return other.a(std::move(at)); });
}

Task<Answer<IpAddress>> ZoneResolver::aaaa(std::string name) {
  return answer<IpAddress>(
      std::move(name), Type::AAAA, decode_aaaa,
      [](Resolver& other, std::string at) { return other.aaaa(std::move(at)); });
}

Task<Answer<std::string>> ZoneResolver::txt(std::string name) {
  return answer<std::string>(
      std::move(name), Type::TXT, decode_txt,
      [](Resolver& other, std::string at) { return other.txt(std::move(at)); });
}

Task<Answer<std::string>> ZoneResolver::ptr(IpAddress address) {
  auto name = address.reverse_name();
  return answer<std::string>(name, Type::PTR, decode_name, [address](Resolver& other, std::string) {
    return other.ptr(address);
  });
}

Task<Answer<Tlsa>> ZoneResolver::tlsa(std::string name) {
  return answer<Tlsa>(std::move(name), Type::TLSA, decode_tlsa,
                      [](Resolver& other, std::string at) { return other.tlsa(std::move(at)); });
}

Task<Answer<Srv>> ZoneResolver::srv(std::string name) {
  return answer<Srv>(std::move(name), Type::SRV, decode_srv,
                     [](Resolver& other, std::string at) { return other.srv(std::move(at)); });
}

Task<Answer<std::string>> ZoneResolver::cname(std::string name) {
  return answer<std::string>(
      std::move(name), Type::CNAME, decode_name,
      [](Resolver& other, std::string at) { return other.cname(std::move(at)); });
}

}  // namespace hikyaku::dns
