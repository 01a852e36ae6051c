// ZoneResolver: answers from a Zone, alone or laid over another Resolver (lab, tests, split
// horizon).
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "dns/resolver.h"
#include "dns/zone.h"

namespace hikyaku::dns {

/// With a fallback, names that the zone says nothing about go to it, also when CNAMEs lead there; a
/// zone with an SOA record decides about all names at and below its apex, any other record only
/// about its own name. Without a fallback, what is not in the zone does not exist. Answers are
/// never `secure`: nobody signed the file.
class ZoneResolver final : public Resolver {
 public:
  /// `fallback` must outlive this.
  explicit ZoneResolver(std::shared_ptr<const Zone> zone, Resolver* fallback = nullptr);

  /// Answers from `zone` from now on. From any thread.
  void replace(std::shared_ptr<const Zone> zone);

  Task<Answer<Mx>> mx(std::string name) override;
  Task<Answer<IpAddress>> a(std::string name) override;
  Task<Answer<IpAddress>> aaaa(std::string name) override;
  Task<Answer<std::string>> txt(std::string name) override;
  Task<Answer<std::string>> ptr(IpAddress address) override;
  Task<Answer<Tlsa>> tlsa(std::string name) override;
  Task<Answer<Srv>> srv(std::string name) override;
  Task<Answer<std::string>> cname(std::string name) override;

 private:
  std::shared_ptr<const Zone> zone() const;
  template <class Value, class Ask>
  Task<Answer<Value>> answer(std::string name, Type type,
                             std::optional<Value> (*decode)(std::string_view), Ask ask);

  mutable std::mutex mutex_;
  std::shared_ptr<const Zone> zone_;
  Resolver* fallback_;
};

/// The records of a lookup as values. A record that does not decode is left out; when none is left,
/// the answer is Failed.
template <class Value>
Answer<Value> to_answer(const Lookup& lookup, std::optional<Value> (*decode)(std::string_view)) {
  Answer<Value> answer;
  answer.status = lookup.status;
  answer.ttl = std::chrono::seconds(lookup.ttl);
  answer.name = lookup.name;
  answer.problem = lookup.problem;
  for (auto& record : lookup.records)
    if (auto value = decode(record.data)) answer.records.push_back(std::move(*value));
  if (answer.ok() && answer.records.empty()) {
    answer.status = Status::Failed;
    answer.problem = "the records of " + lookup.name + " are malformed";
  }
  return answer;
}

}  // namespace hikyaku::dns
