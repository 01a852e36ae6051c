#include "receive/report_author.h"

#include "auth/directory.h"
#include "reports/report_address.h"

namespace hikyaku::receive {

std::optional<std::string> report_author(store::Reader& reader, std::string_view from,
                                         std::string_view report_address) {
  if (!from.empty()) return std::string(from);
  auto first = auth::first_domain(reader);
  if (!first || report_address.empty()) return std::nullopt;
  return reports::report_address(report_address, first->name);
}

}  // namespace hikyaku::receive
