#include "receive/plan.h"

#include <fmt/core.h>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "auth/directory.h"
#include "base/async.h"
#include "reports/report_address.h"
#include "smtp/replies.h"
#include "store/counting_reader.h"

namespace hikyaku::receive {
namespace {

std::string domain_of(std::string_view address) {
  return std::string(address.substr(address.rfind('@') + 1));
}

/// What every entry for this recipient of the envelope has.
queue::Entry entry_for(const smtp::Recipient& recipient, Time now) {
  queue::Entry entry;
  entry.recipient = recipient.to.to_string();
  entry.original = entry.recipient;
  if (auto& orcpt = recipient.parameters.orcpt) {
    entry.original = orcpt->address;
    entry.original_type = orcpt->type;
  }
  entry.notify = queue::notify_bits(recipient.parameters.notify);
  entry.next_attempt = now;
  return entry;
}

bool wants_success(const smtp::Recipient& recipient) {
  return recipient.parameters.notify && recipient.parameters.notify->success;
}

/// Somebody has named one address in two ways: whoever of them wants to be told is told.
void merge_notify(queue::Entry& entry, std::uint8_t more) {
  entry.notify |= more;
  if (entry.notify != queue::kNotifyNever) entry.notify &= ~queue::kNotifyNever;
}

using Kind = story::RecipientOutcome::Kind;

/// What the store says of a recipient of the envelope.
struct Looked {
  std::shared_ptr<const auth::Resolution> resolution;
  bool is_report = false;
};

/// Makes the plan of what was looked up; reads nothing itself.
class Planner {
 public:
  explicit Planner(const PlanRules& rules) : rules_(rules) {}

  /// For whom the message was here before: what it has brought on its way once, it would bring on
  /// its way again.
  void was_here(std::set<std::string> addresses) { passed_ = std::move(addresses); }
  void made_on(std::uint64_t directory_version) { plan_.directory_version = directory_version; }

  void add(const smtp::Recipient& recipient, std::size_t declared, const Looked& looked) {
    declared_ = declared;
    auto address = recipient.to.to_string();
    auto& resolution = *looked.resolution;
    if (looked.is_report) {
      plan_.reports = true;
      plan_.outcomes.push_back({address, Kind::Delivered, std::string(kToReports)});
      // An account or alias of that name gets it, too; a catch-all is for what nobody knows.
      if (resolution.kind != auth::Resolution::Kind::Local ||
          resolution.via.starts_with("catch-all"))
        return;
    }
    switch (resolution.kind) {
      case auth::Resolution::Kind::Foreign:
        queue(recipient, address, address, "");
        return;
      case auth::Resolution::Kind::Unknown:
        refuse(address, smtp::replies::unknown_recipient(address));
        return;
      case auth::Resolution::Kind::Disabled:
        refuse(address, account_disabled(address));
        return;
      case auth::Resolution::Kind::Local:
        break;
    }
    if (!resolution.remote.empty() && has_passed(address))
      return refuse(address, smtp::replies::forwarding_loop(address));
    tell_lost(address, looked.resolution);
    if (resolution.targets() > 1) return expand(recipient, address, looked.resolution);
    for (auto& target : resolution.accounts) {
      deliver(address, target, resolution.via);
      if (wants_success(recipient))
        plan_.confirmed.push_back({declared_, queue::Notice::Delivered, target.account});
    }
    // A single target gets what was said of the alias (RFC 3461 §5.2.7.2).
    for (auto& target : resolution.remote) queue(recipient, target, address, resolution.via);
  }

  /// How many targets add() would go through.
  std::size_t targets_of(const auth::Resolution& resolution) const {
    return expanded_.contains(&resolution) ? 0 : resolution.targets() + resolution.dead_ends.size();
  }

  Plan take() { return std::move(plan_); }

 private:
  void refuse(const std::string& address, smtp::Reply why) {
    plan_.failed.push_back({declared_, plan_.outcomes.size(), why});
    plan_.outcomes.push_back({address, Kind::Refused, why.to_string()});
  }

  bool has_passed(const std::string& address) const {
    if (passed_.empty()) return false;
    auto normal = auth::normalize_address(address);
    return normal && passed_.contains(*normal);
  }

  /// No bounce tells of these: who writes to a list has reached the list, cannot mend it, and would
  /// get one for every message. The operator hears.
  void tell_lost(const std::string& address,
                 const std::shared_ptr<const auth::Resolution>& resolution) {
    if (resolution->dead_ends.empty() || !told_.insert(resolution).second) return;
    for (auto& end : resolution->dead_ends)
      plan_.lost.push_back(
          {address, Kind::Lost,
           fmt::format("{}: {}: {}", resolution->via, end.address, auth::to_string(end.why)),
           end.address});
  }

  /// Several targets: the sender hears that there are, and of each only what goes wrong (RFC 3461
  /// §5.2.7.3 (c)).
  void expand(smtp::Recipient recipient, const std::string& address,
              const std::shared_ptr<const auth::Resolution>& resolution) {
    if (wants_success(recipient)) {
      plan_.confirmed.push_back({declared_, queue::Notice::Expanded, 0});
      recipient.parameters.notify->success = false;
    }
    // Once more for another wish only: all of them have it already.
    auto& expanded = expanded_[resolution.get()];
    expanded.resolution = resolution;
    if (!expanded.notify.insert(queue::notify_bits(recipient.parameters.notify)).second) return;
    for (auto& target : resolution->accounts) deliver(address, target, resolution->via);
    for (auto& target : resolution->remote) queue(recipient, target, address, resolution->via);
  }

