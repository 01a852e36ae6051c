#include "app/maintenance.h"

#include "auth/directory.h"
#include "mailbox/bulk.h"
#include "story/story.h"

namespace hikyaku::app {
namespace {

constexpr std::chrono::hours kEvery{24};
/// Not at once: whoever starts the server has other things to look at.
constexpr std::chrono::minutes kFirst{10};

Task<std::vector<auth::Account>> all_accounts(Core& core) {
  co_return co_await core.store().read(
      [](store::Reader& reader) { return auth::list_accounts(reader); });
}

Task<void> erase_removed(Core& core) {
  auto removed = co_await core.store().read(
      [](store::Reader& reader) { return auth::removed_accounts(reader); });
  for (auto account : removed) {
    for (bool done = false; !done;) {
      auto piece = co_await core.store().transact({store::kInstance, account},
                                                  [&](store::Transaction& tx) -> Result<void> {
                                                    done = auth::erase_removed_account(tx, account);
                                                    return {};
                                                  },
                                                  {.may_use_reserve = true});
      if (!piece) co_return;
    }
  }
}

}  // namespace

Task<void> Maintenance::recover(Core& core) {
  mailbox::BulkContext context{core.store(), core.clock()};
  for (auto& account : co_await all_accounts(core)) {
    auto recovered = co_await mailbox::recover_bulk(context, account.id);
    if (!recovered)
      core.log().error("account.recover",
                       {{"user", account.address}, {"err", recovered.error().describe()}});
  }
  co_await erase_removed(core);
}

void Maintenance::start() {
  gate_.spawn(run());
}

void Maintenance::stop(Callback stopped) {
  stopping_ = true;
  wakeup_.wake();
  gate_.close(std::move(stopped));
}

Task<void> Maintenance::run() {
  co_await wakeup_.wait(kFirst);
  while (!stopping_) {
    co_await trim_all();
    co_await wakeup_.wait(kEvery);
  }
}

Task<void> Maintenance::trim_all() {
  auto& config = core_.config();
  mailbox::BulkContext context{core_.store(), core_.clock()};
  for (auto& account : co_await all_accounts(core_)) {
    if (stopping_) co_return;
    auto trimmed = co_await mailbox::trim_bulk(context, account.id, {}, config.store.retention);
    if (!trimmed)
      core_.log().warn("account.trim",
                       {{"user", account.address}, {"err", trimmed.error().describe()}});
  }
  co_await erase_removed(core_);
  auto before = core_.clock().now() - config.store.history;
  co_await core_.store().transact({store::kInstance},
                                  [&](store::Transaction& tx) -> Result<void> {
                                    story::trim(tx, before);
                                    return {};
                                  },
                                  {.may_use_reserve = true});
}

}  // namespace hikyaku::app
