// What a session may do when: states, the command table, and the refusals that concern no single
// command (RFC 9051 §3, §6, §11.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "imap/command.h"
#include "imap/mailbox_name.h"
#include "imap/reply.h"

namespace hikyaku::imap {

/// RFC 9051 §3.
enum class Phase : std::uint8_t {
  NotAuthenticated = 1,
  Authenticated = 2,
  Selected = 4,
  Logout = 8,  ///< after LOGOUT or BYE: nothing more is read
};

/// What a client has switched on for this connection (RFC 5161, RFC 7162 §3.1, RFC 9755), one bit
/// each.
enum class Enabled : std::uint8_t { CondStore = 1, QResync = 2, Utf8Accept = 4, Imap4Rev2 = 8 };

/// The state of one connection, as far as the rules need it.
struct Session {
  Phase phase = Phase::NotAuthenticated;
  bool tls = false;
  /// Passwords may pass without TLS (a loopback connection with plaintext_on_loopback).
  bool plaintext_allowed = false;
  bool read_only = false;  ///< the selected mailbox
  std::uint8_t enabled = 0;

  bool has(Enabled extension) const {
    return (enabled & static_cast<std::uint8_t>(extension)) != 0;
  }
  void enable(Enabled extension) { enabled |= static_cast<std::uint8_t>(extension); }
  /// Passwords may be sent now.
  bool confidential() const { return tls || plaintext_allowed; }
  /// Mailbox names and quoted strings in UTF-8 (RFC 9051 §5.1, RFC 9755 §3).
  bool utf8() const { return has(Enabled::Utf8Accept) || has(Enabled::Imap4Rev2); }
  NameForm name_form() const { return utf8() ? NameForm::Utf8 : NameForm::Utf7; }
  Wire wire() const { return utf8() ? Wire::Utf8 : Wire::Ascii; }
  /// Changes are told with MODSEQ (RFC 7162 §3.1.2).
  bool tells_modseq() const { return has(Enabled::CondStore) || has(Enabled::QResync); }
};

/// Properties of commands, for the driver and for check().
enum CommandFlag : std::uint16_t {
  kHasUidForm = 1,
  /// Without UID its arguments or answers are message numbers: while it runs no EXPUNGE may be
  /// told (RFC 9051 §7.5.1).
  kUsesSeqnums = 2,
  /// Removes messages: numbers shift when it is done.
  kBreaksSeqnums = 4,
  /// Needs the selected mailbox to be writable.
  kNeedsWritable = 8,
  /// Makes, removes, renames or fills mailboxes, or changes messages.
  kChangesMailbox = 16,
  /// Carries a password.
  kSecret = 32,
  /// Nothing may be pipelined behind it: what was read with it is dropped (STARTTLS), or further
  /// lines belong to it (IDLE, AUTHENTICATE).
  kLastInGroup = 64,
};

/// One row of the command table.
struct CommandRule {
  Verb verb;
  std::string_view name;
  std::uint8_t phases;  ///< bits of Phase
  std::uint16_t flags;

  bool has(CommandFlag flag) const { return (flags & flag) != 0; }
  bool has_uid_form() const { return has(kHasUidForm); }
  bool allowed_in(Phase phase) const { return (phases & static_cast<std::uint8_t>(phase)) != 0; }
};

/// By name in any case; nullptr if there is none. FETCH, not "UID FETCH".
const CommandRule* find_command(std::string_view name);
const CommandRule& rule_of(Verb verb);
/// "UID FETCH", for texts and logs.
std::string display_name(Verb verb, bool uid);

/// While this command runs, EXPUNGE responses must wait (RFC 9051 §7.5.1: FETCH, STORE, SEARCH in
/// the form with numbers; the UID forms may tell them, but for a UID SEARCH with message numbers
/// among its keys, RFC 7162 §3.2.10.2).
bool holds_back_expunges(const Command& command);

/// The refusal that the session's state demands, or nullopt. Can be asked with the verb alone,
/// before arguments have been read: so that no password is asked for on an open line.
std::optional<Reply> check(const Session& session, Verb verb);
/// The same, and what depends on the arguments (QRESYNC before ENABLE, VANISHED).
std::optional<Reply> check(const Session& session, const Command& command);

}  // namespace hikyaku::imap
