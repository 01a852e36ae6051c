// What the POP3 server needs, and the coroutine that serves one connection.
#pragma once

#include <memory>

#include "auth/login.h"
#include "base/activity.h"
#include "base/log.h"
#include "base/task.h"
#include "base/time.h"
#include "crypto/random.h"
#include "net/stream.h"
#include "net/tls.h"
#include "pop3/rules.h"
#include "pop3d/maildrop.h"
#include "pop3d/metrics.h"
#include "store/store.h"

namespace hikyaku::pop3d {

/// One listener's settings; outlives its sessions.
struct Settings {
  std::string host_name;
  pop3::CapabilitySettings capabilities;
  bool implicit_tls = false;           ///< port 995
  bool plaintext_on_loopback = false;  ///< passwords in clear are taken from loopback peers
  bool lock = true;                    ///< one session at a time for each maildrop (RFC 1939 §3)
  int max_errors = 20;                 ///< -ERR answers in one session, then it ends
  milliseconds timeout = std::chrono::minutes(10);       ///< RFC 1939 §3: at least 10 minutes
  milliseconds login_timeout = std::chrono::minutes(5);  ///< all of the time before login
};

/// All of it outlives the sessions. `tls` may be null.
struct Services {
  store::Store& store;
  auth::Authenticator& authenticator;
  const Clock& clock;
  crypto::Random& random;
  MaildropLocks& locks;
  const net::ServerTls* tls = nullptr;
  const Metrics* metrics = nullptr;  ///< null: nothing is counted
  Activity* activity = nullptr;      ///< of this session alone; null: nobody looks
};

/// Serves one connection to its end. Never throws.
Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log);

}  // namespace hikyaku::pop3d
