// FakeResolver: a Resolver for tests.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dns/resolver.h"
#include "dns/zone.h"

namespace hikyaku::dns {

/// Answers from zone text, with any outcome forced where a test needs it, and remembers what was
/// asked. For one thread.
///
///     FakeResolver dns("example.org. MX 10 mx.example.org.\n"
///                      "mx.example.org. A 192.0.2.1\n");
///     dns.set_secure("example.org");
class FakeResolver final : public Resolver {
 public:
  /// Throws std::invalid_argument with the line when the text is no zone.
  explicit FakeResolver(std::string_view zone_text = "");

  /// Adds the records of more zone text.
  void add(std::string_view zone_text);
  /// Names at and below `name` are DNSSEC-validated: their answers are secure.
  void set_secure(std::string_view name);
  /// Questions for `name` end with Failed or Bogus.
  void set_failed(std::string_view name);
  void set_bogus(std::string_view name);

  /// The questions so far, in order: "MX example.org".
  const std::vector<std::string>& asked() const { return asked_; }
  void forget_asked() { asked_.clear(); }

  Task<Answer<Mx>> mx(std::string name) override;
  Task<Answer<IpAddress>> a(std::string name) override;
  Task<Answer<IpAddress>> aaaa(std::string name) override;
  Task<Answer<std::string>> txt(std::string name) override;
  Task<Answer<std::string>> ptr(IpAddress address) override;
  Task<Answer<Tlsa>> tlsa(std::string name) override;
  Task<Answer<Srv>> srv(std::string name) override;
  Task<Answer<std::string>> cname(std::string name) override;

 private:
  template <class Value>
  Answer<Value> answer(const std::string& name, Type type,
                       std::optional<Value> (*decode)(std::string_view));

  std::string text_;
  Zone zone_;
  std::vector<std::string> secure_;
  std::map<std::string, Status, std::less<>> forced_;
  std::vector<std::string> asked_;
};

}  // namespace hikyaku::dns
