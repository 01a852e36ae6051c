#include "arc/problem.h"

#include <array>

#include "base/translate.h"
#include "dkim/problem.h"
#include "dns/problem.h"

namespace hikyaku::arc {
namespace {

constexpr Phrase kProblems[] = {
    {"ARC-Message-Signature i={}: {}", "ARC-Message-Signature i={}: {}"},
    {"ARC-Seal i={}: {}", "ARC-Seal i={}: {}"},
    {"ARC-Seal i={} says cv={}", "ARC-Seal i={} が cv={} となっています"},
    {"ARC-Authentication-Results i={} is missing", "ARC-Authentication-Results i={} がありません"},
    {"ARC-Message-Signature i={} is missing", "ARC-Message-Signature i={} がありません"},
    {"ARC-Seal i={} is missing", "ARC-Seal i={} がありません"},
    {"{} stands there twice for i={}", "i={1} の {0} が 2 つあります"},
    {"an ARC-Authentication-Results field does not begin with its instance",
     "ARC-Authentication-Results フィールドが番号 (i=) で始まっていません"},
    {"an ARC-Message-Signature cannot be used: {}", "ARC-Message-Signature を利用できません: {}"},
    {"an ARC-Seal cannot be used: {}", "ARC-Seal を利用できません: {}"},
    {"there are more than {} ARC sets", "ARC の組が {} 個を超えています"},
    {"{} found the chain broken before (cv=fail)",
     "{} の時点で連鎖はすでに壊れていました (cv=fail)"},
    {"the body was changed", "本文が改変されています"},
    {"it has h=", "h= があります"},
    {"{} must not be signed (RFC 8617 §4.1.2)",
     "{} は署名してはならないフィールドです (RFC 8617 §4.1.2)"},
    {"its chain was ended before, or is full", "連鎖がすでに終わっているか、上限に達しています"},
};

}  // namespace

std::string problem_in(std::string_view problem, Language language) {
  static const std::array<std::span<const Phrase>, 3> kTables{
      std::span<const Phrase>(kProblems), dkim::problem_phrases(), dns::problem_phrases()};
  return translate(problem, kTables, language);
}

}  // namespace hikyaku::arc
