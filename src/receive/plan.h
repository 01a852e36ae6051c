// The plan for one message: which accounts get it, what goes into the queue, and how that came
// about.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/resolution.h"
#include "base/task.h"
#include "queue/queue.h"
#include "receive/passages.h"
#include "receive/receiver.h"
#include "smtp/rules.h"
#include "store/store.h"
#include "story/story.h"

namespace hikyaku::receive {

/// Made on one version of the directory; worthless for another.
struct Plan {
  struct Local {
    store::AccountId account = 0;
    std::string account_address;
    std::size_t declared = 0;  ///< its place among the recipients of the envelope
    std::size_t outcome = 0;   ///< its place in `outcomes`
  };
  /// A recipient for whom the sender wants to hear of success (NOTIFY=SUCCESS).
  struct Confirmed {
    std::size_t declared = 0;
    queue::Notice notice = queue::Notice::Delivered;
    store::AccountId account = 0;  ///< Delivered: into whose mailbox
  };
  /// A recipient who was there at RCPT and cannot have the message now.
  struct Failed {
    std::size_t declared = 0;
    std::size_t outcome = 0;
    smtp::Reply reply;             ///< why
    store::AccountId account = 0;  ///< whose mailbox was full; 0: it is not about one
  };
  std::uint64_t directory_version = 0;
  bool reports = false;              ///< for the address of our DMARC records
  std::vector<Local> local;          ///< each account once
  std::vector<queue::Entry> queued;  ///< each address once
  std::vector<Confirmed> confirmed;
  std::vector<Failed> failed;
  std::vector<story::RecipientOutcome>
      outcomes;  ///< one for each recipient and one more for each further target
  /// What aliases name, and nobody gets (kind Lost), though others get their share.
  std::vector<story::RecipientOutcome> lost;
};

/// What the story says of a mail that was taken in as a report.
inline constexpr std::string_view kToReports = "to the reports about our domains";

/// Whether `address` is the one that the DMARC records of our domains name for reports: `setting`
/// is a local part at each of them, or one address. It needs no account.
bool is_report_address(store::Reader& reader, std::string_view address, std::string_view setting);

/// What a plan depends on beside the directory. Everything outlives the planning.
struct PlanRules {
  auth::CachedResolver& resolver;
  std::string_view report_address;
  std::vector<Passage> passages;  ///< what the header says of earlier ones
  Time now;
};

/// Rows that one read of the planning looks at, and targets that are gone through after it, about:
/// then the loop serves others. (A single alias may have more of both.)
inline constexpr std::size_t kPlannedAtOnce = 1'000;

/// Recipients that cannot be resolved any more, or for whom the message was here before, are in
/// `failed`, with the outcome "refused". At most about 1,000 targets are followed for each
/// recipient, and those of one alias once, however many recipients lead to it. All of it is of one
/// state of the store. The references outlive the task.
Task<Plan> make_plan(store::Store& store, const std::vector<smtp::Recipient>& recipients,
                     const PlanRules& rules);

/// Whether the queue has room for so much more.
bool may_queue(store::Reader& reader, const Settings& settings, std::uint64_t recipients,
               std::uint64_t bytes);
/// The refusal of mail for an account that is switched off.
smtp::Reply account_disabled(std::string_view address);
/// An entry that does nothing but tell the sender that this recipient could not have the message.
queue::Entry bounce_entry(const smtp::Recipient& recipient, const smtp::Reply& reply, Time now);
/// An entry that does nothing but tell the sender of success.
queue::Entry confirmation_entry(const smtp::Recipient& recipient, queue::Notice notice, Time now);

}  // namespace hikyaku::receive
