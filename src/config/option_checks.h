// What a value must be beside its type and range: the functions for Option::check. Each gives what
// is wrong with a value of the right type, or an empty text.
#pragma once

#include <string>

#include "config/options.h"

namespace hikyaku::config {

/// A host name, or nothing.
std::string check_host_name(const Value& value);
/// Characters that separate a detail from a local part.
std::string check_delimiters(const Value& value);
/// An address, or nothing.
std::string check_address(const Value& value);
/// A local part or an address.
std::string check_report_address(const Value& value);
/// At most one address of each family.
std::string check_sources(const Value& value);
/// Names of header fields.
std::string check_field_names(const Value& value);
/// Domain names.
std::string check_domains(const Value& value);
/// Domain names, addresses and networks.
std::string check_domains_and_networks(const Value& value);
/// Lists to ask: ZONE or ZONE=WEIGHT.
std::string check_blocklists(const Value& value);
/// Anything but an empty text or list.
std::string check_not_empty(const Value& value);

}  // namespace hikyaku::config
