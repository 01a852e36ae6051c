#include "arc/explain.h"

#include <fmt/format.h>

#include "arc/problem.h"
#include "base/json.h"
#include "base/text.h"
#include "dkim/explain.h"
#include "mime/header.h"

namespace hikyaku::arc {
namespace {

constexpr Phrase kHop{"i={}: sealed by {} (selector {})\n", "i={}: {} が封印 (セレクター {})\n"};
constexpr Phrase kFound{"     it found: {}\n", "     その判定: {}\n"};
constexpr Phrase kHeader{"the header can be read in more than one way: {}\n",
                         "ヘッダーが複数の読み方をされうる: {}\n"};
constexpr std::size_t kShown = 200;

/// "spf=pass, dkim=fail"
std::string methods_of(const mime::AuthenticationResults& results) {
  std::string text;
  for (auto& method : results.methods) {
    if (text.size() > kShown) return text + ", …";
    text += (text.empty() ? "" : ", ") + method.name + "=" + method.result;
  }
  return text.empty() ? "none" : text;
}

}  // namespace

mime::AuthenticationMethod authentication_method(const Verdict& verdict) {
  mime::AuthenticationMethod method{.name = "arc",
                                    .result = std::string(dkim::to_string(verdict.result)),
                                    .reason = verdict.problem};
  if (verdict.hops.empty()) return method;
  method.comment = fmt::format("i={}, sealed by", verdict.hops.front().instance);
  for (auto& hop : verdict.hops) {
    if (method.comment.size() > 150) break;
    method.comment += (&hop == &verdict.hops.front() ? " " : ", ") + hop.domain;
  }
  return method;
}

std::string details(const Verdict& verdict, Language language) {
  std::string text;
  if (!verdict.problem.empty()) text += problem_in(verdict.problem, language) + "\n";
  if (!verdict.header_problem.empty())
    text += say(language, kHeader, problem_in(verdict.header_problem, language));
  for (auto& hop : verdict.hops) {
    text += say(language, kHop, hop.instance, printable(hop.domain, kShown),
                printable(hop.selector, kShown));
    if (hop.results) text += say(language, kFound, methods_of(*hop.results));
  }
  return text;
}

std::string describe_json(const Verdict& verdict) {
  JsonWriter json;
  json.begin_object()
      .member("result", dkim::to_string(verdict.result))
      .member("problem", verdict.problem)
      .member("header_problem", verdict.header_problem);
  json.key("hops").begin_array();
  for (auto& hop : verdict.hops) {
    json.begin_object()
        .member("instance", hop.instance)
        .member("domain", hop.domain)
        .member("selector", hop.selector);
    json.key("signed_at");
    if (hop.signed_at)
      json.value(std::chrono::duration_cast<seconds>(hop.signed_at->time_since_epoch()).count());
    else
      json.null();
    json.key("results");
    if (hop.results)
      json.value(mime::unfold(mime::write_authentication_results(*hop.results)));
    else
      json.null();
    json.end_object();
  }
  json.end_array();
  json.key("lookups");
  dkim::describe_json(json, verdict.lookups);
  json.end_object();
  return json.take();
}

}  // namespace hikyaku::arc
