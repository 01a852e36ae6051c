// Header fields inside reports: found, unfolded, written. mime/ has the general tools; these keep
// to what delivery-status groups need.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::dsn {

/// One field, unfolded.
struct Field {
  std::string name;
  std::string value;
};

/// The groups of fields of a message/delivery-status body (RFC 3464 §2.1): separated by empty
/// lines. Lines that are no fields are skipped. Ends of lines may be LF. Never more than `most`
/// groups, none without fields.
std::vector<std::vector<Field>> parse_groups(std::string_view body, std::size_t most);

/// "Name: value" CRLF, folded at spaces so that lines stay within 76 octets where they can.
/// Characters that do not belong into a field become "?"; 8-bit ones too unless `utf8`.
std::string format_field(std::string_view name, std::string_view value, bool utf8);

}  // namespace hikyaku::dsn
