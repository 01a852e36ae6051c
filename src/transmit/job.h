// A job: one message for one destination, and what may become of it. Private to transmit/.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/task.h"
#include "net/stream.h"
#include "queue/queue.h"
#include "store/store.h"
#include "transmit/connector.h"
#include "transmit/metrics.h"
#include "transmit/outcome.h"
#include "transmit/route.h"

namespace hikyaku::transmit {

/// One message for one destination.
struct Job {
  queue::Message message;
  std::vector<queue::Entry> entries;
};

/// Entries of one message for one destination go together, if they get the same bytes.
void add_to_jobs(store::Reader& reader, std::vector<Job>& jobs, queue::Entry entry);

/// Takes the next job (there is one), as far as the server takes so many recipients at once
/// (RFC 9422 §2).
Job take_next(std::deque<Job>& jobs, const Connection& connection);

/// Sends it over a connection that has a client. An outcome for each entry. Throws
/// net::Disconnected.
Task<std::vector<Outcome>> send(const Job& job, Connection& connection, store::Store& store,
                                Metrics& metrics);

/// All entries are tried again later.
std::vector<Outcome> deferred(const Job& job, const Connection& connection,
                              smtp::EnhancedStatus status, const std::string& words);
/// The connection ended within it.
std::vector<Outcome> lost(const Job& job, const Connection& connection,
                          const net::Disconnected& gone);
/// The message could not be read. Trying again does not mend what is damaged.
std::vector<Outcome> unreadable(const Job& job, const Error& error);
/// Entries that are not for sending: their sender is told what became of them.
std::vector<Outcome> told(const Job& job);
/// The same outcome for every entry.
std::vector<Outcome> for_all(const Job& job, const Outcome& outcome);

/// The DNS names no host for the destination.
Outcome no_way(const Route& route);
/// No connection came about.
Outcome unreachable(const Connection& connection);
/// As if it had not been begun.
Outcome abandoned();

}  // namespace hikyaku::transmit
