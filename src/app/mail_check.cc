#include "app/mail_check.h"

#include <fmt/format.h>

#include "auth/directory.h"
#include "mailbox/check.h"
#include "net/cores.h"

namespace hikyaku::app {
namespace {

/// One repair may show what the next has to do.
constexpr int kMostRounds = 4;

class MailChecker {
 public:
  MailChecker(store::Store& store, const Clock& clock, bool repair,
              const std::function<void(std::string_view, double)>& tell)
      : store_(store), clock_(clock), repair_(repair), tell_(tell) {}

  Task<Result<MailReport>> run() {
    auto accounts = co_await store_.read(mailbox::list_accounts);
    for (auto id : accounts) {
      tell_("mail", static_cast<double>(report_.accounts++) / static_cast<double>(accounts.size()));
      CO_TRY_DO(co_await check(id, co_await name_of(id)));
    }
    co_return std::move(report_);
  }

 private:
  Task<std::string> name_of(store::AccountId id) {
    co_return co_await store_.read([id](store::Reader& reader) -> std::string {
      for (const auto& account : auth::list_accounts(reader))
        if (account.id == id) return account.address;
      return fmt::format("account {}", id);
    });
  }

  Task<Result<mailbox::AccountReport>> look(store::AccountId id) {
    auto found = co_await store_.read([id](store::Reader& reader) {
      return mailbox::check_account(reader, id, mailbox::Owners::Look);
    });
    // While rows are missing, reading the messages says nothing new.
    if (found.problems.empty()) co_await mailbox::check_messages(store_, id, found);
    co_return found;
  }

  Task<Result<void>> check(store::AccountId id, std::string name) {
    for (int round = 0;; ++round) {
      CO_TRY(auto found, co_await look(id));
      report_.messages += round == 0 ? found.messages : 0;
      report_.digests += round == 0 ? found.digests : 0;
      for (const auto& text : found.problems)
        report_.problems.push_back(fmt::format("{}: {}", name, text));
      for (const auto& message : found.lost) lose(name, message);
      for (const auto& message : found.unreadable) lose(name, message);
      if (found.problems.empty() || !repair_ || round == kMostRounds) co_return Result<void>{};
      CO_TRY_DO(co_await mailbox::repair_account(store_, clock_, id, found));
      report_.repairs.push_back(fmt::format("{}: {} rows written, {} messages taken out", name,
                                            found.rows.size() + found.owners.size(),
                                            found.lost.size() + found.unreadable.size()));
    }
  }

  void lose(const std::string& name, const mailbox::LostMessage& message) {
    report_.lost.push_back(fmt::format("{}, {}, UID {}, {}, {} bytes: {} {}", name, message.path,
                                       message.uid, format_rfc3339(message.received), message.size,
                                       message.reason, message.envelope));
  }

  store::Store& store_;
  const Clock& clock_;
  bool repair_;
  const std::function<void(std::string_view, double)>& tell_;
  MailReport report_;
};

}  // namespace

Result<MailReport> check_mail(
    const store::Options& options, bool repair,
    const std::function<void(std::string_view doing, double part)>& tell) {
  TRY(auto store, store::open_store(options));
  net::Cores cores(1);
  cores.start();
  MailChecker checker(*store, options.clock, repair, tell);
  auto report = cores.run(0, [&] { return checker.run(); });
  store->close();
  cores.stop();
  cores.join();
  return report;
}

}  // namespace hikyaku::app
