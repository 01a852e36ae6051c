// undelete.list, undelete.restore, undelete.purge; space.use; backup.freeze: what was deleted and
// can be brought back, the space that it takes, and the store held still for a backup.
#include <algorithm>
#include <fmt/core.h>

#include "app/commands.h"
#include "app/present_messages.h"
#include "app/repair_note.h"
#include "app/run_command.h"
#include "app/store_damage.h"
#include "auth/directory.h"
#include "base/async.h"
#include "base/base64.h"
#include "base/text.h"
#include "mailbox/bulk.h"
#include "mailbox/intents.h"
#include "mailbox/messages.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "store/posix_file_system.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

/// Messages in one read, and in one transaction.
constexpr std::size_t kPiece = 100;
/// Where messages go whose mailbox is no longer there.
constexpr std::string_view kOrphans = "Undeleted";

/// Which messages a call is about.
struct Selection {
  std::string mailbox;  ///< "": all
  Time since{};
  Time before = Time::max();

  static Result<Selection> of(ControlCall& call) {
    Selection selection;
    TRY(selection.mailbox, call.text("mailbox"));
    TRY_DO(take_time(call, "since", selection.since));
    TRY_DO(take_time(call, "before", selection.before));
    return selection;
  }
  static Result<void> take_time(ControlCall& call, std::string_view name, Time& into) {
    TRY(auto text, call.text(name));
    if (text.empty()) return {};
    auto time = parse_rfc3339(text);
    if (!time) return fail(ErrorCode::Invalid, "{} is no time", text);
    into = *time;
    return {};
  }
  bool matches(const mailbox::ExpungedMessage& message) const {
    return mailbox.empty() || message.path == mailbox || message.path.starts_with(mailbox + '/');
  }
};

/// The messages of a large mailbox that was deleted just now are on their way to what can be
/// brought back.
Task<Result<void>> work_off_deletes(Core& core, const auth::Account& account) {
  auto begun = co_await core.store().read(
      [&](store::Reader& reader) { return mailbox::has_intents(reader, account.id); });
  if (!begun) co_return Result<void>();
  co_return co_await mailbox::work_off_bulk({core.store(), core.clock()}, account.id);
}

Task<Result<std::vector<auth::Account>>> accounts_of(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.text("address"));
  auto accounts =
      co_await core.store().read([](store::Reader& reader) { return auth::list_accounts(reader); });
  if (!address.empty()) {
    auto found = co_await core.store().read(
        [&](store::Reader& reader) { return auth::find_account(reader, address); });
    if (!found)
      co_return fail(ErrorCode::NotFound, "there is no account {}: hikyaku account list", address);
    accounts = {std::move(*found)};
  }
  for (auto& account : accounts) CO_TRY_DO(co_await work_off_deletes(core, account));
  co_return accounts;
}

/// The next messages that can be brought back, from `from` on; and where to go on, if anywhere.
struct Piece {
  std::vector<mailbox::ExpungedMessage> messages;
  std::optional<Time> next;
};
Task<Piece> next_piece(Core& core, store::AccountId account, const Selection& selection,
                       Time from) {
  co_return co_await core.store().read([&, from](store::Reader& reader) {
    Piece piece;
    std::size_t seen = 0;
    auto last = from;
    mailbox::scan_expunged(reader, account, from, [&](const mailbox::ExpungedMessage& message) {
      if (message.expunged >= selection.before) return false;
      // All of one moment belong together: the next piece begins behind them.
      if (seen >= kPiece && message.expunged != last) {
        piece.next = message.expunged;
        return false;
      }
      ++seen;
      last = message.expunged;
      if (selection.matches(message) && reader.blob_size(message.record.blob))
        piece.messages.push_back(message);
      return true;
    });
    return piece;
  });
}

object describe(const auth::Account& account, const mailbox::ExpungedMessage& message) {
  mime::HeaderView header(message.record.digest.header_fields);
  return {{"account", json_text(account.address)},
          {"mailbox", json_text(message.path)},
          {"uid", message.uid},
          {"deleted", format_rfc3339(message.expunged)},
          {"received", format_rfc3339(message.record.received)},
          {"size", message.record.size},
          {"from", json_text(mime::decode_words(header.value("From")))},
          {"subject", json_text(mime::decode_words(header.value("Subject")))}};
}

