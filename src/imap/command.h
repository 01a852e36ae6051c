// One IMAP command as a value: which, and its arguments (RFC 9051 §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "imap/fetch.h"
#include "imap/flags.h"
#include "imap/search.h"
#include "imap/sequence_set.h"

namespace hikyaku::imap {

/// The commands by name. Those that have a UID form carry `uid` in their arguments.
enum class Verb : std::uint8_t {
  Unknown,
  Append,
  Authenticate,
  Capability,
  Check,
  Close,
  Copy,
  Create,
  Delete,
  Enable,
  Examine,
  Expunge,
  Fetch,
  Id,
  Idle,
  List,
  Login,
  Logout,
  Lsub,
  Move,
  Namespace,
  Noop,
  Rename,
  Search,
  Select,
  StartTls,
  Status,
  Store,
  Subscribe,
  Unselect,
  Unsubscribe,
};

// Mailbox names in these structs are UTF-8 with "/" between levels, INBOX in capitals
// (mailbox_name.h).

struct CapabilityCommand {};
struct NoopCommand {};
struct LogoutCommand {};
struct StartTlsCommand {};
struct NamespaceCommand {};
struct CheckCommand {};
struct CloseCommand {};
struct UnselectCommand {};
/// What follows is read with Parser::expect_line: "DONE" (RFC 9051 §6.3.13).
struct IdleCommand {};

/// RFC 2971. nullopt as a value is NIL.
struct IdCommand {
  std::vector<std::pair<std::string, std::optional<std::string>>> fields;
};

/// RFC 9051 §6.2.2; the further lines are read with Parser::expect_line.
struct AuthenticateCommand {
  std::string mechanism;  ///< in capitals
  /// Base64 as sent (RFC 4959): "=" is an empty initial response. nullopt: there was none.
  std::optional<std::string> initial_response;
};

struct LoginCommand {
  std::string user;
  std::string password;
};

struct EnableCommand {
  std::vector<std::string> capabilities;  ///< in capitals
};

/// RFC 7162 §3.2.5.
struct QResync {
  std::uint32_t uid_validity = 0;
  std::uint64_t modseq = 0;
  std::optional<NumberSet> known_uids;
  /// Numbers and the UIDs they had: both of the same count.
  std::optional<std::pair<NumberSet, NumberSet>> sequence_match;
};

/// SELECT and EXAMINE.
struct SelectCommand {
  std::string mailbox;
  bool read_only = false;  ///< EXAMINE
  bool condstore = false;
  std::optional<QResync> qresync;
};

struct CreateCommand {
  std::string mailbox;                    ///< without a trailing separator
  std::vector<std::string> special_uses;  ///< "\Sent" … as written (RFC 6154 §3)
};
struct DeleteCommand {
  std::string mailbox;
};
struct RenameCommand {
  std::string from;
  std::string to;  ///< without a trailing separator
};
struct SubscribeCommand {
  std::string mailbox;
};
struct UnsubscribeCommand {
  std::string mailbox;
};

/// STATUS items (RFC 9051 §6.3.11, RFC 7162, RFC 8474), one bit each.
enum class StatusItem : std::uint16_t {
  Messages = 1,
  Recent = 2,
  UidNext = 4,
  UidValidity = 8,
  Unseen = 16,
  Deleted = 32,
  Size = 64,
  HighestModSeq = 128,
  MailboxId = 256,
};
struct StatusItems {
  std::uint16_t bits = 0;
  bool has(StatusItem item) const { return (bits & static_cast<std::uint16_t>(item)) != 0; }
  void add(StatusItem item) { bits |= static_cast<std::uint16_t>(item); }
  friend bool operator==(const StatusItems&, const StatusItems&) = default;
};
struct StatusCommand {
  std::string mailbox;
  StatusItems items;
};

/// RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154.
struct ListCommand {
  bool lsub = false;      ///< LSUB (RFC 3501 §6.3.9): as selecting SUBSCRIBED
  bool extended = false;  ///< any of the syntax of RFC 5258 was used
  std::string reference;
  std::vector<std::string> patterns;  ///< UTF-8; for ListPatterns

  bool select_subscribed = false;
  bool select_remote = false;
  bool select_recursive_match = false;
  bool select_special_use = false;

  bool return_subscribed = false;
  bool return_children = false;
  bool return_special_use = false;
  std::optional<StatusItems> return_status;
};

/// The messages follow as events of the parser.
struct AppendCommand {
  std::string mailbox;
};

struct ExpungeCommand {
  std::optional<SequenceSet> uids;  ///< UID EXPUNGE (RFC 4315)
};

struct SearchCommand {
  bool uid = false;
  SearchProgram program;
};

struct FetchCommand {
  bool uid = false;
  SequenceSet set;
  FetchItems items;  ///< with UID if `uid`
  FetchModifiers modifiers;
};

struct StoreCommand {
  enum class Mode { Replace, Add, Remove };
  bool uid = false;
  SequenceSet set;
  Mode mode = Mode::Replace;
  bool silent = false;
  Flags flags;
  std::optional<std::uint64_t> unchanged_since;  ///< RFC 7162 §3.1.3
};

struct CopyCommand {
  bool uid = false;
  SequenceSet set;
  std::string mailbox;
};
struct MoveCommand {
  bool uid = false;
  SequenceSet set;
  std::string mailbox;
};

using Arguments =
    std::variant<CapabilityCommand, NoopCommand, LogoutCommand, IdCommand, StartTlsCommand,
                 AuthenticateCommand, LoginCommand, EnableCommand, SelectCommand, CreateCommand,
                 DeleteCommand, RenameCommand, SubscribeCommand, UnsubscribeCommand, ListCommand,
                 NamespaceCommand, StatusCommand, AppendCommand, IdleCommand, CheckCommand,
                 CloseCommand, UnselectCommand, ExpungeCommand, SearchCommand, FetchCommand,
                 StoreCommand, CopyCommand, MoveCommand>;

struct Command {
  std::string tag;
  Verb verb = Verb::Unknown;
  Arguments arguments;

  /// The UID form of a command that has one.
  bool uid() const;
};

/// Flags, date and size of one message of an APPEND, before its bytes.
struct AppendMessage {
  Flags flags;
  std::optional<Time> date;
  std::uint64_t size = 0;
  bool synchronizing = true;  ///< the client waits for our "+"
  bool binary = false;        ///< literal8 (RFC 3516): may hold NUL
  bool utf8 = false;          ///< UTF8 (~{n} …) (RFC 9755 §4)
};

}  // namespace hikyaku::imap
