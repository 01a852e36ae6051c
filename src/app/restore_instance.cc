#include "app/restore_instance.h"

#include <algorithm>
#include <fcntl.h>
#include <fmt/core.h>
#include <map>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "app/backup_sums.h"
#include "app/core.h"
#include "app/forked.h"
#include "app/log_sink.h"
#include "app/mail_check.h"
#include "app/missing_store.h"
#include "app/progress.h"
#include "app/repair_note.h"
#include "app/system_user.h"
#include "base/codec.h"
#include "base/text.h"
#include "config/load.h"
#include "crypto/random.h"
#include "net/cores.h"
#include "queue/queue.h"
#include "store/epoch.h"
#include "store/posix_file_system.h"
#include "store/restore.h"
#include "store/verify.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr Phrase kLostGroups{"{} [group|groups] of changes", "変更のグループ {} 件"};
constexpr Phrase kMadeAgain{
    "what {} was like: it is enabled; if it was disabled, hikyaku account change {} --disable",
    "{} の設定。有効にしてあります。停止中だった場合は hikyaku account change {} --disable "
    "を実行してください"};
constexpr Phrase kLostAddress{
    "the address of account {0}, which has {1} [message|messages]: hikyaku account recover {0} "
    "ADDRESS gives it one",
    "メールが {1} 通あるアカウント {0} のアドレス: hikyaku account recover {0} アドレス "
    "で付けられます"};
constexpr Phrase kLostBody{"a body of {} bytes: {}", "本文 {} バイト: {}"};
constexpr Phrase kLostSums{"the list of checksums: whether files are the backup's cannot be told",
                           "チェックサムの一覧: ファイルがバックアップのものか確かめられません"};
constexpr std::size_t kMostLost = 100;
/// An epoch's turn is raised once for each restore or repair. So many of them nobody makes in the
/// life of a store; and of those that there are for a UIDVALIDITY (32,768) it takes little.
constexpr std::uint32_t kEpochLeap = 100;
/// So many turns above the backup's an epoch is believed. What says more is damaged, or somebody
/// wrote it who wants numbers to come to their end: a restore may take a sixteenth of those for
/// UIDVALIDITY.
constexpr std::uint32_t kMostRaised = 2'048;
constexpr std::size_t kPiece = 500;
constexpr std::string_view kHoldReason = "restored from a backup: it may have been sent since then";

Task<Result<std::uint64_t>> hold_queue(store::Store& store) {
  std::uint64_t held = 0;
  for (queue::MessageId after = 0;;) {
    auto entries = co_await store.read(
        [after](store::Reader& reader) { return queue::list(reader, after, kPiece); });
    if (entries.empty()) co_return held;
    after = entries.back().message;
    CO_TRY_DO(
        co_await store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
          for (auto& entry : entries)
            if (entry.state != queue::State::Held)
              TRY_DO(queue::hold(tx, entry.message, entry.number, kHoldReason));
          return {};
        }));
    held += entries.size();
  }
}

Result<std::uint64_t> settle_queue(Instance instance, const fs::path& data,
                                   const config::Config& config) {
  SystemClock clock;
  StandardErrorSink sink(config.log.format, clock);
  instance.data = data;
  TRY(auto core, Core::open(std::move(instance), config, Log(sink, LogLevel::Warn)));
  net::Cores cores(1);
  cores.start();
  auto held = cores.run(0, [&] { return hold_queue(core->store()); });
  core->close_store();
  cores.stop();
  cores.join();
  return held;
}

void add_loss(RestoreOutcome& outcome, std::string what) {
  ++outcome.lost_count;
  outcome.lost.push_back(std::move(what));
}

/// What is lost stays known to whoever runs the restored store, as after a repair.
Result<void> note_losses(const fs::path& data, const fs::path& backup, RestoreOutcome& outcome) {
  if (outcome.lost.empty()) return {};
  TRY(auto note, RepairNote::open(data, SystemClock().now(),
                                  "hikyaku restore --with-losses, " + backup.string()));
  std::vector<std::string> lines;
  for (auto& problem : outcome.damage) lines.push_back("found: " + problem);
  for (auto& lost : outcome.lost) lines.push_back(std::string(kLostWord) + lost);
  TRY_DO(note.add(lines));
  TRY(auto file, note.finish(true));
  if (file) outcome.note = file->filename().string();
  return {};
}

