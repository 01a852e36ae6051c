// keep: what a mail with a report comes to. The mail goes in the transaction that keeps what was in
// it, or that notes why nothing was; its story is told there, too.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "reports/digest.h"
#include "store/store.h"

namespace hikyaku::reports {

struct Kept {
  enum class What {
    Report,      ///< `report` and its rows
    Unproved,    ///< `report`, not counted: nobody was shown to have sent it
    Failure,     ///< a failure report about `domain`
    NotOurs,     ///< about `domain`, which nobody here has
    Known,       ///< the same report came before
    Unreadable,  ///< `problem`
    Bounce,      ///< one of our reports about `domain` did not arrive: `problem`
  };
  What what = What::Unreadable;
  std::string domain;
  ReceivedReport report;
  std::string problem;
};
/// Whether a domain, or one above it, is one of ours.
using IsOurs = std::function<bool(store::Reader&, std::string_view domain)>;

/// Several at once do no harm: of two mails with the same report one is Known. An error: the store
/// did not take it; the mail waits, and the same may be done again. (If that never comes about,
/// rows of it that were written are trimmed with those of their day.)
Task<Result<Kept>> keep(store::Store& store, Taken taken, Digest digest, IsOurs is_ours);
/// The mail cannot be read: that is noted, and the mail goes.
Task<Result<Kept>> give_up(store::Store& store, Taken taken, std::string problem);

}  // namespace hikyaku::reports
