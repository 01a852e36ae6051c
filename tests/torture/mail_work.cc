#include <fmt/format.h>

#include "base/async.h"
#include "base/gate.h"
#include "mailbox/bulk.h"
#include "mailbox/digest.h"
#include "mailbox/intents.h"
#include "mailbox/messages.h"
#include "store/index.h"
#include "world.h"

namespace hikyaku::torture {
namespace {

using mailbox::BulkContext;
using mailbox::MailboxId;
using mailbox::Uid;
using store::AccountId;
using store::Key;
using store::Reader;
using store::Transaction;

/// Rows that belong to nobody's mail: for lazy transactions.
constexpr store::Table kLoose = 0xF0;

}  // namespace

Task<void> MailWork::start() {
  for (AccountId account = 1; account <= kAccounts; ++account) {
    BulkContext context{world_.store(), world_.loop};
    (void)co_await context.store.transact({account},
                                          [account](store::Transaction& tx) -> Result<void> {
                                            mailbox::abandon_appends(tx, account);
                                            return {};
                                          });
    (void)co_await mailbox::work_off_bulk(context, account);
    (void)co_await world_.store().transact(
        {account},
        [=, now = world_.loop.now()](Transaction& tx) -> Result<void> {
          if (!mailbox::find_mailbox(tx, account, "INBOX"))
            mailbox::create_standard_mailboxes(tx, account, Language::English, now);
          return {};
        },
        {});
  }
}

void MailWork::run(int clients, std::uint64_t operations) {
  bool ended = false;
  std::exception_ptr error;
  // An index that cannot be read ends a session, not the server.
  Gate gate([&](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const store::IndexError&) {
      if (!world_.files.faulty()) error = thrown;
    } catch (...) {
      error = thrown;
    }
  });
  auto all = [&]() -> Task<void> {
    gate.spawn(start());
    while (gate.running() > 0) co_await sleep_for(std::chrono::milliseconds(1));
    for (int i = 0; i < clients; ++i) gate.spawn(client(operations));
    gate.close([&] { ended = true; });
    while (!ended) co_await sleep_for(std::chrono::milliseconds(1));
  };
  world_.loop.run(all());
  if (error) std::rethrow_exception(error);
}

Task<void> MailWork::client(std::uint64_t operations) {
  for (; operations > 0; --operations) {
    if (!co_await operation()) co_return;
    ++done_;
  }
}

/// False when the store does nothing any more.
Task<bool> MailWork::operation() {
  auto account = static_cast<AccountId>(1 + world_.number(kAccounts));
  switch (world_.number(23)) {
    case 0:
    case 1:
    case 2:
      return flags(account);
    case 3:
    case 4:
      return move(account);
    case 5:
      return copy(account);
    case 6:
    case 7:
      return expunge(account);
    case 8:
      return long_append(account);
    case 9:
      return mailboxes(account);
    case 10:
      return housekeeping(account);
    case 11:
      return lazy_rows(account);
    case 12:
      return look(account);
    case 13:
    case 14:
      return reclaim();
    case 15:
      return backup();
    default:
      return deliver(account);
  }
}

std::string MailWork::message_text() {
  auto n = next_message_++;
  auto text = fmt::format(
      "From: sender{}@example.org\r\nTo: reader@example.net\r\nSubject: message {}\r\n"
      "Message-ID: <{}@example.org>\r\nReferences: <{}@example.org>\r\n\r\n",
      n % 7, n, n, n > 3 ? n - world_.number(3) : n);
  // Few above 256 KB, which go to segments of their own.
  auto length = world_.one_in(60) ? 260'000 + world_.number(200'000) : world_.number(3'000);
  auto begin = text.size();
  text.resize(begin + length);
  for (auto i = begin; i < text.size(); ++i)
    text[i] = i % 70 == 0 ? '\n' : static_cast<char>('a' + world_.number(26));
  // As many operations, and other bytes.
  static std::uint64_t all_runs = 0;
  if (world_.broken_part == Break::Seed) text.back() = static_cast<char>('a' + all_runs++ % 26);
  return text;
}