/// Reads what was copied whole and mends it as far as that goes: it is a copy. What is lost goes to
/// `outcome`.
Result<void> verify_copy(const store::Options& options, const RestoreRules& rules,
                         RestoreOutcome& outcome) {
  store::VerifyOptions how;
  how.repair = true;
  how.progress = rules.verifying;
  TRY(auto report, store::verify_store(options, how));
  // Closed well and as it was: there is nothing for anybody to mend.
  bool whole = report.good() && outcome.damage.empty();
  for (auto& problem : report.problems) outcome.damage.push_back(problem);
  if (whole) return {};
  auto tell = rules.verifying ? rules.verifying : [](std::string_view, double) {};
  TRY(auto mail, check_mail(options, true, tell, {}, damaged_bodies(report)));
  for (auto* list : {&mail.lost, &mail.promised})
    for (auto& message : *list) add_loss(outcome, std::move(message));
  for (auto& one : mail.homeless)
    add_loss(outcome, say(rules.language, kLostAddress, one.account, grouped(one.messages)));
  for (auto& address : mail.made_again)
    add_loss(outcome, say(rules.language, kMadeAgain, address, address));
  if (report.lost_groups != 0)
    add_loss(outcome, say(rules.language, kLostGroups, report.lost_groups));
  for (auto& text : report.perhaps_lost) add_loss(outcome, text);
  // Those of messages have been named with them.
  if (mail.lost.empty())
    for (auto& body : report.lost)
      add_loss(outcome, say(rules.language, kLostBody, body.size, printable(body.salvage)));
  return {};
}

/// The copy of a backup's store that is to be used.
struct Copied {
  fs::path data;
  fs::path backup;
  std::uint32_t least = 0;  ///< for its epoch
};

/// Nobody reads more of it in a terminal.
RestoreOutcome shortened(RestoreOutcome outcome) {
  if (outcome.lost.size() > kMostLost) outcome.lost.resize(kMostLost);
  return outcome;
}

/// The store verified, and raised to a new epoch; nothing of it is in use yet.
Result<RestoreOutcome> renew(const Copied& copy, const Instance& instance,
                             const config::Config& config, const RestoreRules& rules,
                             RestoreOutcome outcome) {
  {
    net::ThreadPool workers(std::max(1u, std::thread::hardware_concurrency()));
    SystemClock clock;
    store::Options options{.directory = copy.data.string(), .workers = workers, .clock = clock};
    options.schema = kSchema;
    TRY_DO(verify_copy(options, rules, outcome));
    if (outcome.lost_count != 0 && !rules.with_losses) return shortened(std::move(outcome));
    TRY(outcome.epoch, store::raise_epoch(options, copy.least));
  }
  TRY(outcome.held, settle_queue(instance, copy.data, config));
  TRY_DO(note_losses(copy.data, copy.backup, outcome));
  outcome.in_place = true;
  return shortened(std::move(outcome));
}

void put_texts(Encoder& out, const std::vector<std::string>& texts) {
  out.varint(texts.size());
  for (auto& text : texts) out.text(text);
}

std::vector<std::string> take_texts(Decoder& in) {
  std::vector<std::string> texts;
  for (auto count = in.varint(); count > 0 && !in.failed(); --count) texts.emplace_back(in.text());
  return texts;
}

std::string encode(const Result<RestoreOutcome>& outcome) {
  Encoder out;
  out.u8(outcome.has_value());
  if (outcome) {
    out.varint(outcome->epoch);
    out.varint(outcome->held);
    out.u8(outcome->in_place);
    out.varint(outcome->lost_count);
    put_texts(out, outcome->damage);
    put_texts(out, outcome->lost);
    out.text(outcome->note);
  } else {
    out.u8(static_cast<std::uint8_t>(outcome.error().code));
    out.text(outcome.error().describe());
  }
  return out.take();
}

