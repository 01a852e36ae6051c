#include "app/backup_mail.h"

#include <fmt/core.h>

#include "app/core.h"
#include "app/kept_messages.h"
#include "auth/directory.h"
#include "mailbox/mailboxes.h"
#include "net/cores.h"
#include "net/worker_pool.h"
#include "store/open.h"

namespace hikyaku::app {
namespace {

constexpr std::uint64_t kPiece = 48 * 1024;

class BackupMail final : public BackupMailSource {
 public:
  BackupMail() : workers_(1), cores_(1) { cores_.start(); }
  ~BackupMail() override {
    cores_.call(0, [this] {
      blob_.reset();
      store_.reset();
    });
    cores_.stop();
    cores_.join();
  }

  Result<void> open(const BackupInfo& backup, const std::string& address,
                    const std::string& mailbox) {
    store::Options options{
        .directory = backup.store().string(), .workers = workers_, .clock = clock_};
    options.for_reading = true;
    options.schema = kSchema;
    TRY(store_, store::open_store(std::move(options)));
    return cores_.run(0, [&] { return find(address, mailbox); });
  }

  Result<std::optional<MailItem>> next() override {
    return cores_.run(0, [this] { return next_on_loop(); });
  }
  Result<std::string> read() override {
    return cores_.run(0, [this] { return read_on_loop(); });
  }
  std::uint64_t done() const override { return done_; }
  std::uint64_t total() const override { return total_; }
  const std::vector<std::string>& lost() const override { return lost_; }

 private:
  Task<Result<void>> find(const std::string& address, const std::string& only) {
    auto account = co_await store_->read(
        [&](store::Reader& reader) { return auth::find_account(reader, address); });
    if (!account) co_return fail(ErrorCode::NotFound, "the backup has no account {}", address);
    account_ = account->id;
    auto all = co_await store_->read(
        [&](store::Reader& reader) { return mailbox::list_mailboxes(reader, account_); });
    for (auto& one : all) {
      if (!only.empty() && one.path != only && !one.path.starts_with(only + '/')) continue;
      if (!one.selectable) continue;
      auto counters = co_await store_->read(
          [&](store::Reader& reader) { return mailbox::get_counters(reader, account_, one.id); });
      total_ += counters.size;
      mailboxes_.push_back(one);
    }
    if (mailboxes_.empty())
      co_return fail(ErrorCode::NotFound, "{} has no mailbox {} in the backup", address, only);
    co_return co_await enter_mailbox();
  }

  Task<Result<void>> enter_mailbox() {
    first_ = 1;
    rows_.clear();
    row_ = 0;
    keywords_ = co_await store_->read([&](store::Reader& reader) {
      return mailbox::keywords(reader, account_, mailboxes_[mailbox_].id);
    });
    co_return Result<void>{};
  }

  Task<Result<std::optional<MailItem>>> next_on_loop() {
    while (true) {
      CO_TRY(bool found, co_await next_row());
      if (!found) co_return std::optional<MailItem>();
      const auto& row = rows_[row_++];
      done_ += row.summary.size;
      // Before anything of it is given away.
      auto opened = co_await open_whole(row.blob);
      if (opened) {
        blob_ = std::move(*opened);
        break;
      }
      lost_.push_back(fmt::format("{}, UID {}, {}: {}", mailboxes_[mailbox_].path, row.summary.uid,
                                  format_rfc3339(row.summary.received), opened.error().describe()));
    }
    const auto& row = rows_[row_ - 1];
    prefix_ = row.prefix;
    at_ = 0;
    MailItem item{mailboxes_[mailbox_].path, {}, row.summary.received};
    item.flags = flag_names(row.summary.flags, keywords_);
    co_return std::optional(std::move(item));
  }

  /// A body of which every byte can be read.
  Task<Result<std::unique_ptr<store::Blob>>> open_whole(store::BlobId id) {
    CO_TRY(auto blob, co_await store_->open_blob(id));
    for (std::uint64_t at = 0; at < blob->size();) {
      CO_TRY(auto piece, co_await blob->read(at, kPiece));
      if (piece.empty()) co_return fail(ErrorCode::Corrupt, "the body is shorter than it was");
      at += piece.size();
    }
    co_return blob;
  }

  /// Whether rows_[row_] is another message.
  Task<Result<bool>> next_row() {
    while (row_ == rows_.size()) {
      rows_ = co_await store_->read([this](store::Reader& reader) {
        return kept_messages(reader, account_, mailboxes_[mailbox_].id, first_);
      });
      row_ = 0;
      if (!rows_.empty()) {
        first_ = rows_.back().summary.uid + 1;
        continue;
      }
      if (++mailbox_ == mailboxes_.size()) {
        --mailbox_;
        co_return false;
      }
      CO_TRY_DO(co_await enter_mailbox());
    }
    co_return true;
  }

  Task<Result<std::string>> read_on_loop() {
    if (!prefix_.empty()) co_return std::exchange(prefix_, {});
    CO_TRY(auto piece, co_await blob_->read(at_, kPiece));
    at_ += piece.size();
    co_return piece;
  }

  SystemClock clock_;
  net::ThreadPool workers_;
  net::Cores cores_;
  std::unique_ptr<store::Store> store_;
  store::AccountId account_ = 0;
  std::vector<mailbox::MailboxInfo> mailboxes_;
  std::size_t mailbox_ = 0;
  std::vector<std::string> keywords_;
  mailbox::Uid first_ = 1;
  std::vector<KeptMessage> rows_;
  std::size_t row_ = 0;
  std::unique_ptr<store::Blob> blob_;
  std::string prefix_;
  std::uint64_t at_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::vector<std::string> lost_;
};

}  // namespace

Result<std::unique_ptr<BackupMailSource>> open_backup_mail(const BackupInfo& backup,
                                                           const std::string& address,
                                                           const std::string& mailbox) {
  auto mail = std::make_unique<BackupMail>();
  TRY_DO(mail->open(backup, address, mailbox));
  return mail;
}

}  // namespace hikyaku::app
