#include "receive/plan.h"

#include <algorithm>
#include <set>

#include "auth/directory.h"

namespace hikyaku::receive {
namespace {

std::uint8_t notify_bits(const std::optional<smtp::Notify>& notify) {
  if (!notify) return queue::kNotifyDefault;
  std::uint8_t bits = 0;
  if (notify->success) bits |= queue::kNotifySuccess;
  if (notify->failure) bits |= queue::kNotifyFailure;
  if (notify->delay) bits |= queue::kNotifyDelay;
  return bits == 0 ? queue::kNotifyNever : bits;
}

std::string domain_of(std::string_view address) {
  return std::string(address.substr(address.rfind('@') + 1));
}

class Planner {
 public:
  Planner(store::Reader& reader, std::string_view delimiters, Time now)
      : reader_(reader), delimiters_(delimiters), now_(now) {}

  void add(const smtp::Recipient& recipient) {
    auto address = recipient.to.to_string();
    auto resolution = auth::resolve(reader_, address, delimiters_);
    switch (resolution.kind) {
      case auth::Resolution::Kind::Foreign:
        queue(recipient, address, address, "");
        return;
      case auth::Resolution::Kind::Unknown:
        refuse(address, "there is no such address here");
        return;
      case auth::Resolution::Kind::Disabled:
        refuse(address, "the account is switched off");
        return;
      case auth::Resolution::Kind::Local:
        break;
    }
    for (auto& target : resolution.accounts) deliver(address, target, resolution.via);
    for (auto& target : resolution.remote) queue(recipient, target, address, resolution.via);
  }

  Plan take() { return std::move(plan_); }

 private:
  void refuse(const std::string& address, std::string_view why) {
    plan_.outcomes.push_back({address, "refused", std::string(why)});
  }

  void deliver(const std::string& address, const auth::Resolution::LocalTarget& target,
               const std::string& via) {
    if (!accounts_.insert(target.account).second) return;
    plan_.outcomes.push_back({address, "delivered", via.empty() ? "" : via + ": "});
    plan_.local.push_back({target.account, target.address, address, plan_.outcomes.size() - 1});
  }

  void queue(const smtp::Recipient& recipient, const std::string& target,
             const std::string& address, const std::string& via) {
    if (!queued_.insert(target).second) return;
    queue::Entry entry;
    entry.recipient = target;
    entry.original = recipient.parameters.orcpt ? recipient.parameters.orcpt->address : address;
    entry.notify = notify_bits(recipient.parameters.notify);
    entry.destination = domain_of(target);
    entry.next_attempt = now_;
    plan_.queued.push_back(std::move(entry));
    plan_.outcomes.push_back({address, "queued", (via.empty() ? "" : via + ": ") + "to " + target});
  }

  store::Reader& reader_;
  std::string_view delimiters_;
  Time now_;
  Plan plan_;
  std::set<store::AccountId> accounts_;
  std::set<std::string> queued_;
};

}  // namespace

Plan make_plan(store::Reader& reader, const std::vector<smtp::Recipient>& recipients,
               std::string_view delimiters, Time now) {
  Planner planner(reader, delimiters, now);
  for (auto& recipient : recipients) planner.add(recipient);
  auto plan = planner.take();
  plan.directory_version = auth::directory_version(reader);
  return plan;
}

}  // namespace hikyaku::receive
