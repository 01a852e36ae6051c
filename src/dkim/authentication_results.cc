#include "dkim/authentication_results.h"

#include <fmt/format.h>

namespace hikyaku::dkim {

mime::AuthenticationMethod authentication_method(const Verdict& verdict) {
  mime::AuthenticationMethod method{.name = "dkim",
                                    .result = std::string(to_string(verdict.result))};
  method.reason = verdict.problem;
  if (verdict.key_bits > 0)
    method.comment =
        fmt::format("{}-bit key{}", verdict.key_bits, verdict.testing ? ", testing" : "");
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) method.properties.push_back({"header", std::string(name), value});
  };
  add("d", verdict.domain);
  if (verdict.identity != "@" + verdict.domain) add("i", verdict.identity);
  add("s", verdict.selector);
  add("a", verdict.algorithm);
  add("b", verdict.b_prefix);
  return method;
}

}  // namespace hikyaku::dkim