Task<Answer> undelete_list(Core& core, ControlCall& call) {
  CO_TRY(auto selection, Selection::of(call));
  CO_TRY(auto accounts, co_await accounts_of(core, call));
  auto now = core.patient_clock().now();
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  for (auto& account : accounts) {
    for (std::optional<Time> from = selection.since; from;) {
      auto piece = co_await next_piece(core, account.id, selection, *from);
      from = piece.next;
      for (auto& message : piece.messages) {
        auto until = message.expunged + core.config().store.retention;
        if (until <= now) continue;  // it goes with the next look at what is old
        ++count;
        bytes += message.record.size;
        auto told = describe(account, message);
        told["until"] = format_rfc3339(until);
        co_await call.item(std::move(told));
      }
    }
  }
  co_return object{{"count", count}, {"bytes", bytes}};
}

/// The mailbox that a message goes back to: its own, whatever it is called now, or one of the same
/// name, or the one for those that have none; nothing while that is not there.
std::optional<mailbox::MailboxId> find_way_back(store::Reader& reader, store::AccountId account,
                                                const mailbox::ExpungedMessage& message) {
  if (auto own = mailbox::get_mailbox(reader, account, message.mailbox); own && own->selectable)
    return own->id;
  for (auto& name : {message.path, std::string(kOrphans)})
    if (auto there = mailbox::find_mailbox(reader, account, name); there && there->selectable)
      return there->id;
  return std::nullopt;
}

/// The same; what is not there is made. Within a step.
Result<mailbox::MailboxId> way_back(store::Transaction& tx, store::AccountId account,
                                    const mailbox::ExpungedMessage& message, Time now) {
  if (auto found = find_way_back(tx, account, message)) return *found;
  TRY(auto made, mailbox::create_mailbox(tx, account, kOrphans, mailbox::Role::None, now));
  TRY_DO(mailbox::subscribe_mailbox(tx, account, kOrphans, true, now));
  return made.id;
}

struct Restored {
  std::uint64_t count = 0;
  std::uint64_t orphans = 0;
  std::uint64_t present = 0;  ///< their mailboxes have them already
  std::uint64_t refused = 0;
  std::string why;
  std::uint64_t damaged = 0;
};

/// Reads all of it: what cannot be read is not to come back as if it were whole.
Task<Result<void>> read_whole(Core& core, const mailbox::ExpungedMessage& message) {
  CO_TRY(auto body, co_await core.store().open_blob(message.record.blob));
  co_return co_await body->check(0, body->size());
}

/// Names what is damaged, and leaves it out.
Task<void> leave_out_damaged(Core& core, ControlCall& call, const auth::Account& account,
                             Piece& piece, Restored& total) {
  std::vector<mailbox::ExpungedMessage> whole;
  for (auto& message : piece.messages) {
    if (auto read = co_await read_whole(core, message); read) {
      whole.push_back(std::move(message));
    } else {
      ++total.damaged;
      auto told = describe(account, message);
      told["why"] = json_text(read.error().describe());
      co_await call.item(std::move(told));
    }
  }
  piece.messages = std::move(whole);
}

/// Leaves out what is in its mailbox already: nothing comes back twice.
Task<void> leave_out_present(Core& core, store::AccountId account, PresentMessages& present,
                             Piece& piece, Restored& total) {
  std::vector<mailbox::ExpungedMessage> absent;
  for (auto& message : piece.messages) {
    auto into = co_await core.store().read(
        [&](store::Reader& reader) { return find_way_back(reader, account, message); });
    auto mailbox = into.value_or(PresentMessages::kToBeMade);
    if (co_await present.has(mailbox, message.record)) {
      ++total.present;
      continue;
    }
    present.add(mailbox, message.record);
    absent.push_back(std::move(message));
  }
  piece.messages = std::move(absent);
}