Result<RestoreOutcome> decode(std::string_view bytes) {
  Decoder in(bytes);
  std::string text;
  auto code = ErrorCode::Internal;
  RestoreOutcome outcome;
  bool good = in.u8() != 0;
  if (good) {
    outcome.epoch = static_cast<std::uint32_t>(in.varint());
    outcome.held = in.varint();
    outcome.in_place = in.u8() != 0;
    outcome.lost_count = in.varint();
    outcome.damage = take_texts(in);
    outcome.lost = take_texts(in);
    outcome.note = in.text();
  } else {
    code = static_cast<ErrorCode>(in.u8());
    text = in.text();
  }
  if (in.failed())
    return fail(ErrorCode::Internal, "the process that opened the restored store ended early");
  if (!good) return fail(code, "{}", text);
  return outcome;
}

/// renew() by a process of its own, which has become the server's user for good: what it writes
/// belongs to that user, and nothing in the backup is opened with rights that it should not have.
/// We keep ours, to put the result in its place.
Result<RestoreOutcome> renew_apart(const Copied& copy, const Instance& instance,
                                   const config::Config& config, const RestoreRules& rules,
                                   RestoreOutcome outcome) {
  auto work = [&]() -> Result<RestoreOutcome> {
    TRY_DO(become_user(config.server.user));
    return renew(copy, instance, config, rules, std::move(outcome));
  };
  TRY(auto process, Forked::start([&](Forked::Parent& parent) { parent.tell(encode(work())); }));
  return decode(process->answer());
}

/// Above every epoch that clients may have seen. Twice from the same backup, or from an older one,
/// must not give the same numbers again; and a restore that was cut off leaves the store that was
/// in use beside the place where it was.
Result<std::uint32_t> next_epoch(const BackupInfo& backup, const fs::path& data) {
  std::vector<store::SeenEpoch> all{
      {.epoch = backup.epoch, .file = backup.path.string()},
      {.epoch = noted_restore(backup), .file = restore_note(backup).string()}};
  auto places = formers_beside(data);
  places.insert(places.end(), {data, restored_beside(data)});
  for (auto& place : places) all.push_back(store::epoch_of(place.string()));
  // What the backup says of itself must agree with what is in it.
  auto inside = store::epoch_of(backup.store().string());
  auto least = inside.certain ? std::min(inside.epoch, backup.epoch) : backup.epoch;
  std::uint32_t highest = 0;
  std::uint32_t leap = 0;
  auto turn = [](std::uint32_t epoch) { return store::Epoch::of(epoch).turn; };
  for (auto& seen : all) {
    if (turn(seen.epoch) > turn(least) + kMostRaised)
      return fail(
          ErrorCode::Corrupt,
          "{} says epoch {}, and the backup's store has {}: nobody restores so often. It is "
          "damaged or forged: move it away, with all of the store if it is of one",
          seen.file, seen.epoch, least);
    highest = std::max(highest, seen.epoch);
    if (!seen.certain) leap = kEpochLeap;
  }
  // Chance: another place, which knows nothing of this one, may restore the same backup.
  auto chance = static_cast<std::uint16_t>(Decoder(crypto::SystemRandom().bytes(4)).u32_be());
  auto next = store::next_epoch(highest, chance, leap + 1);
  if (next) return *next;
  return fail(ErrorCode::Corrupt, "{} says that it has been restored too often",
              backup.path.string());
}

/// As quickstart leaves it: directories and keys for root and the server.
Result<void> let_server_read(const fs::path& path, const std::optional<SystemUser>& owner) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0)
    return std::unexpected(errno_error("cannot look at " + path.string(), errno));
  if (S_ISDIR(facts.st_mode)) return let_read(path, owner, 0750);  // made with 0700
  if ((facts.st_mode & S_IROTH) != 0) return {};
  return let_read(path, owner, 0640);
}

/// A directory or file of the backup's configuration, whole or not at all.
Result<void> put_config(const fs::path& from, const fs::path& to,
                        const std::optional<SystemUser>& owner) {
  std::error_code error;
  auto beside = to;
  beside += ".restoring";
  fs::remove_all(beside, error);
  auto put = [&]() -> Result<void> {
    TRY_DO(copy_tree(from, beside, {}));
    TRY_DO(let_server_read(beside, owner));
    if (fs::is_directory(beside, error))
      for (auto& entry : fs::recursive_directory_iterator(beside, error))
        TRY_DO(let_server_read(entry.path(), owner));
    if (!error) fs::rename(beside, to, error);
    if (error) return failed("cannot make " + to.string(), error);
    sync_directory(to.parent_path());
    return {};
  };
  auto done = put();
  if (!done) fs::remove_all(beside, error);
  return done;
}

}  // namespace

