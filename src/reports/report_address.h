// The address that our own DMARC records name for reports about our domains.
#pragma once

#include <string>
#include <string_view>

namespace hikyaku::reports {

/// `setting` (dmarc.report_address) is a local part, used at each of our domains, or one address
/// for all of them. A-labels.
inline std::string report_address(std::string_view setting, std::string_view domain) {
  auto address = std::string(setting);
  return setting.find('@') == std::string_view::npos ? address + '@' + std::string(domain)
                                                     : address;
}

}  // namespace hikyaku::reports
