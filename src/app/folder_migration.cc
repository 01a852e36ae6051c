#include "app/folder_migration.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/digest.h"

namespace hikyaku::app {
namespace {

using client::ImapClient;
using Digest = crypto::Digest;

/// Messages in one FETCH of contents.
constexpr std::size_t kFetchAtOnce = 200;
/// Problems that are told one by one.
constexpr std::size_t kProblems = 50;
/// Flags of a message that was at the target already: unknown, so they are set anew.
constexpr std::string_view kUnknownFlags = "?";

Error refused(std::string_view what, const ImapClient::Refusal& refusal) {
  return {ErrorCode::Unavailable, fmt::format("{}: {}", what, refusal.describe()), nullptr};
}

Sha256 finish(Digest& digest) {
  auto bytes = digest.finish();
  Sha256 hash;
  std::ranges::copy(bytes, hash.begin());
  return hash;
}

Sha256 hash_of(std::string_view text) {
  Digest digest(crypto::Hash::Sha256);
  digest.update(text);
  return finish(digest);
}

std::string text_of(imap::Flags flags) {
  std::string text;
  auto add = [&](std::string_view name) {
    if (!text.empty()) text += ' ';
    text += name;
  };
  for (int i = 0; i < 5; ++i) {
    auto flag = static_cast<imap::Flag>(1 << i);
    if (imap::has(flags.system, flag)) add(imap::flag_name(flag));
  }
  std::ranges::sort(flags.keywords);
  for (auto& keyword : flags.keywords) add(keyword);
  return text;
}

/// UIDs as they stand in a command; at most kFetchAtOnce, so it is short.
std::string uid_set(std::span<const std::uint32_t> uids) {
  return imap::NumberSet::from_numbers(uids).to_string();
}

bool is_whole_message(std::string_view label) {
  return iequals(label, "BODY[]");
}

}  // namespace

// --- what FETCH brings ---

class FolderMigration::SourceLister final : public client::FetchSink {
 public:
  SourceLister(FolderState& state, std::vector<Listed>& into) : state_(state), into_(into) {}
  Task<void> message(const imap::Response& response) override {
    auto data = imap::read_fetch(response);
    // A change of flags told meanwhile has no size.
    if (!data || !data->uid || !data->size) co_return;
    auto flags = state_.flags_id(text_of(data->flags.value_or(imap::Flags{})));
    into_.push_back({*data->uid, flags, *data->size, data->internal_date});
  }

 private:
  FolderState& state_;
  std::vector<Listed>& into_;
};

class FolderMigration::TargetLister final : public client::FetchSink {
 public:
  explicit TargetLister(std::vector<Present>& into) : into_(into) {}
  Task<void> message(const imap::Response& response) override {
    auto data = imap::read_fetch(response);
    if (data && data->uid && data->size) into_.push_back({*data->uid, *data->size});
    co_return;
  }

 private:
  std::vector<Present>& into_;
};

/// The digests of whole messages.
class FolderMigration::Hasher final : public client::FetchSink {
 public:
  Task<void> begin(const imap::FetchData&, std::string_view label, std::uint64_t) override {
    digest_.reset();
    if (is_whole_message(label)) digest_.emplace(crypto::Hash::Sha256);
    co_return;
  }
  Task<void> data(std::string_view bytes) override {
    if (digest_) digest_->update(bytes);
    co_return;
  }
  Task<void> message(const imap::Response& response) override {
    auto data = imap::read_fetch(response);
    auto* body = imap::find_item(response, "BODY[]");
    auto digest = std::exchange(digest_, std::nullopt);
    if (!data || !data->uid || !body || body->kind == imap::Value::Kind::Nil) co_return;
    // A short message may come as a quoted string.
    found.push_back({*data->uid, digest ? finish(*digest) : hash_of(body->text)});
  }
  std::vector<Hashed> found;

