// What a POP3 session may do when: states, the command table, refusals, CAPA (RFC 1939 §3, RFC
// 2449, RFC 2595 §4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pop3/command.h"
#include "pop3/replies.h"

namespace hikyaku::pop3 {

/// RFC 1939 §3.
enum class Phase : std::uint8_t {
  Authorization = 1,
  Transaction = 2,
  Update = 4,  ///< QUIT was said: nothing more is read
};

/// The state of one connection, as far as the rules need it.
struct Session {
  Phase phase = Phase::Authorization;
  bool tls = false;
  /// Passwords may pass without TLS (a loopback connection with plaintext_on_loopback).
  bool plaintext_allowed = false;
  std::string user;   ///< what USER said; empty: PASS may not come
  bool utf8 = false;  ///< UTF8 was said (RFC 6856)

  bool confidential() const { return tls || plaintext_allowed; }
};

enum CommandFlag : std::uint8_t {
  kSecret = 1,       ///< carries a password, or leads to one
  kLastInGroup = 2,  ///< nothing may be pipelined behind it (STLS, AUTH)
  kMultiLine = 4,    ///< +OK is followed by lines and a dot
  kChangesMailbox = 8,
};

struct CommandRule {
  Verb verb;
  std::uint8_t phases;  ///< bits of Phase
  std::uint8_t flags;

  bool has(CommandFlag flag) const { return (flags & flag) != 0; }
  bool allowed_in(Phase phase) const { return (phases & static_cast<std::uint8_t>(phase)) != 0; }
};
const CommandRule& rule_of(Verb verb);

/// What a server offers.
struct CapabilitySettings {
  std::string implementation = "Hikyaku";  ///< empty: not told
  bool starttls = true;                    ///< a certificate is there
  bool user_pass = true;                   ///< USER and PASS, on confidential connections
  bool apop = false;                       ///< the greeting had a timestamp
  bool utf8 = false;
  std::vector<std::string> mechanisms;              ///< SASL under TLS
  std::vector<std::string> mechanisms_on_loopback;  ///< without TLS where plain text is allowed
  std::vector<std::string> mechanisms_without_tls;  ///< and on others
  std::optional<std::uint32_t> login_delay_seconds;
  bool never_expires = true;  ///< messages stay until they are deleted (EXPIRE NEVER)
};

/// The refusal that the session's state demands, or nullopt.
std::optional<Reply> check(const Session& session, const CapabilitySettings& settings,
                           const Command& command);

/// The lines of CAPA in this state, without status line and dot (RFC 2449 §5, §6).
std::vector<std::string> capabilities(const Session& session, const CapabilitySettings& settings);
/// The mechanisms that may be used now.
const std::vector<std::string>& offered_mechanisms(const Session& session,
                                                   const CapabilitySettings& settings);
bool mechanism_offered(const Session& session, const CapabilitySettings& settings,
                       std::string_view mechanism);

}  // namespace hikyaku::pop3
