// Mailboxes and the paths of MAIL FROM and RCPT TO (RFC 5321 §4.1.2, RFC 6531 §3.3).
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/ip.h"
#include "base/result.h"

namespace hikyaku::smtp {

/// Octets, RFC 5321 §4.5.3.1.1 to .3.
struct PathLimits {
  std::size_t local_part = 64;
  std::size_t domain = 255;
  std::size_t path = 256;  ///< with the angle brackets and a source route
};

/// For return addresses: list managers write the recipient into the local part (VERP), so real ones
/// exceed 64 octets, and §4.5.3.1 asks for no limit where that is possible.
inline constexpr PathLimits kReversePathLimits{.local_part = 255, .domain = 255, .path = 512};

enum class Characters {
  AsciiOnly,
  Utf8,  ///< as with SMTPUTF8: local part and domain may be UTF-8 (RFC 6531 §3.3)
};

struct PathRules {
  Characters characters = Characters::AsciiOnly;
  PathLimits limits = {};
};

/// One address: what stands between the angle brackets, without a source route.
struct Mailbox {
  /// The meaning of the local part, in its own case: without quotes and backslashes ("a b"@x has
  /// the local part a b). May be empty (""@x) and, with SMTPUTF8, UTF-8.
  std::string local_part;
  /// Lower case and A-labels: what DNS is asked for and what is compared; or an address literal as
  /// IpAddress::to_literal writes it. Empty only in <postmaster>.
  std::string domain;
  /// The domain as it was written (U-labels, capitals). Not compared.
  std::string domain_as_given;

  /// local@domain, the local part quoted where it must be.
  std::string to_string() const;
  /// As it was written, U-labels kept: for people and for peers that speak SMTPUTF8.
  std::string to_unicode() const;
  /// What equals for everybody who compares addresses as people mean them: to_string() with ASCII
  /// letters of the local part made small.
  std::string canonical() const;

  /// The address inside a literal domain ([192.0.2.1], [IPv6:2001:db8::1]).
  std::optional<IpAddress> literal() const;
  /// The local part has other characters than ASCII: only peers with SMTPUTF8 can take it.
  bool needs_utf8() const;
  /// Written with other characters than ASCII anywhere: the client must have said SMTPUTF8.
  bool written_in_utf8() const;
  /// RFC 5321 §4.5.1: postmaster in any case, with any domain or none.
  bool is_postmaster() const;

  bool operator==(const Mailbox& other) const {
    return local_part == other.local_part && domain == other.domain;
  }
  auto operator<=>(const Mailbox& other) const {
    return std::tie(local_part, domain) <=> std::tie(other.local_part, other.domain);
  }
};

/// Where bounces go: a mailbox, or nowhere (the null path <> of bounces themselves, RFC 5321
/// §4.5.5).
struct ReversePath {
  std::optional<Mailbox> mailbox;

  bool is_null() const { return !mailbox; }
  /// Without angle brackets; "" for the null path.
  std::string to_string() const { return mailbox ? mailbox->to_string() : std::string(); }
  bool operator==(const ReversePath&) const = default;
};

/// A mailbox and nothing else: no brackets, no space, no comment. Errors: Invalid (the text says
/// what is wrong), TooLarge (which limit), Unsupported (not ASCII, but `rules` say AsciiOnly).
Result<Mailbox> parse_mailbox(std::string_view text, const PathRules& rules = {});

/// "<a@b>", "<>" or "<@relay1,@relay2:a@b>" (the source route is checked and dropped, RFC 5321
/// appendix F.2). Errors as parse_mailbox.
Result<ReversePath> parse_reverse_path(std::string_view text, const PathRules& rules = {});

/// As before, but not "<>"; also "<postmaster>" in any case (domain empty then).
Result<Mailbox> parse_forward_path(std::string_view text, const PathRules& rules = {});

/// The length of the path at the front of `text`, which begins with "<": up to and with the ">"
/// that ends it, quoted strings skipped; 0 if there is none.
std::size_t path_length(std::string_view text);

/// A domain as in paths and in EHLO: lower case, A-labels; or an address literal. Errors as
/// parse_mailbox.
Result<std::string> parse_domain(std::string_view text, Characters characters);

/// "user+detail" -> {"user", "detail"} at the first of `separators` that is not at the front; the
/// detail is empty if there is none. The views point into `local_part`.
std::pair<std::string_view, std::string_view> split_detail(std::string_view local_part,
                                                           std::string_view separators = "+");

/// A local part as it is written in SMTP and in header fields: as it is, or quoted.
std::string quote_local_part(std::string_view local_part);

}  // namespace hikyaku::smtp