 private:
  std::optional<Digest> digest_;
};

/// Takes messages from the source and gives them to the target, in one APPEND.
class FolderMigration::Copier final : public client::FetchSink {
 public:
  struct Copied {
    const Listed* message;
    Sha256 hash;
  };

  Copier(FolderMigration& owner, std::span<const Listed> batch) : owner_(owner), batch_(batch) {}

  Task<void> begin(const imap::FetchData& so_far, std::string_view label,
                   std::uint64_t size) override {
    if (is_whole_message(label)) co_await open(so_far.uid, size);
  }
  Task<void> data(std::string_view bytes) override {
    if (!current_) co_return;
    digest_->update(bytes);
    co_await owner_.target_.append_data(bytes);
  }
  Task<void> end() override {
    if (!current_) co_return;
    copied.push_back({std::exchange(current_, nullptr), finish(*digest_)});
    owner_.advance(1);
  }
  Task<void> message(const imap::Response& response) override {
    auto fetched = imap::read_fetch(response);
    auto* body = imap::find_item(response, "BODY[]");
    if (!fetched || !body || body->kind != imap::Value::Kind::String) co_return;
    auto text = body->text;
    co_await open(fetched->uid, text.size());
    co_await data(text);
    co_await end();
  }

  std::vector<Copied> copied;
  std::optional<ImapClient::Refusal> refusal;  ///< nothing of it was appended

 private:
  Task<void> open(std::optional<std::uint32_t> uid, std::uint64_t size) {
    current_ = find(uid);
    if (!current_ || refusal) {
      current_ = nullptr;
      co_return;
    }
    auto begun = co_await owner_.target_.begin_append(
        owner_.plan_.to,
        {.flags = owner_.settable(current_->flags), .internal_date = current_->date, .size = size});
    digest_.emplace(crypto::Hash::Sha256);
    if (begun) co_return;
    refusal = std::move(begun).error();
    current_ = nullptr;
  }

  /// The message that was asked for, unless it has come already. Of several without their UID in
  /// front nobody knows which one it is: they are asked for one by one then.
  const Listed* find(std::optional<std::uint32_t> uid) const {
    if (!uid && batch_.size() == 1) uid = batch_.front().uid;
    if (!uid) return nullptr;
    auto at = std::ranges::lower_bound(batch_, *uid, {}, &Listed::uid);
    if (at == batch_.end() || at->uid != *uid) return nullptr;
    bool again = std::ranges::any_of(copied, [&](auto& one) { return one.message == &*at; });
    return again ? nullptr : &*at;
  }

