// The address that our reports about others' mail come from (RFC 9990, RFC 9991).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/store.h"

namespace hikyaku::receive {

/// `from` (dmarc.report_from), or when it is empty the address for reports (dmarc.report_address)
/// at the domain that was added first: so they are signed by a domain of ours. nullopt: there is
/// none.
std::optional<std::string> report_author(store::Reader& reader, std::string_view from,
                                         std::string_view report_address);

}  // namespace hikyaku::receive
