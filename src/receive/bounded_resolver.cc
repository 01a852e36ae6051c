#include "receive/bounded_resolver.h"

#include <utility>

#include "base/async.h"

namespace hikyaku::receive {
namespace {

/// Signatures are some 30 µs each; so many questions are asked in one go.
constexpr std::size_t kQuestionsInOneGo = 8;

}  // namespace

BoundedResolver::BoundedResolver(dns::Resolver& resolver, std::chrono::milliseconds deadline)
    : resolver_(resolver),
      timer_(Executor::current()->after(deadline, [this] { late_.cancel(); })) {}

template <class Record>
Task<dns::Answer<Record>> BoundedResolver::ask(Task<dns::Answer<Record>> question) {
  if (++asked_ % kQuestionsInOneGo == 0) co_await yield_now();
  auto answer = co_await unless_cancelled(late_, std::move(question));
  if (answer) co_return std::move(*answer);
  dns::Answer<Record> none;
  none.problem = "no answer before the deadline for checking a sender";
  co_return none;
}

Task<dns::Answer<dns::Mx>> BoundedResolver::mx(std::string name) {
  return ask(resolver_.mx(std::move(name)));
}
Task<dns::Answer<IpAddress>> BoundedResolver::a(std::string name) {
  return ask(resolver_.a(std::move(name)));
}
Task<dns::Answer<IpAddress>> BoundedResolver::aaaa(std::string name) {
  return ask(resolver_.aaaa(std::move(name)));
}
Task<dns::Answer<std::string>> BoundedResolver::txt(std::string name) {
  return ask(resolver_.txt(std::move(name)));
}
Task<dns::Answer<std::string>> BoundedResolver::ptr(IpAddress address) {
  return ask(resolver_.ptr(address));
}
Task<dns::Answer<dns::Tlsa>> BoundedResolver::tlsa(std::string name) {
  return ask(resolver_.tlsa(std::move(name)));
}
Task<dns::Answer<dns::Srv>> BoundedResolver::srv(std::string name) {
  return ask(resolver_.srv(std::move(name)));
}
Task<dns::Answer<std::string>> BoundedResolver::cname(std::string name) {
  return ask(resolver_.cname(std::move(name)));
}

}  // namespace hikyaku::receive
