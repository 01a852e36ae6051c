// The capability list, by state (RFC 9051 §6.1.1, §7.2.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imap/rules.h"

namespace hikyaku::imap {

/// What a server offers. The driver fills it from its settings; an extension that it does not
/// implement is not in `extensions`.
struct CapabilitySettings {
  bool imap4rev2 = false;
  bool starttls = true;        ///< a certificate is there
  bool literal_minus = false;  ///< LITERAL- instead of LITERAL+
  /// Mechanisms that may be used on a confidential connection, in capitals, best first.
  std::vector<std::string> mechanisms;
  /// Those that may also be used without TLS (they do not show the password).
  std::vector<std::string> mechanisms_without_tls;
  /// LOGIN is offered on confidential connections.
  bool login = true;
  /// Extensions that are offered once logged in, as in the IANA registry ("IDLE", "UIDPLUS").
  std::vector<std::string> extensions;
  /// RFC 7889; nullopt: not told.
  std::optional<std::uint64_t> append_limit;
};

/// "IMAP4rev1 LITERAL+ …", without the word CAPABILITY. Before login: what is needed for it, with
/// LOGINDISABLED while passwords would be readable.
std::string capability_list(const Session& session, const CapabilitySettings& settings);

/// Whether `mechanism` (in capitals) may be used now.
bool mechanism_offered(const Session& session, const CapabilitySettings& settings,
                       std::string_view mechanism);

}  // namespace hikyaku::imap
