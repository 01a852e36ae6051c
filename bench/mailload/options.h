// The command line of mailload: --name value.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "connection.h"

namespace mailload {

class Options {
 public:
  Options(int argc, char** argv, int first) {
    for (int i = first; i < argc; i += 2) {
      std::string name = argv[i];
      if (!name.starts_with("--") || i + 1 >= argc) throw Failure("not understood: " + name);
      values_[name.substr(2)] = argv[i + 1];
    }
  }

  std::string text(const std::string& name, std::string otherwise = "") const {
    auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
  }
  int number(const std::string& name, int otherwise) const {
    auto found = values_.find(name);
    return found == values_.end() ? otherwise : std::atoi(found->second.c_str());
  }
  Peer peer(const std::string& prefix = "") const {
    return {text(prefix + "host", "127.0.0.1"), number(prefix + "port", 0), text("source")};
  }
  /// The file of --file, which must have CRLF line ends.
  std::string message() const {
    std::ifstream file(text("file"), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!bytes.ends_with("\r\n")) throw Failure("--file must name a message with CRLF line ends");
    return bytes;
  }
  /// "user007@DOMAIN": accounts are numbered, --users of them, in --domain.
  std::string user(int number_of) const {
    auto digits = std::to_string(number_of % std::max(1, number("users", 1)));
    return "user" + std::string(3 - std::min<std::size_t>(digits.size(), 3), '0') + digits + "@" +
           text("domain");
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace mailload