  FolderMigration& owner_;
  std::span<const Listed> batch_;
  const Listed* current_ = nullptr;
  std::optional<Digest> digest_;
};

// --- the folder ---

FolderMigration::FolderMigration(ImapClient& source, ImapClient& target, MigrationState& state,
                                 const MigrationSettings& settings, FolderPlan& plan,
                                 OnProgress on_progress)
    : source_(source),
      target_(target),
      states_(state),
      settings_(settings),
      plan_(plan),
      on_progress_(std::move(on_progress)) {
  report_.from = plan.from;
  report_.to = plan.to;
}

void FolderMigration::problem(std::string text) {
  if (report_.problems.size() < kProblems)
    report_.problems.push_back(std::move(text));
  else if (report_.problems.size() == kProblems)
    report_.problems.push_back("and more");
}

void FolderMigration::advance(std::uint64_t by) {
  done_ += by;
  on_progress_(done_, std::max(total_, done_));
}

Task<Result<FolderReport>> FolderMigration::run() {
  CO_TRY(auto opened, co_await open_mailboxes());
  if (!opened) co_return std::move(report_);
  CO_TRY_DO(co_await list_source());
  CO_TRY_DO(co_await list_target());
  auto fresh = find_fresh();
  if (settings_.dry_run)
    report_.copied = fresh.size();
  else
    CO_TRY_DO(co_await transfer(std::move(fresh)));
  count();
  for (auto from : again_) state_->forget(from);
  CO_TRY_DO(state_->save());
  co_return std::move(report_);
}

Task<Result<>> FolderMigration::transfer(std::vector<Listed> fresh) {
  auto unread = std::ranges::count_if(state_->messages(), [](auto& one) { return !one.checked; });
  total_ = 2 * fresh.size() + static_cast<std::uint64_t>(unread);
  // First: what belongs to a message that was noted is not there for a new one with the same bytes.
  CO_TRY_DO(co_await find_unknown_uids());
  CO_TRY_DO(co_await recognize(fresh));
  CO_TRY_DO(co_await copy(fresh));
  CO_TRY_DO(co_await find_unknown_uids());
  CO_TRY_DO(co_await follow_flags());
  CO_TRY_DO(co_await read_back());
  if (plan_.subscribe) {
    auto subscribed = co_await target_.subscribe(plan_.to);
    if (!subscribed) problem("not subscribed: " + subscribed.error().describe());
  }
  co_return Result<>{};
}

Task<Result<bool>> FolderMigration::open_mailboxes() {
  auto examined = co_await source_.select(plan_.from, ImapClient::Access::ReadOnly);
  if (!examined) {
    problem("cannot be opened at the source: " + examined.error().describe());
    co_return false;
  }
  if (!plan_.exists) report_.created = true;
  if (!plan_.exists && !settings_.dry_run) {
    auto created = co_await target_.create(plan_.to, plan_.special_use);
    if (!created && created.error().code == "USEATTR") {
      // The server has another folder for this use, or none at all.
      created = co_await target_.create(plan_.to);
    }
    if (!created && created.error().code != "ALREADYEXISTS") {
      problem("cannot be created at the target: " + created.error().describe());
      co_return false;
    }
    plan_.exists = true;
  }
  FolderPair pair{plan_.from, source_.selected().uid_validity, plan_.to, 0};
  if (plan_.exists) {
    auto access = settings_.dry_run ? ImapClient::Access::ReadOnly : ImapClient::Access::ReadWrite;
    auto selected = co_await target_.select(plan_.to, access);
    if (!selected) {
      problem("cannot be opened at the target: " + selected.error().describe());
      co_return false;
    }
    pair.to_validity = target_.selected().uid_validity;
  }
  CO_TRY(auto state, states_.folder(pair));
  state_.emplace(std::move(state));
  co_return true;
}

Task<Result<>> FolderMigration::list_source() {
  if (source_.selected().exists == 0) co_return Result<>{};
  SourceLister lister(*state_, listed_);
  auto listed = co_await source_.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)", lister);
  if (!listed) co_return std::unexpected(refused("FETCH at the source", listed.error()));
  std::ranges::sort(listed_, {}, &Listed::uid);
  auto [first, last] = std::ranges::unique(listed_, {}, &Listed::uid);
  listed_.erase(first, last);
  report_.messages = listed_.size();
  for (auto& message : listed_) report_.bytes += message.size;
  co_return Result<>{};
}

Task<Result<>> FolderMigration::list_target() {
  present_.clear();
  if (!plan_.exists || target_.selected().exists == 0) co_return Result<>{};
  TargetLister lister(present_);
  auto listed = co_await target_.fetch("1:*", "(UID RFC822.SIZE)", lister);
  if (!listed) co_return std::unexpected(refused("FETCH at the target", listed.error()));
  std::ranges::sort(present_, {}, &Present::uid);
  co_return Result<>{};
}

bool FolderMigration::is_at_target(std::uint32_t uid) const {
  return std::ranges::binary_search(present_, uid, {}, &Present::uid);
}

std::vector<FolderMigration::Listed> FolderMigration::find_fresh() const {
  std::vector<Listed> fresh;
  for (auto& message : listed_)
    if (!state_->find(message.uid)) fresh.push_back(message);
  return fresh;
}

