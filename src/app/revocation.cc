#include "app/revocation.h"

#include <map>
#include <set>

#include "auth/credentials.h"
#include "auth/directory.h"
#include "store/index_error.h"

namespace hikyaku::app {
namespace {

/// Whoever was just logging in while the directory changed is found at a second look.
constexpr std::chrono::seconds kAgain{5};
/// Accounts in one read.
constexpr std::size_t kPiece = 300;

/// What a session has logged in with.
struct Used {
  std::uint32_t account = 0;
  std::string credential;
  Time made{};
  auto operator<=>(const Used&) const = default;
};

Used used_by(const SessionFacts& facts) {
  auto& activity = facts.activity;
  return {activity.account, activity.credential, activity.credential_made};
}

bool is_valid(store::Reader& reader, const Used& used) {
  auto account = auth::get_account(reader, used.account);
  if (!account) return false;
  // The owner of the instance needs neither a password nor an account that is switched on.
  if (used.credential.empty()) return true;
  auto credential = auth::find_credential(reader, used.account, used.credential);
  return account->enabled && credential && credential->created == used.made;
}

struct Judged {
  std::vector<Used> gone;
  std::exception_ptr unreadable;  ///< why of some it could not be said
};

Judged judge(store::Reader& reader, const std::vector<Used>& all) {
  Judged judged;
  for (auto& used : all) {
    try {
      if (!is_valid(reader, used)) judged.gone.push_back(used);
    } catch (const store::IndexError&) {
      judged.unreadable = std::current_exception();
    }
  }
  return judged;
}

}  // namespace

void Revocation::start() {
  changes_ = store_.subscribe(store::kInstance, auth::kTopicDirectory, [this] { wakeup_.wake(); });
  gate_.spawn(run());
}

void Revocation::stop(Callback stopped) {
  stopping_ = true;
  changes_.reset();
  wakeup_.wake();
  gate_.close(std::move(stopped));
}

Task<void> Revocation::run() {
  while (true) {
    co_await wakeup_.wait();
    if (!co_await look_at_all()) co_return;
    co_await wakeup_.wait(kAgain);
    if (!co_await look_at_all()) co_return;
  }
}

Task<bool> Revocation::look_at_all() {
  while (!stopping_) {
    if (co_await rounds_.run(look())) co_return !stopping_;
    // Whoever is to go must not stay because somebody's row could not be read.
    co_await wakeup_.wait(kAgain);
  }
  co_return false;
}

Task<void> Revocation::look() {
  std::set<Used> in_use;
  for (auto& facts : co_await sessions_.list())
    if (facts.activity.account != 0) in_use.insert(used_by(facts));
  auto revoked = std::make_shared<std::set<Used>>();
  std::exception_ptr unreadable;
  for (auto next = in_use.begin(); next != in_use.end();) {
    std::vector<Used> piece;
    for (; next != in_use.end() && piece.size() < kPiece; ++next) piece.push_back(*next);
    auto found = co_await store_.read([&](store::Reader& reader) { return judge(reader, piece); });
    revoked->insert(found.gone.begin(), found.gone.end());
    if (found.unreadable) unreadable = found.unreadable;
  }
  if (!revoked->empty()) {
    auto choose = [revoked](const SessionFacts& facts) {
      return revoked->contains(used_by(facts));
    };
    auto ended = co_await sessions_.end(choose, Activity::End::Revoked);
    if (ended > 0) log_.info("session.revoke", {{"sessions", ended}});
  }
  if (unreadable) std::rethrow_exception(unreadable);
}

}  // namespace hikyaku::app
