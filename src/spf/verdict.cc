#include "spf/verdict.h"

namespace hikyaku::spf {

std::string_view to_string(Result result) {
  switch (result) {
    case Result::None:
      return "none";
    case Result::Neutral:
      return "neutral";
    case Result::Pass:
      return "pass";
    case Result::Fail:
      return "fail";
    case Result::SoftFail:
      return "softfail";
    case Result::TempError:
      return "temperror";
    case Result::PermError:
      return "permerror";
  }
  return "none";
}

std::string_view to_string(Identity identity) {
  return identity == Identity::Helo ? "helo" : "mailfrom";
}

std::string_view to_string(Problem problem) {
  switch (problem) {
    case Problem::None:
      return "";
    case Problem::NoDomain:
      return "no-domain";
    case Problem::NoRecord:
      return "no-record";
    case Problem::NoSuchDomain:
      return "no-such-domain";
    case Problem::SeveralRecords:
      return "several-records";
    case Problem::Syntax:
      return "syntax";
    case Problem::MissingTarget:
      return "missing-target";
    case Problem::Loop:
      return "loop";
    case Problem::TooManyLookups:
      return "too-many-lookups";
    case Problem::TooManyVoid:
      return "too-many-void-lookups";
    case Problem::TooManyNames:
      return "too-many-names";
    case Problem::LookupFailed:
      return "lookup-failed";
    case Problem::DeadlineExceeded:
      return "deadline-exceeded";
  }
  return "";
}

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::NoMatch:
      return "no match";
    case Effect::Match:
      return "match";
    case Effect::Followed:
      return "followed";
    case Effect::Abandoned:
      return "abandoned";
    case Effect::TempError:
      return "temperror";
    case Effect::PermError:
      return "permerror";
  }
  return "no match";
}

}  // namespace hikyaku::spf