imap::Flags FolderMigration::settable(std::uint32_t flags_id) const {
  imap::Flags flags;
  for (auto word : split(state_->flags_text(flags_id), ' '))
    if (!word.empty()) (void)imap::add_flag(flags, word);
  auto& mailbox = target_.selected();
  if (!mailbox.any_keyword) {
    std::erase_if(flags.keywords,
                  [&](auto& word) { return !mailbox.permanent_flags.has_keyword(word); });
  }
  return flags;
}

// --- what is there already ---

/// UIDs at the target that belong to none of our messages.
std::vector<std::uint32_t> FolderMigration::strangers() const {
  std::vector<std::uint32_t> known;
  for (auto& message : state_->messages())
    if (message.to != 0) known.push_back(message.to);
  std::ranges::sort(known);
  std::vector<std::uint32_t> unknown;
  for (auto& message : present_)
    if (!std::ranges::binary_search(known, message.uid)) unknown.push_back(message.uid);
  return unknown;
}

Task<Result<std::vector<FolderMigration::Hashed>>> FolderMigration::hash_all(
    ImapClient& client, std::vector<std::uint32_t> uids) {
  Hasher hasher;
  for (std::size_t at = 0; at < uids.size(); at += kFetchAtOnce) {
    auto some = std::span(uids).subspan(at, std::min(kFetchAtOnce, uids.size() - at));
    auto fetched = co_await client.fetch(uid_set(some), "(UID BODY.PEEK[])", hasher);
    // NO: some have gone meanwhile; the others have come.
    if (!fetched && fetched.error().kind != ImapClient::Refusal::Kind::No)
      co_return std::unexpected(refused("FETCH", fetched.error()));
  }
  co_return std::move(hasher.found);
}

Task<Result<>> FolderMigration::recognize(std::vector<Listed>& fresh) {
  std::set<std::uint64_t> sizes;
  for (auto& message : fresh) sizes.insert(message.size);
  auto unknown = strangers();
  std::set<std::uint64_t> there;
  std::erase_if(unknown, [&](std::uint32_t uid) {
    auto size = std::ranges::lower_bound(present_, uid, {}, &Present::uid)->size;
    if (!sizes.contains(size)) return true;
    there.insert(size);
    return false;
  });
  if (unknown.empty()) co_return Result<>{};
  CO_TRY(auto at_target, co_await hash_all(target_, std::move(unknown)));
  std::multimap<Sha256, std::uint32_t> by_hash;
  for (auto& one : at_target) by_hash.emplace(one.hash, one.uid);
  std::vector<std::uint32_t> candidates;
  for (auto& message : fresh)
    if (there.contains(message.size)) candidates.push_back(message.uid);
  CO_TRY(auto at_source, co_await hash_all(source_, std::move(candidates)));
  auto flags = state_->flags_id(kUnknownFlags);
  std::set<std::uint32_t> recognized;
  for (auto& one : at_source) {
    auto same = by_hash.find(one.hash);
    if (same == by_hash.end() || recognized.contains(one.uid)) continue;
    state_->add({one.uid, same->second, flags, false, one.hash});
    state_->set_checked(one.uid);
    by_hash.erase(same);
    recognized.insert(one.uid);
  }
  report_.already = recognized.size();
  advance(2 * recognized.size());
  std::erase_if(fresh, [&](auto& message) { return recognized.contains(message.uid); });
  co_return state_->save();
}

Task<Result<>> FolderMigration::find_unknown_uids() {
  std::multimap<Sha256, std::uint32_t> without;
  for (auto& message : state_->messages())
    if (message.to == 0) without.emplace(message.hash, message.from);
  if (without.empty()) co_return Result<>{};
  auto seen = co_await target_.noop();
  if (!seen) co_return std::unexpected(refused("NOOP at the target", seen.error()));
  CO_TRY_DO(co_await list_target());
  CO_TRY(auto found, co_await hash_all(target_, strangers()));
  for (auto& one : found) {
    auto ours = without.find(one.hash);
    if (ours == without.end()) continue;
    state_->set_target(ours->second, one.uid);
    state_->set_checked(ours->second);
    without.erase(ours);
  }
  co_return state_->save();
}

