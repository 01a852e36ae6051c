#include "dkim/explain.h"

#include "base/text.h"
#include "dkim/problem.h"

namespace hikyaku::dkim {
namespace {

constexpr Phrase kSelector{", selector {}", "、セレクター {}"};
constexpr Phrase kIdentity{", for {}", "、{} として"};
constexpr Phrase kAlgorithm{", {}", "、{}"};
constexpr Phrase kBits{", {} bits", "、{} ビット"};
constexpr Phrase kTesting{", in testing", "、試験中"};
constexpr Phrase kTypeUnsigned{", Content-Type not signed", "、Content-Type は署名対象外"};
constexpr Phrase kSignedAt{", signed {}", "、署名日時 {}"};
constexpr std::size_t kShown = 200;

void time_member(JsonWriter& json, std::string_view name, const std::optional<Time>& time) {
  json.key(name);
  if (time)
    json.value(std::chrono::duration_cast<seconds>(time->time_since_epoch()).count());
  else
    json.null();
}

}  // namespace

std::string summary(const Verdict& verdict, Language language) {
  std::string line(to_string(verdict.result));
  if (!verdict.domain.empty()) line += ' ' + printable(verdict.domain, kShown);
  if (!verdict.selector.empty())
    line += say(language, kSelector, printable(verdict.selector, kShown));
  if (!verdict.identity.empty() && verdict.identity != "@" + verdict.domain)
    line += say(language, kIdentity, printable(verdict.identity, kShown));
  if (!verdict.algorithm.empty())
    line += say(language, kAlgorithm, printable(verdict.algorithm, kShown));
  if (verdict.key_bits > 0) line += say(language, kBits, verdict.key_bits);
  if (verdict.testing) line += say(language, kTesting);
  if (verdict.type_unsigned) line += say(language, kTypeUnsigned);
  if (verdict.signed_at) line += say(language, kSignedAt, format_rfc3339(*verdict.signed_at));
  if (!verdict.problem.empty()) line += ": " + problem_in(verdict.problem, language);
  return line;
}

void describe_json(JsonWriter& json, const std::vector<Lookup>& lookups) {
  json.begin_array();
  for (auto& lookup : lookups)
    json.begin_object()
        .member("name", lookup.name)
        .member("status", dns::to_string(lookup.status))
        .member("ttl", lookup.ttl.count())
        .member("secure", lookup.secure)
        .end_object();
  json.end_array();
}

void describe_json(JsonWriter& json, const Verdict& verdict) {
  json.begin_object()
      .member("result", to_string(verdict.result))
      .member("problem", verdict.problem)
      .member("domain", verdict.domain)
      .member("selector", verdict.selector)
      .member("algorithm", verdict.algorithm)
      .member("identity", verdict.identity)
      .member("b", verdict.b_prefix)
      .member("key_bits", verdict.key_bits)
      .member("testing", verdict.testing)
      .member("type_unsigned", verdict.type_unsigned)
      .member("unsigned_bytes", verdict.unsigned_bytes);
  time_member(json, "signed_at", verdict.signed_at);
  time_member(json, "expires_at", verdict.expires_at);
  json.key("fields").begin_array();
  for (auto& name : verdict.signed_fields) json.value(name);
  json.end_array();
  json.key("lookups");
  describe_json(json, verdict.lookups);
  json.end_object();
}

}  // namespace hikyaku::dkim