Task<std::optional<store::StagedBlob>> MailWork::stage(std::string bytes) {
  auto writer = world_.store().stage("torture");
  if (!co_await writer->append(bytes)) co_return std::nullopt;
  auto staged = co_await writer->finish();
  if (!staged) co_return std::nullopt;
  co_return *staged;
}

std::string MailWork::any_path() {
  static constexpr const char* kNames[] = {"INBOX", "Sent", "Trash", "work", "work/old", "x"};
  return kNames[world_.number(std::size(kNames))];
}

Task<std::uint32_t> MailWork::any_mailbox(AccountId account) {
  auto path = any_path();
  auto id = co_await world_.store().read([=](Reader& reader) -> MailboxId {
    auto found = mailbox::find_mailbox(reader, account, path);
    if (!found) found = mailbox::find_mailbox(reader, account, "INBOX");
    return found ? found->id : 0;
  });
  co_return id;
}

Task<std::vector<Uid>> MailWork::some_uids(AccountId account, MailboxId mailbox) {
  auto all = co_await world_.store().read([=](Reader& reader) {
    std::vector<Uid> uids;
    mailbox::scan_summaries(reader, account, mailbox, 1, UINT32_MAX,
                            [&](const mailbox::MessageSummary& row) {
                              uids.push_back(row.uid);
                              return true;
                            });
    return uids;
  });
  auto keep = 1 + world_.number(4);
  std::erase_if(all, [&](Uid) { return !world_.one_in(keep); });
  co_return all;
}

namespace {

bool goes_on(const Result<void>& done) {
  // What the mailbox refuses (quota, mailbox gone, no space) is an answer like others.
  if (done) return true;
  auto code = done.error().code;
  return code != ErrorCode::Io && code != ErrorCode::Shutdown && code != ErrorCode::Unavailable;
}

template <class Value>
bool goes_on(const Result<Value>& done) {
  return done || goes_on(Result<void>(std::unexpected(done.error())));
}

}  // namespace

Task<bool> MailWork::deliver(AccountId account) {
  mailbox::NewMessage message;
  auto text = message_text();
  message.prefix = fmt::format("Return-Path: <{}@example.org>\r\n", next_message_);
  message.digest = mailbox::make_digest(message.prefix, text);
  message.received = world_.loop.now();
  message.system_flags = world_.number(32);
  if (world_.one_in(3)) message.keywords = {fmt::format("k{}", world_.number(9))};
  auto staged = co_await stage(std::move(text));
  if (!staged) co_return false;
  message.body = *staged;

  // To one mailbox, or to one of each of several accounts: one transaction.
  std::vector<AccountId> accounts{account};
  if (world_.one_in(4)) accounts.push_back(1 + account % kAccounts);
  std::vector<MailboxId> into;
  for (auto each : accounts) into.push_back(co_await any_mailbox(each));
  auto shown_uids = shown_uid_next_;
  auto shown_changes = shown_change_;
  std::vector<mailbox::Placed> placed;
  auto done = co_await world_.store().transact(
      accounts,
      [&, now = world_.loop.now()](Transaction& tx) -> Result<void> {
        placed.clear();
        for (std::size_t i = 0; i < accounts.size(); ++i) {
          TRY(auto one, mailbox::deliver(tx, accounts[i], into[i], message, now));
          placed.push_back(one);
        }
        return {};
      },
      {});
  if (!done) co_return goes_on(done);
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    const auto& [id, uid_validity, uid, email, change] = placed[i];
    if (!uids_.insert({accounts[i], id, uid_validity, uid}).second)
      throw Broken(fmt::format("UID {} of mailbox {} was given out twice", uid, id));
    if (uid < shown_uids[{accounts[i], id, uid_validity}])
      throw Broken(fmt::format("UID {} of mailbox {} is below a UIDNEXT that was shown", uid, id));
    if (!changes_.insert({accounts[i], change}).second || change <= shown_changes[accounts[i]])
      throw Broken(fmt::format("change {} of account {} was given out twice", change, accounts[i]));
  }
  co_return true;
}

