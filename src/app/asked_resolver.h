// AskedResolver: keeps what a one-shot command asked of the DNS, for people to read, and finds out
// whether there is a DNS at all.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/phrase.h"
#include "dns/record.h"
#include "dns/resolver.h"

namespace hikyaku::app {

/// A question and its answer.
struct AskedQuestion {
  dns::Type type = dns::Type::TXT;
  std::string name;
  dns::Status status = dns::Status::Failed;
  std::vector<std::string> records;  ///< as in a zone file, more or less; bytes from strangers
  std::chrono::seconds ttl{0};
  std::string problem;
};

/// Used on one loop.
class AskedResolver final : public dns::Resolver {
 public:
  /// Whether anybody answers at all; asked once, after the first question that failed.
  using Probe = std::function<Task<bool>()>;
  /// `below` must outlive it. Without a probe somebody always answers.
  explicit AskedResolver(dns::Resolver& below, Probe probe = {})
      : below_(below), probe_(std::move(probe)) {}

  Task<dns::Answer<dns::Mx>> mx(std::string name) override;
  Task<dns::Answer<IpAddress>> a(std::string name) override;
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override;
  Task<dns::Answer<std::string>> txt(std::string name) override;
  Task<dns::Answer<std::string>> ptr(IpAddress address) override;
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string name) override;
  Task<dns::Answer<dns::Srv>> srv(std::string name) override;
  Task<dns::Answer<std::string>> cname(std::string name) override;

  /// Nobody answered anything: what came of it says nothing. Questions that came later failed at
  /// once.
  bool is_unreachable() const { return reach_ == Reach::Nobody; }
  /// Each question once, in the order of asking.
  const std::vector<AskedQuestion>& questions() const { return questions_; }

 private:
  enum class Reach { Unknown, Somebody, Nobody };
  template <class Record>
  Task<dns::Answer<Record>> ask(dns::Type type, std::string name,
                                Task<dns::Answer<Record>> question);

  dns::Resolver& below_;
  Probe probe_;
  Reach reach_ = Reach::Unknown;
  std::vector<AskedQuestion> questions_;
};

/// One line a question, under a heading; "" without questions. For Terminal::lines().
std::string describe_questions(const std::vector<AskedQuestion>& questions, Language language);

}  // namespace hikyaku::app
