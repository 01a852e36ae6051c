// Domain names: their one normal form, what is valid, international names (IDNA).
//
// Normal form: lower case, no final dot, the root is "". Bytes that are no printable ASCII are
// \DDD, dots and backslashes inside a label are escaped with a backslash (RFC 1035 §5.1). Host
// names look as everybody expects.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::dns {

inline constexpr std::size_t kMaxLabel = 63;      ///< bytes, RFC 1035 §2.3.4
inline constexpr std::size_t kMaxWireName = 255;  ///< bytes with lengths and the root's zero
inline constexpr std::size_t kMaxHostName = 253;  ///< as text

/// The normal form of a name in presentation form (escapes, any case, final dot or not); nullopt
/// for empty labels and what exceeds the limits. Any byte may be in a label.
std::optional<std::string> normal_name(std::string_view text);

/// Letters, digits and inner hyphens (RFC 1123 §2.1), limits kept, at least one label; one final
/// dot may follow. What a mail domain and an MX target must be, before IDNA.
bool is_host_name(std::string_view name);
/// The same with underscores anywhere, as in _dmarc.example.org and selectors.
bool is_domain_name(std::string_view name);

/// Whether `name` is `parent` or below it. Both normal.
bool is_within(std::string_view name, std::string_view parent);
/// Without the first label; "" for a single label and for the root. Normal form in and out.
std::string_view parent(std::string_view name);
/// How many labels; 0 for the root.
std::size_t label_count(std::string_view name);

/// Wire form (RFC 1035 §3.1) of a normal name, uncompressed.
std::string name_to_wire(std::string_view normal);
/// The normal form of the uncompressed name at `offset`, which is moved behind it. nullopt when it
/// is cut off, compressed, or too long.
std::optional<std::string> name_from_wire(std::string_view wire, std::size_t& offset);

/// A host name as a person writes it (UTF-8, any case) as A-labels in lower case, without final
/// dot: "Bücher.example" → "xn--bcher-kva.example". RFC 5891 by way of UTS #46:
/// non-transitional, with CheckHyphens, CheckBidi, CheckJoiners, UseSTD3ASCIIRules and
/// VerifyDnsLength; A-labels are checked too. Symbols pass that RFC 5892 forbids (there are such
/// domains). ASCII names may contain
/// underscores. Invalid with the reason in words.
Result<std::string> to_ascii(std::string_view name);
/// A-labels as U-labels for people. A label that does not decode stays as it is.
std::string to_unicode(std::string_view name);

}  // namespace hikyaku::dns
