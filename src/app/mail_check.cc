#include "app/mail_check.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "app/lost_names.h"
#include "app/shown_time.h"
#include "auth/directory.h"
#include "auth/directory_check.h"
#include "base/text.h"
#include "mailbox/check.h"
#include "mailbox/mailboxes.h"
#include "mailbox/messages.h"
#include "mailbox/rows.h"
#include "net/cores.h"
#include "queue/rows.h"
#include "queue/tables.h"
#include "store/index_error.h"
#include "store/key.h"
#include "store/owners.h"

namespace hikyaku::app {
namespace {

/// One repair may show what the next has to do.
constexpr int kMostRounds = 4;

/// What is left of removed accounts is nobody's mail: the server erases it.
std::vector<store::AccountId> present_accounts(store::Reader& reader) {
  auto all = mailbox::list_accounts(reader);
  auto removed = auth::removed_accounts(reader);
  std::erase_if(all, [&](auto account) { return std::ranges::binary_search(removed, account); });
  return all;
}

/// The highest account that a body's owner or a message in the queue names.
store::AccountId highest_named(store::Reader& reader) {
  auto highest = store::highest_owner(reader);
  reader.scan(store::Key(store::kInstance, queue::kTableMessage).children(),
              [&](std::string_view key, std::string_view value) {
                auto id = store::key_fields(key).u64_be();
                highest = std::max(highest, queue::decode_message(id, value).account);
                return true;
              });
  return highest;
}

class MailChecker {
 public:
  MailChecker(store::Store& store, const Clock& clock, bool repair,
              const std::function<void(std::string_view, double)>& tell,
              const std::function<Result<void>(const MailReport&)>& before_repair,
              const std::set<store::BlobId>& damaged)
      : store_(store),
        clock_(clock),
        repair_(repair),
        tell_(tell),
        before_repair_(before_repair),
        damaged_(damaged) {}

  Task<Result<MailReport>> run() {
    // First, so that what follows is told by the addresses.
    CO_TRY_DO(co_await check_directory());
    auto accounts = co_await store_.read(present_accounts);
    for (auto id : accounts) {
      tell_("mail", static_cast<double>(report_.accounts++) / static_cast<double>(accounts.size()));
      auto name = co_await name_of(id);
      auto promised = report_.promised.size();
      if (!damaged_.empty()) co_await name_promises(id, name);
      promised = report_.promised.size() - promised;
      CO_TRY_DO(co_await check(id, name));
      if (repair_ && !damaged_.empty()) CO_TRY_DO(co_await withdraw_promises(id, name, promised));
    }
    CO_TRY_DO(co_await check_lacks());
    co_await tell_homeless();
    co_return std::move(report_);
  }

 private:
  Task<std::string> name_of(store::AccountId id) {
    co_return co_await store_.read([id](store::Reader& reader) { return address_of(reader, id); });
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
    CO_TRY(bool has_row, co_await check_row(id, name));
    if (!has_row) co_return Result<void>{};
    for (int round = 0;; ++round) {
      CO_TRY(auto found, co_await look(id));
      report_.messages += round == 0 ? found.messages : 0;
      report_.digests += round == 0 ? found.digests : 0;
      std::set<std::string> lost;
      for (auto* list : {&found.lost, &found.unreadable}) {
        for (const auto& message : *list) {
          lose(name, message);
          lost.insert(
              subject_of(fmt::format("message {} of mailbox {}:", message.uid, message.mailbox)));
        }
      }
      // What is lost is told once, in words by which people know it.
      for (const auto& text : found.problems)
        if (!lost.contains(subject_of(text)))
          report_.problems.push_back(fmt::format("{}: {}", name, text));
      if (found.problems.empty() || !repair_ || round == kMostRounds) co_return Result<void>{};
      if (before_repair_) CO_TRY_DO(before_repair_(report_));
      CO_TRY_DO(co_await mailbox::repair_account(store_, clock_, id, found));
      if (auto rows = found.rows.size() + found.owners.size(); rows != 0)
        report_.repairs.push_back(fmt::format("{}: {} rows written", name, rows));
      if (auto gone = found.lost.size() + found.unreadable.size(); gone != 0)
        report_.repairs.push_back(
            fmt::format("{}: what is lost is out of its mailboxes: messages: {}", name, gone));
    }
  }

