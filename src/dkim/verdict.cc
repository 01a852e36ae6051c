#include "dkim/verdict.h"

namespace hikyaku::dkim {
namespace {

int rank(Result result) {
  switch (result) {
    case Result::Pass:
      return 6;
    case Result::TempError:
      return 5;
    case Result::Policy:
      return 4;
    case Result::Fail:
      return 3;
    case Result::Neutral:
      return 2;
    case Result::PermError:
      return 1;
    case Result::None:
      return 0;
  }
  return 0;
}

}  // namespace

std::string_view to_string(Result result) {
  switch (result) {
    case Result::None:
      return "none";
    case Result::Pass:
      return "pass";
    case Result::Fail:
      return "fail";
    case Result::Policy:
      return "policy";
    case Result::Neutral:
      return "neutral";
    case Result::TempError:
      return "temperror";
    case Result::PermError:
      return "permerror";
  }
  return "permerror";
}

Result best(const std::vector<Verdict>& verdicts) {
  auto result = Result::None;
  for (auto& verdict : verdicts)
    if (rank(verdict.result) > rank(result)) result = verdict.result;
  return result;
}

}  // namespace hikyaku::dkim