// --- copying ---

Task<Result<>> FolderMigration::copy(std::span<const Listed> fresh) {
  auto several = target_.has("MULTIAPPEND") ? std::max<std::size_t>(1, settings_.batch_messages)
                                            : std::size_t{1};
  while (!fresh.empty()) {
    std::size_t count = 1;
    auto bytes = fresh.front().size;
    while (count < std::min(several, fresh.size()) &&
           bytes + fresh[count].size <= settings_.batch_bytes)
      bytes += fresh[count++].size;
    CO_TRY_DO(co_await copy_batch(fresh.first(count)));
    fresh = fresh.subspan(count);
  }
  co_return Result<>{};
}

Task<Result<>> FolderMigration::copy_batch(std::span<const Listed> batch) {
  std::vector<std::uint32_t> uids;
  for (auto& message : batch) uids.push_back(message.uid);
  Copier copier(*this, batch);
  auto fetched = co_await source_.fetch(uid_set(uids), "(UID BODY.PEEK[])", copier);
  ImapClient::Appended appended;
  if (!copier.refusal && !copier.copied.empty()) {
    auto ended = co_await target_.end_append();
    if (ended)
      appended = std::move(*ended);
    else
      copier.refusal = std::move(ended).error();
  }
  if (!fetched && fetched.error().kind != ImapClient::Refusal::Kind::No)
    co_return std::unexpected(refused("FETCH at the source", fetched.error()));
  if (copier.refusal) {
    // Neither the next message would be taken: a quota, or a full disk.
    if (copier.refusal->code == "OVERQUOTA" || copier.refusal->code == "UNAVAILABLE") {
      co_return fail(ErrorCode::QuotaExceeded, "the target takes no more: {}",
                     copier.refusal->describe());
    }
    if (batch.size() > 1) co_return co_await copy_singly(batch);
    problem(fmt::format("message {} refused: {}", batch.front().uid, copier.refusal->describe()));
    co_return Result<>{};
  }
  CO_TRY_DO(note_copied(copier, appended));
  if (copier.copied.size() == batch.size()) co_return Result<>{};
  if (batch.size() > 1) {
    std::vector<Listed> rest;
    for (auto& message : batch)
      if (!state_->find(message.uid)) rest.push_back(message);
    co_return co_await copy_singly(rest);
  }
  problem(fmt::format("message {}: the source did not give it{}", batch.front().uid,
                      fetched ? "" : ": " + fetched.error().describe()));
  co_return Result<>{};
}

Task<Result<>> FolderMigration::copy_singly(std::span<const Listed> batch) {
  for (std::size_t i = 0; i < batch.size(); ++i)
    CO_TRY_DO(co_await copy_batch(batch.subspan(i, 1)));
  co_return Result<>{};
}

Result<> FolderMigration::note_copied(const Copier& copier, const ImapClient::Appended& appended) {
  bool told = appended.uids.size() == copier.copied.size() &&
              appended.uid_validity == target_.selected().uid_validity;
  for (std::size_t i = 0; i < copier.copied.size(); ++i) {
    auto& [message, hash] = copier.copied[i];
    auto uid = told ? appended.uids[i] : 0;
    state_->add({message->uid, uid, message->flags, false, hash});
    if (uid != 0) present_.push_back({uid, message->size});
  }
  std::ranges::inplace_merge(
      present_, present_.end() - static_cast<std::ptrdiff_t>(told ? copier.copied.size() : 0), {},
      &Present::uid);
  report_.copied += copier.copied.size();
  return state_->save();
}

// --- afterwards ---

