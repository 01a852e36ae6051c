// The commands of the control socket, made on a Core: they run in the server, or in the CLI on the
// store when no server runs. One file for each family: commands_directory.cc, commands_queue.cc, …
#pragma once

#include "app/control.h"
#include "app/core.h"
#include "auth/login.h"

namespace hikyaku::dns {
class Resolver;
}
namespace hikyaku::receive {
class Receiver;
}

namespace hikyaku::app {

class KeyLooks;
class ReportSender;
class Sessions;
struct StoreDamage;
class Watch;
struct ServerMetrics;

/// Adds all of them. `core` must outlive the table; so must `looks`, which a running server has.
void add_commands(ControlTable& table, Core& core, const KeyLooks* looks = nullptr);

void add_directory_commands(ControlTable& table, Core& core);  ///< domain, account, alias
/// dkim. With `looks`, dkim.list says what came of looking for records.
void add_dkim_commands(ControlTable& table, Core& core, const KeyLooks* looks = nullptr);
void add_queue_commands(ControlTable& table, Core& core);     ///< queue
void add_story_commands(ControlTable& table, Core& core);     ///< trace
void add_check_commands(ControlTable& table, Core& core);     ///< check
void add_transfer_commands(ControlTable& table, Core& core);  ///< export, import
void add_space_commands(ControlTable& table, Core& core);     ///< undelete, space, backup
/// What backup.freeze answers, before its connection holds the store still until it ends.
boost::json::object describe_frozen(const store::Frozen& frozen, const StoreDamage& damage);
Task<void> hold_while_connected(std::unique_ptr<net::Stream> stream,
                                std::shared_ptr<const store::Frozen> frozen);
/// mail.submit, for every user of the machine. Only in the server: `receiver` must outlive the
/// table too.
void add_mail_commands(ControlTable& table, Core& core, receive::Receiver& receiver);
/// reports.dmarc, reports.failure. `resolver` tells the names of sources; nullptr: none. It must
/// outlive the table.
void add_report_commands(ControlTable& table, Core& core, dns::Resolver* resolver);
/// reports.send. Only in the server: `sender` must outlive the table.
void add_report_sending_commands(ControlTable& table, ReportSender& sender);
/// imap.session: an IMAP connection to an account without its password, for the owner of the
/// instance. `serve` speaks it; whether the account is enabled does not matter.
using ServeAccount = std::function<Task<void>(std::unique_ptr<net::Stream>, auth::Login)>;
void add_session_commands(ControlTable& table, Core& core, ServeAccount serve);
/// throttle: only in the server. `authenticator` must outlive the table.
void add_throttle_commands(ControlTable& table, Core& core, auth::Authenticator& authenticator);
/// who, kick, stats, metrics: only in the server.
struct Watched {
  Core& core;
  ServerMetrics& metrics;
  Sessions& sessions;
  std::function<Watch&()> watch;  ///< called while the server runs
};
void add_watch_commands(ControlTable& table, Watched watched);
/// Who that is: the account of this address. NotFound.
Task<Result<auth::Login>> find_owner(Core& core, std::string address);

}  // namespace hikyaku::app
