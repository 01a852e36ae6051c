// Keys and answers for the tests of DKIM and ARC.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/resolver.h"

namespace hikyaku::dkim {

/// A TXT record in zone form, cut into strings of at most 200 bytes.
inline std::string txt_record(std::string_view name, std::string_view text) {
  std::string line = std::string(name) + ". TXT";
  do {
    line += " \"";
    for (char c : text.substr(0, 200)) {
      if (c == '"' || c == '\\') line += '\\';
      line += c;
    }
    line += '"';
    text.remove_prefix(std::min<std::size_t>(200, text.size()));
  } while (!text.empty());
  return line + "\n";
}

/// Answers every TXT question at once with one of its lines, always the same for a name; for lines
/// that begin with "!", with a failure.
class AnyTxtResolver final : public dns::Resolver {
 public:
  explicit AnyTxtResolver(std::vector<std::string> lines) : lines_(std::move(lines)) {}

  Task<dns::Answer<std::string>> txt(std::string name) override {
    ++asked;
    dns::Answer<std::string> answer;
    answer.name = name;
    answer.status = dns::Status::NoName;
    answer.ttl = std::chrono::seconds(60);
    if (lines_.empty()) co_return answer;
    auto& line = lines_[std::hash<std::string>()(name) % lines_.size()];
    answer.status = line.starts_with('!') ? dns::Status::Failed : dns::Status::Ok;
    if (answer.ok()) answer.records.push_back(line);
    co_return answer;
  }
  Task<dns::Answer<dns::Mx>> mx(std::string) override { co_return {}; }
  Task<dns::Answer<IpAddress>> a(std::string) override { co_return {}; }
  Task<dns::Answer<IpAddress>> aaaa(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> ptr(IpAddress) override { co_return {}; }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { co_return {}; }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> cname(std::string) override { co_return {}; }

  std::size_t asked = 0;

 private:
  std::vector<std::string> lines_;
};

}  // namespace hikyaku::dkim
