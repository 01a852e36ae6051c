#include "app/asked_resolver.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "dns/problem.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kMostQuestions = 500;
constexpr std::size_t kMostRecords = 20;
constexpr std::size_t kShown = 300;
/// The record of an RSA key of 4096 bits has some 750 bytes, and is there to be copied.
constexpr std::size_t kShownRecord = 1500;

constexpr Phrase kAsked{"Asked of the DNS", "DNS への問い合わせ"};
constexpr Phrase kTtl{"TTL {} s", "TTL {} 秒"};
constexpr Phrase kNoName{"the name does not exist", "その名前は存在しません"};
constexpr Phrase kNoRecord{"no such record", "その種類のレコードはありません"};
constexpr Phrase kFailed{"could not be found out", "確認できません"};

std::string text_of(const dns::Mx& mx) {
  return fmt::format("{} {}.", mx.preference, mx.exchange);
}
std::string text_of(const IpAddress& address) {
  return address.to_string();
}
std::string text_of(const std::string& text) {
  return text;
}
std::string text_of(const dns::Tlsa& tlsa) {
  return fmt::format("{} {} {} ({} bytes)", tlsa.usage, tlsa.selector, tlsa.matching_type,
                     tlsa.data.size());
}
std::string text_of(const dns::Srv& srv) {
  return fmt::format("{} {} {} {}.", srv.priority, srv.weight, srv.port, srv.target);
}

std::string outcome_of(const AskedQuestion& question, Language language) {
  std::string text;
  switch (question.status) {
    case dns::Status::Ok:
      for (auto& record : question.records) {
        if (!text.empty()) text += " | ";
        text += printable(record, kShownRecord);
      }
      break;
    case dns::Status::NoName:
      text = kNoName.in(language);
      break;
    case dns::Status::NoRecord:
      text = kNoRecord.in(language);
      break;
    case dns::Status::Failed:
    case dns::Status::Bogus:
      text = std::string(kFailed.in(language));
      if (!question.problem.empty())
        text += ": " + printable(dns::problem_in(question.problem, language), kShown);
      return text;
  }
  return text + " (" + say(language, kTtl, question.ttl.count()) + ")";
}

}  // namespace

template <class Record>
Task<dns::Answer<Record>> AskedResolver::ask(dns::Type type, std::string name,
                                             Task<dns::Answer<Record>> question) {
  dns::Answer<Record> answer;
  if (reach_ == Reach::Nobody) {
    answer.name = std::move(name);
    answer.problem = "no DNS server answers";
    co_return answer;
  }
  answer = co_await std::move(question);
  if (answer.status != dns::Status::Failed) {
    reach_ = Reach::Somebody;
  } else if (reach_ == Reach::Unknown && probe_) {
    auto somebody = co_await probe_();
    // Another question may have been answered meanwhile.
    if (reach_ == Reach::Unknown) reach_ = somebody ? Reach::Somebody : Reach::Nobody;
  }
  auto known = std::ranges::any_of(
      questions_, [&](auto& one) { return one.type == type && iequals(one.name, name); });
  if (known || questions_.size() >= kMostQuestions) co_return answer;
  AskedQuestion asked{.type = type,
                      .name = std::move(name),
                      .status = answer.status,
                      .records = {},
                      .ttl = answer.ttl,
                      .problem = answer.problem};
  for (auto& record : answer.records)
    if (asked.records.size() < kMostRecords) asked.records.push_back(text_of(record));
  questions_.push_back(std::move(asked));
  co_return answer;
}

Task<dns::Answer<dns::Mx>> AskedResolver::mx(std::string name) {
  return ask(dns::Type::MX, name, below_.mx(name));
}
Task<dns::Answer<IpAddress>> AskedResolver::a(std::string name) {
  return ask(dns::Type::A, name, below_.a(name));
}
Task<dns::Answer<IpAddress>> AskedResolver::aaaa(std::string name) {
  return ask(dns::Type::AAAA, name, below_.aaaa(name));
}
Task<dns::Answer<std::string>> AskedResolver::txt(std::string name) {
  return ask(dns::Type::TXT, name, below_.txt(name));
}
Task<dns::Answer<std::string>> AskedResolver::ptr(IpAddress address) {
  return ask(dns::Type::PTR, address.reverse_name(), below_.ptr(address));
}
Task<dns::Answer<dns::Tlsa>> AskedResolver::tlsa(std::string name) {
  return ask(dns::Type::TLSA, name, below_.tlsa(name));
}
Task<dns::Answer<dns::Srv>> AskedResolver::srv(std::string name) {
  return ask(dns::Type::SRV, name, below_.srv(name));
}
Task<dns::Answer<std::string>> AskedResolver::cname(std::string name) {
  return ask(dns::Type::CNAME, name, below_.cname(name));
}

std::string describe_questions(const std::vector<AskedQuestion>& questions, Language language) {
  if (questions.empty()) return {};
  auto text = fmt::format("{}:\n", kAsked.in(language));
  for (auto& one : questions)
    text += fmt::format("  {:<4} {}: {}\n", dns::to_string(one.type), printable(one.name, 260),
                        outcome_of(one, language));
  return text;
}

}  // namespace hikyaku::app
