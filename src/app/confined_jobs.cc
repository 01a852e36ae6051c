#include "app/confined_jobs.h"

#include <array>

#include "reports/digest.h"

namespace hikyaku::app {
namespace {

Result<std::string> read_report(std::string_view mail) {
  return reports::encode_digest(reports::digest_of(reports::read_report(mail)));
}

constexpr std::array<ConfinedJobEntry, 1> kJobs{{{ConfinedJob::ReadReport, read_report}}};

}  // namespace

ConfinedJobs confined_jobs() {
  return kJobs;
}

}  // namespace hikyaku::app
