// BoundedResolver: the questions about one message, all within one deadline. Private to receive/.
#pragma once

#include <chrono>
#include <memory>

#include "base/cancellation.h"
#include "base/executor.h"
#include "dns/resolver.h"

namespace hikyaku::receive {

/// Asks another resolver until its time is up, from when it was made; from then on every question
/// is answered with Failed at once. Between questions it lets the event loop do other things: a
/// signature is checked after each, and a chain of fifty must not hold up everybody else. Made and
/// used on one event loop.
class BoundedResolver final : public dns::Resolver {
 public:
  BoundedResolver(dns::Resolver& resolver, std::chrono::milliseconds deadline);

  Task<dns::Answer<dns::Mx>> mx(std::string name) override;
  Task<dns::Answer<IpAddress>> a(std::string name) override;
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override;
  Task<dns::Answer<std::string>> txt(std::string name) override;
  Task<dns::Answer<std::string>> ptr(IpAddress address) override;
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string name) override;
  Task<dns::Answer<dns::Srv>> srv(std::string name) override;
  Task<dns::Answer<std::string>> cname(std::string name) override;

 private:
  template <class Record>
  Task<dns::Answer<Record>> ask(Task<dns::Answer<Record>> question);

  dns::Resolver& resolver_;
  std::size_t asked_ = 0;
  Cancellation late_;
  std::unique_ptr<Executor::Timer> timer_;
};

}  // namespace hikyaku::receive