Task<bool> MailWork::flags(AccountId account) {
  auto id = co_await any_mailbox(account);
  auto uids = co_await some_uids(account, id);
  mailbox::StoreFlags wish;
  wish.change = static_cast<mailbox::FlagChange>(world_.number(3));
  wish.system_flags = world_.number(32);
  if (world_.one_in(3)) wish.keywords = {fmt::format("k{}", world_.number(9))};
  auto done = co_await mailbox::store_flags_bulk({world_.store(), world_.loop}, account, id, uids,
                                                 std::move(wish));
  co_return goes_on(done);
}

Task<bool> MailWork::move(AccountId account) {
  auto from = co_await any_mailbox(account);
  auto to = co_await any_mailbox(account);
  auto uids = co_await some_uids(account, from);
  mailbox::Copied moved;
  auto done =
      co_await mailbox::move_bulk({world_.store(), world_.loop}, account, from, uids, to, moved);
  co_return goes_on(done);
}

Task<bool> MailWork::copy(AccountId account) {
  auto from = co_await any_mailbox(account);
  auto to = co_await any_mailbox(account);
  auto uids = co_await some_uids(account, from);
  if (uids.size() > 20) uids.resize(20);
  auto done = co_await mailbox::copy_bulk({world_.store(), world_.loop}, account,
                                          {.from = from, .to = to, .uids = std::move(uids)});
  co_return goes_on(done);
}

Task<bool> MailWork::expunge(AccountId account) {
  auto id = co_await any_mailbox(account);
  auto uids = co_await some_uids(account, id);
  auto done = co_await mailbox::expunge_bulk({world_.store(), world_.loop}, account, id, uids,
                                             world_.one_in(2));
  co_return goes_on(done);
}

/// A long append or copy, in its pieces, published, given up or left to the next start.
Task<bool> MailWork::long_append(AccountId account) {
  auto to = co_await any_mailbox(account);
  auto from = co_await any_mailbox(account);
  auto uids = co_await some_uids(account, from);
  if (uids.size() > 30) uids.resize(30);
  mailbox::IntentId intent = 0;
  auto now = world_.loop.now();
  auto begun = co_await world_.store().transact(
      {account},
      [&](Transaction& tx) -> Result<void> {
        TRY(intent, mailbox::begin_append(tx, account, to, 60, 0, now));
        return {};
      },
      {});
  if (!begun) co_return begun.error().code == ErrorCode::Unavailable || goes_on(begun);
  for (std::size_t piece = 0; piece < 2; ++piece) {
    auto copied = co_await world_.store().transact(
        {account},
        [&](Transaction& tx) -> Result<void> {
          TRY_DO(mailbox::copy_piece(tx, account, intent, from, uids, now));
          return {};
        },
        {});
    if (!goes_on(copied)) co_return false;
    if (!copied) break;
  }
  auto publish = !world_.one_in(4);
  auto ended =
      co_await world_.store().transact({account},
                                       [&](Transaction& tx) -> Result<void> {
                                         if (publish) {
                                           TRY_DO(mailbox::publish(tx, account, intent, now));
                                         } else {
                                           mailbox::abandon(tx, account, intent);
                                         }
                                         return {};
                                       },
                                       {});
  co_return goes_on(ended);
}

Task<bool> MailWork::mailboxes(AccountId account) {
  auto path = any_path();
  auto other = any_path();
  auto what = world_.number(4);
  auto now = world_.loop.now();
  auto done = co_await world_.store().transact(
      {account},
      [&](Transaction& tx) -> Result<void> {
        if (what == 0) return mailbox::delete_mailbox(tx, account, path, now);
        if (what == 1) return mailbox::rename_mailbox(tx, account, path, other, now);
        TRY_DO(mailbox::create_mailbox(tx, account, path, mailbox::Role::None, now));
        return {};
      },
      {});
  if (!goes_on(done)) co_return false;
  if (what != 0) co_return true;
  auto worked = co_await mailbox::work_off_bulk({world_.store(), world_.loop}, account);
  co_return goes_on(worked);
}