Task<Result<void>> restore_piece(Core& core, store::AccountId account, const Piece& piece,
                                 Restored& total) {
  Restored done;
  auto now = core.clock().now();
  auto step = [&](store::Transaction& tx) -> Result<void> {
    done = {};
    for (auto& message : piece.messages) {
      TRY(auto into, way_back(tx, account, message, now));
      auto placed = mailbox::restore_message(tx, account, into, message, now);
      if (placed) {
        ++done.count;
        auto info = mailbox::get_mailbox(tx, account, into);
        if (info && info->path == kOrphans && message.path != kOrphans) ++done.orphans;
      } else if (placed.error().code != ErrorCode::NotFound) {
        ++done.refused;
        done.why = placed.error().describe();
      }
    }
    return {};
  };
  // Full or not: what comes back takes no new space but its rows.
  CO_TRY_DO(co_await core.store().transact({account}, step, {.may_use_reserve = true}));
  total.count += done.count;
  total.orphans += done.orphans;
  total.refused += done.refused;
  if (!done.why.empty()) total.why = done.why;
  co_return Result<void>{};
}

Task<Answer> undelete_restore(Core& core, ControlCall& call) {
  CO_TRY(auto selection, Selection::of(call));
  CO_TRY(auto accounts, co_await accounts_of(core, call));
  CO_TRY(auto named, call.text("address"));
  if (named.empty())
    co_return fail(ErrorCode::Invalid, "whose messages? Name an account: hikyaku account list");
  auto account = accounts.front().id;
  PresentMessages present(core, account);
  for (std::optional<Time> from = selection.since; from;) {
    auto piece = co_await next_piece(core, account, selection, *from);
    from = piece.next;
    for (auto& message : piece.messages) present.expect(message.record);
  }
  Restored total;
  for (std::optional<Time> from = selection.since; from;) {
    auto piece = co_await next_piece(core, account, selection, *from);
    from = piece.next;
    co_await leave_out_present(core, account, present, piece, total);
    co_await leave_out_damaged(core, call, accounts.front(), piece, total);
    if (!piece.messages.empty()) CO_TRY_DO(co_await restore_piece(core, account, piece, total));
    co_await call.progress({total.count, 0, {}});
  }
  if (total.count + total.refused + total.present + total.damaged == 0 &&
      !selection.mailbox.empty()) {
    auto there = co_await core.store().read([&](store::Reader& reader) {
      return mailbox::find_mailbox(reader, account, selection.mailbox).has_value();
    });
    if (!there)
      co_return fail(ErrorCode::NotFound,
                     "{} has no mailbox {}, and nothing that was deleted there: hikyaku undelete "
                     "--list {}",
                     accounts.front().address, selection.mailbox, accounts.front().address);
  }
  co_return object{{"address", json_text(accounts.front().address)},
                   {"restored", total.count},
                   {"orphans", total.orphans},
                   {"present", total.present},
                   {"refused", total.refused},
                   {"damaged", total.damaged},
                   {"why", json_text(total.why)}};
}

/// What the rows of one account cannot tell is Corrupt.
Task<Result<void>> of_account(Task<Result<void>> work) {
  try {
    co_return co_await std::move(work);
  } catch (const std::exception& error) {
    co_return fail(ErrorCode::Corrupt, "{}", error.what());
  }
}

