// What the IMAP server needs, and the coroutine that serves one connection.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/login.h"
#include "base/activity.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/task.h"
#include "base/time.h"
#include "imap/parser.h"
#include "imapd/metrics.h"
#include "mailbox/view.h"
#include "net/stream.h"
#include "net/tls.h"
#include "store/store.h"

namespace hikyaku {
class Semaphore;
template <class Key>
class Semaphores;
}  // namespace hikyaku

namespace hikyaku::imapd {

/// How much a client may send by default: imap::ParserLimits, with one transaction's worth of
/// messages in an APPEND.
imap::ParserLimits default_limits();

/// One listener's settings; outlives its sessions.
struct Settings {
  std::string host_name;      ///< in the greeting
  bool implicit_tls = false;  ///< TLS from the first byte (port 993)
  /// Peers on loopback addresses may send passwords in clear: they get mechanisms_on_loopback.
  bool plaintext_on_loopback = false;
  /// SASL mechanisms in capitals, best first. The LOGIN command is allowed where PLAIN is.
  std::vector<std::string> mechanisms_under_tls;
  std::vector<std::string> mechanisms_on_loopback;
  std::vector<std::string> mechanisms_in_clear;  ///< those that do not show the password

  imap::ParserLimits limits = default_limits();
  imap::ParserLimits limits_before_login = imap::ParserLimits::before_login();
  /// A client that is logged in may be silent so long, also in IDLE (RFC 9051 §5.4: at least 30
  /// minutes).
  milliseconds idle_timeout = std::chrono::minutes(30);
  milliseconds login_timeout = std::chrono::minutes(1);        ///< silence before login
  milliseconds login_total_timeout = std::chrono::minutes(5);  ///< all of the time before login
  /// Each wait within a command: for the rest of it, for a peer that does not read our answer.
  milliseconds command_timeout = std::chrono::minutes(5);
  std::uint32_t max_errors = 50;  ///< commands in a row answered BAD (or failed logins)
  /// After so much silence a session lets go of its mailbox's rows.
  milliseconds park_after = std::chrono::seconds(10);
  /// So long a client waits for the messages of a mailbox that it has deleted.
  milliseconds delete_waits = std::chrono::seconds(1);
  /// Bytes of one message that SEARCH looks at.
  std::uint64_t search_bytes = 64ULL * 1024 * 1024;
};

/// All of it outlives the sessions.
struct Services {
  store::Store& store;
  auth::Authenticator& authenticator;
  mailbox::Views& views;
  WorkerPool& workers;
  const Clock& clock;
  /// Bytes of messages above 256 KB that may be in memory as a whole at once (base/semaphore.h).
  Semaphore& large_messages;
  /// One session of an account at a time: which of a million messages have gone takes some
  /// milliseconds, and all who have the mailbox open want to know at once.
  Semaphores<store::AccountId>& large_updates;
  const net::ServerTls* tls = nullptr;  ///< null: no STARTTLS; implicit TLS needs it
  const Metrics* metrics = nullptr;     ///< null: nothing is counted
  Activity* activity = nullptr;         ///< of this session alone; null: nobody looks
  /// Called with an account for which there is bulk work (mailbox::work_off_bulk) that no client
  /// has to wait for. Empty: it is left for the next start.
  std::function<void(store::AccountId)> take_up = {};
};

/// Serves one connection to its end. Never throws. With `login` the client is logged in from the
/// beginning (PREAUTH): somebody else has made sure of who it is.
Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log, std::optional<auth::Login> login = std::nullopt);

}  // namespace hikyaku::imapd
