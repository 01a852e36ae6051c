#include "dns/fake_resolver.h"

#include <algorithm>
#include <stdexcept>

#include "dns/name.h"
#include "dns/zone_resolver.h"

namespace hikyaku::dns {
namespace {

std::string normal(std::string_view name) {
  return normal_name(name).value_or(std::string(name));
}

}  // namespace

FakeResolver::FakeResolver(std::string_view zone_text) {
  add(zone_text);
}

void FakeResolver::add(std::string_view zone_text) {
  text_ += zone_text;
  text_ += '\n';
  auto parsed = Zone::parse(text_, "test zone");
  if (!parsed) throw std::invalid_argument(parsed.error().text);
  zone_ = std::move(*parsed);
}

void FakeResolver::set_secure(std::string_view name) {
  secure_.push_back(normal(name));
}

void FakeResolver::set_failed(std::string_view name) {
  forced_[normal(name)] = Status::Failed;
}

void FakeResolver::set_bogus(std::string_view name) {
  forced_[normal(name)] = Status::Bogus;
}

template <class Value>
Answer<Value> FakeResolver::answer(const std::string& name, Type type,
                                   std::optional<Value> (*decode)(std::string_view)) {
  asked_.push_back(to_string(type) + " " + normal(name));
  auto lookup = zone_.find(name, type);
  std::vector<std::string> visited{normal(name)};
  for (auto& alias : lookup.chain) visited.push_back(decode_name(alias.data).value_or(""));
  auto answer = to_answer(lookup, decode);
  answer.secure = !answer.failed();
  for (auto& step : visited) {
    answer.secure = answer.secure && std::ranges::any_of(secure_, [&](auto& secure_name) {
                      return is_within(step, secure_name);
                    });
    if (auto forced = forced_.find(step); forced != forced_.end()) {
      answer = {};
      answer.status = forced->second;
      answer.name = step;
      answer.problem = forced->second == Status::Bogus ? "the signature of " + step + " is wrong"
                                                       : "the servers for " + step + " fail";
      return answer;
    }
  }
  return answer;
}

Task<Answer<Mx>> FakeResolver::mx(std::string name) {
  co_return answer(name, Type::MX, decode_mx);
}
Task<Answer<IpAddress>> FakeResolver::a(std::string name) {
  co_return answer(name, Type::A, decode_a);
}
Task<Answer<IpAddress>> FakeResolver::aaaa(std::string name) {
  co_return answer(name, Type::AAAA, decode_aaaa);
}
Task<Answer<std::string>> FakeResolver::txt(std::string name) {
  co_return answer(name, Type::TXT, decode_txt);
}
Task<Answer<std::string>> FakeResolver::ptr(IpAddress address) {
  co_return answer(address.reverse_name(), Type::PTR, decode_name);
}
Task<Answer<Tlsa>> FakeResolver::tlsa(std::string name) {
  co_return answer(name, Type::TLSA, decode_tlsa);
}
Task<Answer<Srv>> FakeResolver::srv(std::string name) {
  co_return answer(name, Type::SRV, decode_srv);
}
Task<Answer<std::string>> FakeResolver::cname(std::string name) {
  co_return answer(name, Type::CNAME, decode_name);
}

}  // namespace hikyaku::dns