/// Gives up what could have been brought back, and its space. An account that is damaged keeps
/// nothing of the others.
Task<Answer> undelete_purge(Core& core, ControlCall& call) {
  CO_TRY(auto before_text, call.text("before"));
  auto told = parse_rfc3339(before_text);
  if (!before_text.empty() && !told)
    co_return fail(ErrorCode::Invalid, "{} is no time", before_text);
  auto accounts =
      co_await core.store().read([](store::Reader& reader) { return auth::list_accounts(reader); });
  CO_TRY(auto used, co_await core.store().space_use());
  Result<void> damage;
  auto look = [&](Result<void> done, const auth::Account& account) -> Result<void> {
    if (done || done.error().code != ErrorCode::Corrupt) return done;
    damage =
        wrap(std::move(done).error(), "what {} has deleted cannot be given up", account.address);
    return {};
  };
  for (auto& account : accounts)
    CO_TRY_DO(look(co_await of_account(work_off_deletes(core, account)), account));
  // One time for rows and bodies: no row may outlive its body.
  auto before = told.value_or(core.clock().now() + std::chrono::milliseconds(1));
  for (auto& account : accounts)
    CO_TRY_DO(look(co_await of_account(
                       mailbox::trim_bulk({core.store(), core.clock()}, account.id, {}, before)),
                   account));
  store::ReclaimRules rules{.before = before, .dead_percent = 10, .least_age = {}, .urgent = true};
  store::Reclaimed total;
  int waited = 0;
  while (true) {
    CO_TRY(auto done, co_await core.store().reclaim(rules));
    total.bodies_forgotten += done.bodies_forgotten;
    total.bytes_returned += done.bytes_returned;
    co_await call.progress({total.bytes_returned >> 10, used.journal_bytes >> 10, {}});
    if (done.busy && ++waited < 100) {
      co_await sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    if (done.busy)
      co_return fail(ErrorCode::Unavailable, "a backup is being made: try again when it is done");
    waited = 0;  // it went on between two backups
    if (!done.more) break;
  }
  if (!damage) co_return std::unexpected(std::move(damage).error());
  co_return object{{"bodies", total.bodies_forgotten}, {"bytes", total.bytes_returned}};
}

Task<Answer> space_use(Core& core, ControlCall&) {
  auto done = core.store().statistics();
  store::SpaceUse use;
  // Of one that is read-only the rest can be told all the same.
  if (done.read_only.empty()) {
    CO_TRY(use, co_await core.store().space_use());
  }
  std::error_code error;
  auto space = std::filesystem::space(core.instance().data, error);
  co_return object{{"segments", use.segments},
                   {"journal", use.journal_bytes},
                   {"live", use.live_bytes},
                   {"retained", use.retained_bytes},
                   {"free", error ? 0 : space.available},
                   {"no_inodes", store::lacks_inodes(core.instance().data.string())},
                   {"reserve", core.config().store.reserve.count},
                   {"write_under_way", std::chrono::floor<seconds>(done.write_under_way).count()},
                   {"repair_notes", json_texts(repair_notes(core.instance().data))},
                   {"ballast", done.ballast_bytes},
                   {"ballast_wanted", done.ballast_wanted},
                   {"returned", done.bytes_returned},
                   {"moved", done.bytes_moved},
                   {"read_only", json_text(done.read_only)},
                   {"lost_segments", done.lost_segments},
                   {"lost_segment", json_text(done.lost_segment)},
                   {"unreadable", done.unreadable_bodies},
                   {"damaged_records", done.damaged_records},
                   {"damaged_record", json_text(done.damaged_record)},
                   {"scrubbed", done.scrub_ended == Time{} ? "" : format_rfc3339(done.scrub_ended)},
                   {"index_damage", json_text(done.index_damage)}};
}

/// The store held still as long as the connection lives.
Task<Answer> backup_freeze(Core& core, ControlCall& call) {
  CO_TRY(auto frozen, co_await core.store().freeze());
  call.hand_over_to([frozen](std::unique_ptr<net::Stream> stream) -> Task<void> {
    return hold_while_connected(std::move(stream), frozen);
  });
  co_return describe_frozen(*frozen, damage_of(core.store().statistics()));
}

}  // namespace

object describe_frozen(const store::Frozen& frozen, const StoreDamage& damage) {
  boost::json::array files;
  for (auto& file : frozen.files)
    files.push_back(
        {{"from", file.from}, {"to", file.to}, {"length", file.length}, {"sealed", file.sealed}});
  return {{"files", std::move(files)},
          {"mark_name", frozen.mark_name},
          {"mark", base64_encode(frozen.mark)},
          {"last_group", frozen.last_group},
          {"epoch", frozen.epoch},
          {"store_id", to_hex(frozen.store_id)},
          {"damage", to_json(damage)}};
}

Task<void> hold_while_connected(std::unique_ptr<net::Stream> stream,
                                [[maybe_unused]] std::shared_ptr<const store::Frozen> frozen) {
  stream->set_timeout(std::chrono::hours(24 * 7));
  char byte = 0;
  while (true) {
    auto got = stream->try_read({&byte, 1});
    if (got && *got == 0) co_return;
    if (!got) co_await stream->wait_readable();
  }
}

void add_space_commands(ControlTable& table, Core& core) {
  auto add = [&](std::string verb, auto command) {
    table.add({.verb = std::move(verb),
               .run = [&core, command](ControlCall& call) { return command(core, call); }});
  };
  add("undelete.list", undelete_list);
  add("undelete.restore", undelete_restore);
  add("undelete.purge", undelete_purge);
  add("space.use", space_use);
  add("backup.freeze", backup_freeze);
}

}  // namespace hikyaku::app