Result<void> restore_config(const BackupInfo& backup, const Instance& instance) {
  auto in_backup = [&](const fs::path& path) { return backup.config() / path.filename(); };
  std::error_code error;
  if (fs::is_symlink(backup.config(), error))
    return fail(ErrorCode::Corrupt, "{} is a link", backup.config().string());
  auto file = in_backup(instance.config);
  TRY(auto text, read_below({backup.config(), file.filename().string()}, config::kMaxFileSize));
  auto config = config::load_text(text, file);
  if (!config) return fail(ErrorCode::Invalid, "{}", config.error().describe());
  TRY(auto owner, owner_for(config->server.user));
  TRY_DO(make_public_directories(instance.config.parent_path()));
  for (auto& path : {instance.tls, instance.dkim, instance.config})
    if (!fs::exists(path, error) && fs::exists(in_backup(path), error))
      TRY_DO(put_config(in_backup(path), path, owner));
  return {};
}

std::vector<fs::path> unused_config(const BackupInfo& backup, const Instance& instance) {
  std::vector<fs::path> unused;
  if (!backup.with_config) return unused;
  auto ignored = [](std::uint64_t) {};
  auto differs = [&](const fs::path& theirs, const fs::path& ours) {
    auto sum = sum_of_file({theirs.parent_path(), theirs.filename()}, std::nullopt, ignored);
    auto own = sum_of_file({ours.parent_path(), ours.filename()}, std::nullopt, ignored);
    return !sum || !own || *sum != *own;
  };
  auto any_differs = [&](const fs::path& theirs, const fs::path& ours) {
    std::error_code error;
    if (!fs::is_directory(theirs, error)) return differs(theirs, ours);
    for (fs::recursive_directory_iterator entry(theirs, error), end; !error && entry != end;
         entry.increment(error))
      if (entry->is_regular_file() &&
          differs(entry->path(), ours / entry->path().lexically_relative(theirs)))
        return true;
    return false;
  };
  for (auto& path : {instance.config, instance.tls, instance.dkim}) {
    auto theirs = backup.config() / path.filename();
    std::error_code error;
    if (fs::exists(theirs, error) && any_differs(theirs, path)) unused.push_back(path);
  }
  return unused;
}

Result<std::unique_ptr<HeldData>> HeldData::take(const Instance& instance,
                                                 const config::Config& config) {
  const auto& data = instance.data;
  std::unique_ptr<HeldData> held(new HeldData(data));
  TRY(held->owner_, owner_for(config.server.user));
  std::error_code error;
  TRY_DO(make_public_directories(data.parent_path()));
  held->made_directory_ = ::mkdir(data.c_str(), 0700) == 0;
  if (!held->made_directory_ && errno != EEXIST)
    return std::unexpected(errno_error("cannot make " + data.string(), errno));
  store::PosixFileSystem files;
  // One that cannot be looked at may be one.
  held->has_store_ = !store::is_missing(files, data.string()).value_or(false);
  auto lock = store::lock_path(data.string());
  auto is_new = !fs::exists(lock, error);
  TRY(held->lock_, files.lock(lock, store::LockScope::Directory));
  held->made_lock_ = is_new;
  return held;
}

HeldData::~HeldData() {
  remove_made_lock();
  if (made_directory_) ::rmdir(path_.c_str());  // if nothing is in it
}

void HeldData::remove_made_lock() {
  if (std::exchange(made_lock_, false)) ::unlink(store::lock_path(path_.string()).c_str());
}