Task<bool> MailWork::housekeeping(AccountId account) {
  mailbox::TrimRules rules;
  rules.age = std::chrono::hours(0);
  rules.keep = 50;
  auto done = co_await mailbox::trim_bulk({world_.store(), world_.loop}, account, rules,
                                          world_.loop.now() - milliseconds(world_.number(2'000)));
  co_return goes_on(done);
}

Task<bool> MailWork::lazy_rows(AccountId account) {
  auto row = static_cast<std::uint8_t>(world_.number(20));
  auto value = std::string(world_.number(200), 'l');
  auto range = world_.one_in(4);
  auto done = co_await world_.store().transact(
      {account},
      [=](Transaction& tx) -> Result<void> {
        auto key = Key(account, kLoose).u8(row).bytes();
        if (range)
          tx.erase_range({key, Key(account, kLoose).u8(row + 5).bytes()});
        else
          tx.put(key, value);
        return {};
      },
      {.durability = store::Durability::Lazy});
  co_return goes_on(done);
}

/// What a reader has been shown may not be given out again.
Task<bool> MailWork::look(AccountId account) {
  struct Seen {
    std::vector<std::pair<mailbox::MailboxInfo, mailbox::Counters>> boxes;
    mailbox::ChangeNumber change = 0;
  };
  auto seen = co_await world_.store().read([=](Reader& reader) {
    Seen all;
    for (auto& info : mailbox::list_mailboxes(reader, account)) {
      auto counters = mailbox::get_counters(reader, account, info.id);
      all.boxes.emplace_back(std::move(info), counters);
    }
    all.change = mailbox::account_change(reader, account);
    return all;
  });
  for (const auto& [info, counters] : seen.boxes) {
    auto& shown = shown_uid_next_[{account, info.id, info.uid_validity}];
    if (counters.uid_next < shown)
      throw Broken(fmt::format("UIDNEXT of mailbox {} went back", info.id));
    shown = counters.uid_next;
  }
  if (seen.change < shown_change_[account])
    throw Broken(fmt::format("the change number of account {} went back", account));
  shown_change_[account] = seen.change;
  world_.loop.advance(std::chrono::milliseconds(world_.number(500)));
  co_return true;
}

/// Space returns: bodies go and move, segments are left and removed.
Task<bool> MailWork::reclaim() {
  store::ReclaimRules rules{
      .before = world_.loop.now() - milliseconds(world_.one_in(2) ? 0 : 3'000),
      .dead_percent = static_cast<unsigned>(world_.number(60)),
      .least_age = {},
      .urgent = world_.one_in(3)};
  for (auto steps = 1 + world_.number(20); steps > 0; --steps) {
    auto done = co_await world_.store().reclaim(rules);
    if (!done) co_return goes_on(done);
    world_.segments_removed += done->segments_removed;
    world_.bodies_moved += done->bodies_moved;
    if (done->busy || !done->more) break;
  }
  co_return true;
}

/// A backup of what is there now, copied while the others go on; then it is read whole.
Task<bool> MailWork::backup() {
  if (!world_.one_in(3) || std::exchange(backing_up_, true)) co_return true;
  auto acknowledged = world_.acknowledged();
  auto copied = co_await copy_frozen();
  backing_up_ = false;
  if (!copied || !world_.files.powered()) co_return world_.files.powered() && goes_on(copied);
  world_.check_backup(acknowledged);
  co_return true;
}

Task<Result<void>> MailWork::copy_frozen() {
  auto& files = world_.watched;
  const std::string to = World::kBackup;
  for (const auto* part : {"/journal", "/index", ""})
    CO_TRY_DO(store::remove_files(files, to + part));
  CO_TRY_DO(files.make_directory(to + "/journal"));
  CO_TRY_DO(files.make_directory(to + "/index"));
  CO_TRY(auto frozen, co_await world_.store().freeze());
  for (const auto& file : frozen->files) {
    co_await sleep_for(milliseconds(world_.number(3)));
    CO_TRY(auto source, files.open("/store/" + file.from, store::OpenMode::Read));
    CO_TRY(auto bytes, store::read_exactly(*source, 0, static_cast<std::size_t>(file.length)));
    CO_TRY(auto target, files.open(to + "/" + file.to, store::OpenMode::Create));
    CO_TRY_DO(store::write_all(*target, 0, bytes));
  }
  co_return store::replace_file(files, to, frozen->mark_name, frozen->mark);
}

}  // namespace hikyaku::torture