  /// False: it has lost its row, and nobody is to make it again.
  Task<Result<bool>> check_row(store::AccountId id, const std::string& name) {
    if (co_await store_.read(
            [id](store::Reader& reader) { return mailbox::has_account_row(reader, id); }))
      co_return true;
    report_.problems.push_back(fmt::format("{}: its row is lost", name));
    if (!repair_) co_return false;
    if (before_repair_) CO_TRY_DO(before_repair_(report_));
    CO_TRY_DO(co_await store_.transact(
        {id}, [&, now = clock_.now()](store::Transaction& tx) -> Result<void> {
          mailbox::make_account_row(tx, id, now);
          return {};
        }));
    report_.repairs.push_back(fmt::format("{}: its row was made again", name));
    co_return true;
  }

  /// What an account lacks of that which the directory says it has.
  struct Lack {
    bool inbox = false;
    bool quota = false;
  };

  static Lack lack_of(store::Reader& reader, const auth::Account& account) {
    try {
      return {.inbox = !mailbox::find_role(reader, account.id, mailbox::Role::Inbox),
              .quota = mailbox::usage(reader, account.id).quota != account.quota};
    } catch (const mailbox::CorruptRow&) {
      return {};  // the check of the account has told it
    }
  }

  Task<Result<void>> check_directory() {
    auto found = co_await store_.read([now = clock_.now()](store::Reader& reader) {
      return auth::check_directory(reader, highest_named(reader), now);
    });
    without_address_ = found.without_address;
    for (const auto& text : found.problems) report_.problems.push_back(text);
    if (found.problems.empty() || !repair_) co_return Result<void>{};
    if (before_repair_) CO_TRY_DO(before_repair_(report_));
    CO_TRY_DO(
        co_await store_.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
          auth::repair_directory(tx, found);
          return {};
        }));
    report_.repairs.push_back(
        fmt::format("accounts and addresses: {} rows written", found.rows.size()));
    report_.made_again = found.made_again;
    for (const auto& address : found.made_again)
      report_.repairs.push_back(fmt::format(
          "{}: its account is made again, and enabled: if it was disabled, hikyaku account change "
          "{} --disable",
          address, address));
    co_return Result<void>{};
  }

  /// Nothing was changed of them, or all that can be.
  Task<void> tell_homeless() {
    for (auto id : without_address_) {
      auto used = co_await store_.read([id](store::Reader& reader) {
        try {
          return mailbox::usage(reader, id);
        } catch (const mailbox::CorruptRow&) {
          return mailbox::Usage{};  // the check of the account has told it
        }
      });
      report_.homeless.push_back({id, used.messages, used.bytes});
    }
  }

  /// What an account has lost with its rows, it gets again from the directory.
  Task<Result<void>> check_lacks() {
    auto known =
        co_await store_.read([](store::Reader& reader) { return auth::list_accounts(reader); });
    for (const auto& account : known) {
      auto lack =
          co_await store_.read([&](store::Reader& reader) { return lack_of(reader, account); });
      if (!lack.inbox && !lack.quota) continue;
      report_.problems.push_back(
          fmt::format("{}: {}", account.address,
                      lack.inbox ? "it has no INBOX" : "its quota is not that of the directory"));
      if (repair_) CO_TRY_DO(co_await give(account, lack));
    }
    co_return Result<void>{};
  }

  Task<Result<void>> give(const auth::Account& account, Lack lack) {
    if (before_repair_) CO_TRY_DO(before_repair_(report_));
    CO_TRY_DO(co_await store_.transact(
        {account.id}, [&, now = clock_.now()](store::Transaction& tx) -> Result<void> {
          // Other mailboxes may be missing because somebody has deleted them.
          if (lack.inbox) mailbox::create_standard_mailboxes(tx, account.id, account.language, now);
          mailbox::set_quota(tx, account.id, account.quota);
          return {};
        }));
    report_.repairs.push_back(fmt::format("{}: it has its {}quota again", account.address,
                                          lack.inbox ? "mailboxes and its " : ""));
    co_return Result<void>{};
  }