std::optional<FixedPlace> find_fixed_place(const fs::path& data) {
  std::error_code error;
  if (fs::is_symlink(data, error)) {
    auto target = resolve_place(data);
    if (!fs::exists(target, error)) return FixedPlace{FixedPlace::Why::Dangling, target};
    return find_fixed_place(target);
  }
  struct statx facts{};
  if (::statx(AT_FDCWD, data.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &facts) != 0)
    return std::nullopt;
  if ((facts.stx_attributes_mask & facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
    return FixedPlace{FixedPlace::Why::MountPoint, data};
  return std::nullopt;
}

fs::path resolve_place(const fs::path& data) {
  std::error_code error;
  if (!fs::is_symlink(data, error)) return data;
  auto target = fs::weakly_canonical(data, error);
  return error ? data : target;
}

namespace {

/// Copies the backup's store, and compares it with what it was.
Result<FilesReport> copy_store(const BackupInfo& backup, const fs::path& to, const HeldData& held,
                               const RestoreRules& rules) {
  std::map<std::string, std::string> found;
  std::set<std::string> unreadable;
  KnownFiles known(backup);
  CopyRules copying;
  if (held.owner()) copying.owner.emplace(held.owner()->uid, held.owner()->gid);
  copying.copied = rules.copied;
  copying.summed = [&](auto& name, auto& sum) { found.emplace("store/" + name, sum); };
  copying.wanted = [&](auto& name) {
    auto path = "store/" + name;
    // A segment that is not the backup's would be replayed.
    return known.contains(path) || !found.emplace(path, "").second;
  };
  copying.leave_out = [&](auto& name, auto&) { return unreadable.insert("store/" + name).second; };
  TRY_DO(copy_tree(backup.store(), to, copying));
  return compare_files(backup, "store", found, unreadable);
}

/// A name for the store that is set aside, which nothing has yet.
fs::path free_former(const fs::path& data) {
  std::error_code error;
  auto former = former_beside(data);
  for (int i = 2; fs::exists(fs::symlink_status(former, error)); ++i) {
    former = former_beside(data);
    former += fmt::format("-{}", i);
  }
  return former;
}

/// The finished copy in the place of the store. Cut off between the two renames it leaves no store
/// there, and names from which anybody can tell what is which (missing_store.h).
Result<void> put_in_place(const fs::path& copy, const fs::path& data, const RestoreRules& rules,
                          RestoreOutcome& outcome) {
  std::error_code error;
  auto restored = restored_beside(data);
  fs::remove_all(restored, error);  // finished by an earlier restore, but never in use
  if (!error) fs::rename(copy, restored, error);
  if (error) return failed("cannot name " + restored.string(), error);
  auto undo = [&](const std::string& what) {
    auto why = error;
    fs::rename(restored, copy, error);
    return failed(what, why);
  };
  if (fs::exists(data, error) && !fs::is_empty(data, error)) {
    outcome.former = free_former(data);
    fs::rename(data, outcome.former, error);
    if (error) return undo("cannot set aside " + data.string());
    sync_directory(data.parent_path());
  }
  rules.between();
  fs::rename(restored, data, error);
  if (error) {
    auto why = undo("cannot put in place " + data.string());
    if (!outcome.former.empty()) fs::rename(outcome.former, data, error);
    return why;
  }
  sync_directory(data.parent_path());
  return {};
}

}  // namespace

Result<RestoreOutcome> restore_instance(const BackupInfo& backup, const Instance& instance,
                                        const config::Config& config, HeldData& held,
                                        const RestoreRules& rules) {
  const auto& data = instance.data;
  auto beside = restoring_beside(data);
  for (auto& left : {beside, restored_beside(data)})
    if (is_within(backup.path, left))
      return fail(ErrorCode::Invalid,
                  "{} is what a restore was copying into, and goes when another begins: move it "
                  "away first",
                  left.string());
  std::error_code error;
  TRY(auto least, next_epoch(backup, data));
  fs::remove_all(beside, error);
  auto put = [&]() -> Result<RestoreOutcome> {
    RestoreOutcome begun;
    TRY(auto files, copy_store(backup, beside, held, rules));
    begun.damage = files.describe(rules.language);
    // Also a segment that somebody has put there has been copied.
    if (files.sums_lost) add_loss(begun, std::string(kLostSums.in(rules.language)));
    note_restore(backup, least);
    TRY(auto outcome, (held.owner() ? renew_apart : renew)({beside, backup.path, least}, instance,
                                                           config, rules, std::move(begun)));
    outcome.as_made = files.as_made(backup);
    if (!outcome.in_place) return outcome;
    held.remove_made_lock();
    TRY_DO(put_in_place(beside, data, rules, outcome));
    return outcome;
  };
  auto outcome = put();
  if (!outcome || !outcome->in_place) fs::remove_all(beside, error);
  return outcome;
}

}  // namespace hikyaku::app