  void deliver(const std::string& address, const auth::Resolution::LocalTarget& target,
               const std::string& via) {
    if (!accounts_.insert(target.account).second) return;
    if (has_passed(target.address))
      return refuse(address, smtp::replies::forwarding_loop(target.address));
    plan_.outcomes.push_back(
        {address, Kind::Delivered, via.empty() ? "" : via + ": ", target.address});
    plan_.local.push_back({target.account, target.address, declared_, plan_.outcomes.size() - 1});
  }

  void queue(const smtp::Recipient& recipient, const std::string& target,
             const std::string& address, const std::string& via) {
    auto [place, is_new] = queued_.emplace(target, plan_.queued.size());
    if (!is_new)
      return merge_notify(plan_.queued[place->second],
                          queue::notify_bits(recipient.parameters.notify));
    auto entry = entry_for(recipient, rules_.now);
    entry.recipient = target;
    entry.destination = domain_of(target);
    if (!via.empty()) entry.delivered_to = auth::normalize_address(address).value_or("");
    plan_.queued.push_back(std::move(entry));
    plan_.outcomes.push_back(
        {address, Kind::Queued, (via.empty() ? "" : via + ": ") + "to " + target, target});
  }

  /// An alias that is in the plan; its targets are there as long as anybody asks by its place.
  struct Expanded {
    std::shared_ptr<const auth::Resolution> resolution;
    std::set<std::uint8_t> notify;  ///< what was said of the recipients that led to it
  };

  const PlanRules& rules_;
  Plan plan_;
  std::size_t declared_ = 0;
  std::set<std::string> passed_;
  std::set<store::AccountId> accounts_;
  std::map<std::string, std::size_t> queued_;  ///< places in plan_.queued
  std::map<const auth::Resolution*, Expanded> expanded_;
  std::set<std::shared_ptr<const auth::Resolution>> told_;  ///< whose dead ends are in the plan
};

/// The next recipients from `next` on: one at least, and no more than one turn of the loop is for.
std::vector<Looked> look_up(store::Reader& reader, std::span<const smtp::Recipient> next,
                            const PlanRules& rules, const Planner& planner) {
  store::CountingReader counted(reader);
  std::set<const auth::Resolution*> seen;
  std::size_t targets = 0;
  std::vector<Looked> found;
  for (auto& recipient : next) {
    if (!found.empty() && counted.rows() + targets >= kPlannedAtOnce) break;
    auto address = recipient.to.to_string();
    found.push_back({rules.resolver.resolve(counted, address),
                     is_report_address(counted, address, rules.report_address)});
    auto& resolution = *found.back().resolution;
    if (seen.insert(&resolution).second) targets += planner.targets_of(resolution);
  }
  return found;
}

}  // namespace

smtp::Reply account_disabled(std::string_view address) {
  return {550, smtp::EnhancedStatus{5, 2, 1}, fmt::format("{} does not take mail now", address)};
}

bool may_queue(store::Reader& reader, const Settings& settings, std::uint64_t recipients,
               std::uint64_t bytes) {
  auto held = queue::totals(reader);
  return held.entries + recipients <= settings.max_queued &&
         held.bytes + bytes <= settings.max_queued_bytes;
}

queue::Entry bounce_entry(const smtp::Recipient& recipient, const smtp::Reply& reply, Time now) {
  auto entry = entry_for(recipient, now);
  entry.destination = queue::kNotice;
  entry.last_reply = reply.to_string();
  return entry;
}

queue::Entry confirmation_entry(const smtp::Recipient& recipient, queue::Notice notice, Time now) {
  auto entry = entry_for(recipient, now);
  entry.destination = queue::kNotice;
  entry.notice = notice;
  return entry;
}

bool is_report_address(store::Reader& reader, std::string_view address, std::string_view setting) {
  auto normal = auth::normalize_address(address);
  if (!normal || setting.empty()) return false;
  auto domain = domain_of(*normal);
  auto wanted = auth::normalize_address(reports::report_address(setting, domain));
  return wanted && *wanted == *normal && auth::find_domain(reader, domain);
}

Task<Plan> make_plan(store::Store& store, const std::vector<smtp::Recipient>& recipients,
                     const PlanRules& rules) {
  auto state = store.snapshot();
  Planner planner(rules);
  planner.made_on(co_await store.read_at(state, auth::directory_version));
  if (!rules.passages.empty())
    planner.was_here(co_await store.read_at(
        state, [&](store::Reader& reader) { return proven(reader, rules.passages); }));
  for (std::size_t done = 0; done < recipients.size();) {
    if (done > 0) co_await yield_now();
    auto next = std::span(recipients).subspan(done);
    auto found = co_await store.read_at(
        state, [&](store::Reader& reader) { return look_up(reader, next, rules, planner); });
    for (auto& looked : found) {
      planner.add(recipients[done], done, looked);
      ++done;
    }
  }
  co_return planner.take();
}

}  // namespace hikyaku::receive