  struct Promises {
    std::vector<mailbox::ExpungedMessage> broken;
    std::string unreadable;  ///< why there may be more
  };

  /// The deleted messages whose bodies are damaged, though undelete promises them.
  Task<Promises> look_for_promises(store::AccountId id) {
    co_return co_await store_.read([&](store::Reader& reader) {
      Promises found;
      try {
        mailbox::scan_expunged(reader, id, Time{}, [&](const mailbox::ExpungedMessage& message) {
          if (damaged_.contains(message.record.blob) && reader.blob_size(message.record.blob))
            found.broken.push_back(message);
          return true;
        });
      } catch (const mailbox::CorruptRow& error) {
        found.unreadable = error.what();
      }
      return found;
    });
  }

  Task<void> name_promises(store::AccountId id, std::string name) {
    auto found = co_await look_for_promises(id);
    if (!found.unreadable.empty())
      report_.problems.push_back(fmt::format(
          "{}: not all deleted messages can be looked through: {}", name, found.unreadable));
    for (const auto& message : found.broken)
      report_.promised.push_back(fmt::format("{}, {}, deleted {}{} ({} bytes)", name, message.path,
                                             minute_in_utc(format_rfc3339(message.expunged)),
                                             known_by(message.record.digest.header_fields),
                                             message.record.size));
  }

  /// Also those that a repair has just taken out of the mailboxes; they are told as lost, and only
  /// the `promised` ones are told here.
  Task<Result<void>> withdraw_promises(store::AccountId id, std::string name,
                                       std::size_t promised) {
    auto broken = (co_await look_for_promises(id)).broken;
    if (broken.empty()) co_return Result<void>{};
    if (before_repair_) CO_TRY_DO(before_repair_(report_));
    CO_TRY_DO(co_await store_.transact({id},
                                       [&](store::Transaction& tx) -> Result<void> {
                                         for (const auto& message : broken)
                                           mailbox::forget_expunged(tx, id, message);
                                         return {};
                                       },
                                       {.may_use_reserve = true}));
    if (promised != 0)
      report_.repairs.push_back(
          fmt::format("{}: deleted messages that are damaged cannot be brought back any more: "
                      "messages: {}",
                      name, promised));
    co_return Result<void>{};
  }

  void lose(const std::string& name, const mailbox::LostMessage& message) {
    auto known = describe({name, message.path, message.uid, message.received, message.fields});
    report_.lost.push_back(fmt::format("{} ({} bytes: {})", known, message.size, message.reason));
  }

  /// "message 16 of mailbox 1", of a sentence that begins so.
  static std::string subject_of(std::string_view text) {
    auto mailbox = text.find(" of mailbox ");
    if (!text.starts_with("message ") || mailbox == text.npos) return "";
    return std::string(text.substr(0, text.find_first_of(": ,", mailbox + 12)));
  }

  store::Store& store_;
  const Clock& clock_;
  bool repair_;
  const std::function<void(std::string_view, double)>& tell_;
  const std::function<Result<void>(const MailReport&)>& before_repair_;
  const std::set<store::BlobId>& damaged_;
  std::vector<store::AccountId> without_address_;
  MailReport report_;
};

}  // namespace

std::set<store::BlobId> damaged_bodies(const store::VerifyReport& report) {
  std::set<store::BlobId> damaged(report.waiting_damaged.begin(), report.waiting_damaged.end());
  for (auto& body : report.lost) damaged.insert(body.id);
  return damaged;
}

Result<MailReport> check_mail(const store::Options& options, bool repair,
                              const std::function<void(std::string_view doing, double part)>& tell,
                              const std::function<Result<void>(const MailReport&)>& before_repair,
                              const std::set<store::BlobId>& damaged) {
  TRY(auto store, store::open_store(options));
  net::Cores cores(1);
  cores.start();
  MailChecker checker(*store, options.clock, repair, tell, before_repair, damaged);
  auto report = [&]() -> Result<MailReport> {
    try {
      return cores.run(0, [&] { return checker.run(); });
    } catch (const store::IndexError& error) {
      return fail(ErrorCode::Corrupt, "the index cannot be read: {}", error.what());
    }
  }();
  store->close();
  cores.stop();
  cores.join();
  return report;
}

}  // namespace hikyaku::app
