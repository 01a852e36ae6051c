// What the SMTP server needs, and the coroutine that serves one connection.
#pragma once

#include <memory>

#include "auth/login.h"
#include "base/activity.h"
#include "base/log.h"
#include "base/task.h"
#include "base/time.h"
#include "net/stream.h"
#include "net/tls.h"
#include "receive/receiver.h"
#include "smtp/line.h"
#include "smtp/rules.h"
#include "smtpd/metrics.h"

namespace hikyaku::smtpd {

/// One listener's settings; outlives its sessions.
struct Settings {
  smtp::Settings protocol;
  /// Used instead for peers on loopback addresses when plaintext_on_loopback is on: passwords in
  /// clear are offered.
  bool plaintext_on_loopback = false;
  smtp::Settings protocol_on_loopback;
  smtp::LineParser::Limits line_limits;
  milliseconds command_timeout = std::chrono::minutes(5);  ///< a whole line; RFC 5321 §4.5.3.2.7
  /// Without a message accepted for so long the connection ends, whatever else is said.
  milliseconds idle_timeout = std::chrono::minutes(30);
  milliseconds login_timeout = std::chrono::minutes(5);  ///< the same on submission, before login
  milliseconds data_timeout = std::chrono::minutes(3);   ///< for each wait in DATA and BDAT
  milliseconds transaction_timeout =
      std::chrono::minutes(60);  ///< for the whole of one message's data
};

/// All of it outlives the sessions. `tls` may be null (no STARTTLS then; flavour Submissions needs
/// it).
struct Services {
  receive::Receiver& receiver;
  auth::Authenticator& authenticator;
  const net::ServerTls* tls = nullptr;
  const Metrics* metrics = nullptr;  ///< null: nothing is counted
  Activity* activity = nullptr;      ///< of this session alone; null: nobody looks
};

/// Serves one connection to its end. Never throws.
Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log);

}  // namespace hikyaku::smtpd
