// The DNS of one-shot commands (spf, dkim verify, dmarc, …): a zone file, a server that is named,
// or the net.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/asked_resolver.h"
#include "app/progress.h"
#include "app/verb.h"
#include "base/result.h"
#include "dns/resolver.h"
#include "net/cores.h"

namespace hikyaku::app {

/// --zone and --dns, for Verb::options.
std::vector<OptionSpec> resolver_options();

/// A resolver with the event loop that it lives on.
class OneShotResolver {
 public:
  /// As --zone or --dns say (then without DNSSEC: what it says is believed); without them the
  /// authoritative servers are asked. Invalid for a zone
  /// file that cannot be read, an address that is none, and both at once; Unavailable when there is
  /// no resolver to be had. exit_for() has the contract's exit code for either. `terminal` must
  /// outlive it.
  static Result<std::unique_ptr<OneShotResolver>> create(const Invocation& invocation,
                                                         Terminal& terminal);
  ~OneShotResolver();

  dns::Resolver& get() const { return *asked_; }
  /// What was asked so far.
  const std::vector<AskedQuestion>& questions() const { return asked_->questions(); }
  bool is_unreachable() const { return asked_->is_unreachable(); }
  /// When nobody answered anything: says so with the remedy, and gives the exit code. What came of
  /// the questions is then no result.
  std::optional<Exit> complain_if_unreachable(Terminal& terminal) const;
  /// Runs the task that `function` makes, to its end; the terminal shows that it takes long.
  template <class Function>
  auto run(Function function) {
    Waiting waiting(terminal_, kAskingDns);
    return cores_.run(0, std::move(function));
  }

 private:
  explicit OneShotResolver(Terminal& terminal) : terminal_(terminal) {}

  Terminal& terminal_;
  net::Cores cores_{1};
  std::unique_ptr<dns::Resolver> resolver_;
  std::unique_ptr<AskedResolver> asked_;
  std::optional<Endpoint> server_;  ///< of --dns
};

/// What was asked, after an empty line; nothing when nothing was.
void tell_questions(const OneShotResolver& resolver, Terminal& terminal);

/// Whether `servers` (one of them), or without any the servers of the root, answer at all.
AskedResolver::Probe dns_probe(dns::Resolver& resolver, std::vector<Endpoint> servers);

}  // namespace hikyaku::app
