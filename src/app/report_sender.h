// ReportSender: sends the reports about other domains' mail once their day is over (RFC 9990 §3.2),
// each at a minute of its own, and each once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "app/core.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "dns/resolver.h"
#include "queue/injector.h"
#include "reports/outgoing.h"

namespace hikyaku::app {

/// Lives on one event loop; send_now() may be called on any. What it is made with must outlive it.
class ReportSender {
 public:
  ReportSender(Core& core, dns::Resolver& resolver, queue::Injector& injector)
      : core_(core),
        resolver_(resolver),
        injector_(injector),
        rounds_(core.log(), "sending reports") {}

  void start();
  /// `stopped` runs when the report at hand is done.
  void stop(Callback stopped);

  struct Done {
    reports::Subject subject;
    reports::Outgoing outgoing;
  };
  /// Everything that is recorded up to now, of `domain` or (empty) of all, today's too. `told` gets
  /// one after the other.
  Task<Result<void>> send_now(std::string domain, std::function<Task<void>(const Done&)> told);

 private:
  Task<void> run();
  Task<void> send_due();
  Task<bool> trim();
  Task<void> send_or_tell(reports::Subject subject);
  /// One report, or why not; what became of it is stored, too.
  Task<Result<reports::Outgoing>> send(reports::Subject subject);
  Task<Result<reports::Outgoing>> try_once(const reports::Subject& subject,
                                           reports::Outgoing outgoing);
  Task<Result<reports::Submitter>> submitter();
  struct Destinations {
    std::vector<std::string> mailboxes;
    bool unknown = false;  ///< of some it could not be asked
    std::string problem;
  };
  Task<Destinations> destinations(std::string policy_domain, std::string rua);
  Task<void> settle(const reports::Subject& subject, const reports::Outgoing& outgoing);

  Core& core_;
  dns::Resolver& resolver_;
  queue::Injector& injector_;
  Rounds rounds_;
  Gate gate_{[this](std::exception_ptr error) { rounds_.tell(error); }};
  Wakeup wakeup_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