Task<Result<>> FolderMigration::follow_flags() {
  struct Change {
    std::uint32_t from;
    std::uint32_t to;
  };
  std::map<std::uint32_t, std::vector<Change>> changes;  // by the new flags
  for (auto& message : listed_) {
    auto* moved = state_->find(message.uid);
    if (moved && moved->flags != message.flags && is_at_target(moved->to))
      changes[message.flags].push_back({moved->from, moved->to});
  }
  for (auto& [flags, list] : changes) {
    for (std::size_t at = 0; at < list.size(); at += kFetchAtOnce) {
      auto some = std::span(list).subspan(at, std::min(kFetchAtOnce, list.size() - at));
      std::vector<std::uint32_t> uids;
      for (auto& change : some) uids.push_back(change.to);
      auto stored = co_await target_.store(uid_set(uids), "FLAGS.SILENT", settable(flags));
      if (!stored) {
        problem("flags refused: " + stored.error().describe());
        continue;
      }
      for (auto& change : some) state_->set_flags(change.from, flags);
      report_.flags_changed += some.size();
    }
    CO_TRY_DO(state_->save());
  }
  co_return Result<>{};
}

Task<Result<>> FolderMigration::read_back() {
  std::map<std::uint32_t, std::uint32_t> unread;  // target UID → source UID
  for (auto& message : state_->messages())
    if (!message.checked && message.to != 0 && is_at_target(message.to))
      unread.emplace(message.to, message.from);
  std::vector<std::uint32_t> uids;
  for (auto& [to, from] : unread) uids.push_back(to);
  for (std::size_t at = 0; at < uids.size(); at += kFetchAtOnce) {
    std::vector<std::uint32_t> some(
        uids.begin() + static_cast<std::ptrdiff_t>(at),
        uids.begin() + static_cast<std::ptrdiff_t>(std::min(uids.size(), at + kFetchAtOnce)));
    auto count_of_some = some.size();
    CO_TRY(auto found, co_await hash_all(target_, std::move(some)));
    for (auto& one : found) {
      auto from = unread.find(one.uid);
      if (from == unread.end()) continue;
      if (state_->find(from->second)->hash == one.hash)
        state_->set_checked(from->second);
      else
        different_[one.uid] = one.hash;
    }
    CO_TRY_DO(state_->save());
    advance(count_of_some);
  }
  co_return Result<>{};
}

void FolderMigration::count() {
  std::vector<Sha256> at_source;
  std::vector<Sha256> at_target;
  for (auto& message : listed_) {
    auto* moved = state_->find(message.uid);
    if (!moved) continue;
    at_source.push_back(moved->hash);
    auto other = different_.find(moved->to);
    if (other != different_.end()) {
      at_target.push_back(other->second);
      wrong(*moved);
    } else if (is_at_target(moved->to)) {
      ++report_.at_target;
      if (moved->checked) at_target.push_back(moved->hash);
    } else if (moved->checked) {
      ++report_.missing;
    } else if (!settings_.dry_run) {
      wrong(*moved);
    }
  }
  if (settings_.dry_run) return;
  report_.from_hash = combined_hash(std::move(at_source));
  report_.to_hash = combined_hash(std::move(at_target));
}

/// A second copy shows whether it was an accident; a third one would be the same again.
void FolderMigration::wrong(const MovedMessage& moved) {
  std::string what = "no copy with the same bytes is at the target";
  if (moved.to != 0)
    what = fmt::format(
        "its copy at the target (UID {}) {}", moved.to,
        different_.contains(moved.to) ? "is not the same" : "has gone before it was read back");
  auto former = state_->bad_copy(moved.from);
  if (!former) {
    again_.push_back(moved.from);
    problem(fmt::format("message {}: {}; the same command copies it once more", moved.from, what));
    return;
  }
  auto both = *former != 0 ? fmt::format(" (the first copy has UID {})", *former) : std::string();
  problem(fmt::format("message {}: {}, though it was copied twice{}: it is left alone", moved.from,
                      what, both));
}

}  // namespace hikyaku::app
