// What its owner probably meant: an SPF record mended without losing what it says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hikyaku::spf {

/// `text`, which is no record or one with mistakes, with the version written right, quotes around
/// it gone, mechanisms and modifiers spelt right; everything else as it stands. nullopt when there
/// is nothing to mend, or when what was meant cannot be told ("ip4:192.0.2.300").
std::optional<std::string> mend_record(std::string_view text);

/// True for records, and for what somebody meant as one: "v=spf4 …", "v = spf1", "\"v=spf1 …\""
/// (also in curly quotes).
bool is_meant_as_record(std::string_view text);

/// The record with `term` ("a:mail.example.org") before its all or redirect, which an end of "-all"
/// makes up for where there is neither. `record` must parse.
std::string with_term(std::string_view record, std::string_view term);

/// The record with "-all" where it lets everybody send: "all", "+all". `record` must parse.
std::string with_all_denied(std::string_view record);

/// The record with its all at the end, where nothing is cut off by it. `record` must parse.
std::string with_all_last(std::string_view record);

}  // namespace hikyaku::spf
