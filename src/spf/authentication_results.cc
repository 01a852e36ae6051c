#include "spf/authentication_results.h"

#include "spf/explain.h"

namespace hikyaku::spf {

mime::AuthenticationMethod authentication_method(const Verdict& verdict, const Query& query) {
  mime::AuthenticationMethod method{.name = "spf",
                                    .result = std::string(to_string(verdict.result)),
                                    .comment = summary(verdict, query.ip, Language::English)};
  if (verdict.identity == Identity::Helo)
    method.properties.push_back({"smtp", "helo", query.helo});
  else
    method.properties.push_back(
        {"smtp", "mailfrom",
         query.mail_from.empty() ? "postmaster@" + query.helo : query.mail_from});
  return method;
}

}  // namespace hikyaku::spf
