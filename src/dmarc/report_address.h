// Where reports go: the addresses of rua and ruf (RFC 9989 §4.7, RFC 3986, RFC 6068), and whether
// a destination outside of the domain agrees (RFC 9990 §4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "dmarc/policy.h"
#include "dns/resolver.h"

namespace hikyaku::dmarc {

/// One URI of a list.
struct ReportUri {
  std::string text;    ///< as published, without a size limit
  std::string scheme;  ///< lower case
  /// mailto only: the mailbox and its domain as A-labels; empty when it is no address to which mail
  /// can be sent.
  std::string mailbox;
  std::string host;
  /// "!10m" of RFC 7489 in bytes: without effect, kept for `domain check`.
  std::optional<std::uint64_t> size_limit;

  bool is_mail() const { return !mailbox.empty(); }
};

/// The URIs of a list in order; what is no URI is left out. At most `limit` are looked at.
std::vector<ReportUri> parse_report_uris(std::string_view list, std::size_t limit = 32);
/// One piece of such a list. nullopt: no URI.
std::optional<ReportUri> parse_report_uri(std::string_view piece);

/// The name that must hold a record when reports about `policy_domain` are to go to `host`; nullopt
/// when it would be longer than DNS allows: not authorised then.
std::optional<std::string> authorization_name(std::string_view policy_domain,
                                              std::string_view host);

/// Whether reports may go to a destination.
struct Authorization {
  enum class State : std::uint8_t {
    SameOrganization,  ///< nothing to ask
    Authorized,        ///< its record says so
    Refused,           ///< no record, or one that sends the reports somewhere else again
    Unknown,           ///< DNS failed: send nothing now, ask again later
  };
  State state = State::Refused;
  /// Where to send: the URI's own mailbox, or those that the destination's record names instead.
  std::vector<std::string> mailboxes;
  std::string name;     ///< what was asked, when something was
  std::string problem;  ///< why not, for people
};

enum class ReportKind : std::uint8_t { Aggregate, Failure };

/// Asks (RFC 9990 §4). `uri` must be is_mail(). `dns` must outlive the task.
Task<Authorization> authorize(dns::Resolver& dns, std::string policy_domain, ReportUri uri,
                              ReportKind kind);

}  // namespace hikyaku::dmarc
