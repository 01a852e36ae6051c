#include "receive/plan.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>
#include <set>

#include "auth/directory.h"
#include "reports/report_address.h"
#include "smtp/replies.h"

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

class Planner {
 public:
  Planner(store::Reader& reader, const PlanRules& rules) : reader_(reader), rules_(rules) {}

  void add(const smtp::Recipient& recipient, std::size_t declared) {
    declared_ = declared;
    auto address = recipient.to.to_string();
    auto resolution = auth::resolve(reader_, address, rules_.delimiters);
    if (is_report_address(reader_, address, rules_.report_address)) {
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
    // What it has brought on its way once, it would bring on its way again.
    if (!resolution.remote.empty() && was_here(address))
      return refuse(address, smtp::replies::forwarding_loop(address));
    if (resolution.accounts.size() + resolution.remote.size() > 1)
      return expand(recipient, address, resolution);
    for (auto& target : resolution.accounts) {
      deliver(address, target, resolution.via);
      if (wants_success(recipient))
        plan_.confirmed.push_back({declared_, queue::Notice::Delivered, target.account});
    }
    // A single target gets what was said of the alias (RFC 3461 §5.2.7.2).
    for (auto& target : resolution.remote) queue(recipient, target, address, resolution.via);
  }

  Plan take() { return std::move(plan_); }

 private:
  void refuse(const std::string& address, smtp::Reply why) {
    plan_.failed.push_back({declared_, plan_.outcomes.size(), why});
    plan_.outcomes.push_back({address, Kind::Refused, why.to_string()});
  }

  /// The header says that the message was here before for this address, and its story knows of it:
  /// what a sender has made up is no loop.
  bool was_here(const std::string& address) {
    if (rules_.passages.empty()) return false;
    auto normal = auth::normalize_address(address);
    return normal && std::ranges::any_of(rules_.passages, [&](const Passage& passage) {
             return passage.address == *normal && passed(passage);
           });
  }
  bool passed(const Passage& passage) {
    auto is_it = [&](const std::string& address) {
      auto normal = auth::normalize_address(address);
      return normal && *normal == passage.address;
    };
    auto story = story::find_story(reader_, passage.id);
    return story && std::ranges::any_of(story->recipients, [&](auto& recipient) {
             return recipient.kind != Kind::Refused &&
                    (is_it(recipient.address) || is_it(recipient.taker));
           });
  }

  /// Several targets: the sender hears that there are, and of each only what goes wrong (RFC 3461
  /// §5.2.7.3 (c)).
  void expand(smtp::Recipient recipient, const std::string& address,
              const auth::Resolution& resolution) {
    if (wants_success(recipient)) {
      plan_.confirmed.push_back({declared_, queue::Notice::Expanded, 0});
      recipient.parameters.notify->success = false;
    }
    for (auto& target : resolution.accounts) deliver(address, target, resolution.via);
    for (auto& target : resolution.remote) queue(recipient, target, address, resolution.via);
  }

  void deliver(const std::string& address, const auth::Resolution::LocalTarget& target,
               const std::string& via) {
    if (!accounts_.insert(target.account).second) return;
    if (was_here(target.address))
      return refuse(address, smtp::replies::forwarding_loop(target.address));
    plan_.outcomes.push_back(
        {address, Kind::Delivered, via.empty() ? "" : via + ": ", target.address});
    plan_.local.push_back({target.account, target.address, declared_, plan_.outcomes.size() - 1});
  }

  void queue(const smtp::Recipient& recipient, const std::string& target,
             const std::string& address, const std::string& via) {
    auto entry = entry_for(recipient, rules_.now);
    auto [place, is_new] = queued_.emplace(target, plan_.queued.size());
    if (!is_new) return merge_notify(plan_.queued[place->second], entry.notify);
    entry.recipient = target;
    entry.destination = domain_of(target);
    if (!via.empty()) entry.delivered_to = auth::normalize_address(address).value_or("");
    plan_.queued.push_back(std::move(entry));
    plan_.outcomes.push_back(
        {address, Kind::Queued, (via.empty() ? "" : via + ": ") + "to " + target, target});
  }

  store::Reader& reader_;
  const PlanRules& rules_;
  Plan plan_;
  std::size_t declared_ = 0;
  std::set<store::AccountId> accounts_;
  std::map<std::string, std::size_t> queued_;  ///< places in plan_.queued
};

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

Plan make_plan(store::Reader& reader, const std::vector<smtp::Recipient>& recipients,
               const PlanRules& rules) {
  Planner planner(reader, rules);
  for (std::size_t i = 0; i < recipients.size(); ++i) planner.add(recipients[i], i);
  auto plan = planner.take();
  plan.directory_version = auth::directory_version(reader);
  return plan;
}

}  // namespace hikyaku::receive
