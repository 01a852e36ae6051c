// Sessions with random operations against a client that knows nothing but what it is told.
#include <algorithm>
#include <doctest/doctest.h>
#include <random>

#include "mailbox/mailbox_fixture_test.h"
#include "mailbox/view.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = TestAccount::kId;

/// The messages whose flags are to be told.
std::vector<std::uint32_t> changed_by(const Updates& updates, const SessionView& shown) {
  std::vector<std::uint32_t> changed;
  for (auto& range : updates.flags)
    for (auto sequence = range.first; sequence <= range.last; ++sequence)
      if (shown.at(sequence).changed > updates.flags_after) changed.push_back(sequence);
  return changed;
}

/// Applies untagged responses as RFC 9051 §7.5 says.
struct Client {
  struct Message {
    Uid uid = 0;  ///< 0: not fetched yet
    Flags flags = 0;
  };
  std::vector<Message> messages;

  void apply(const Updates& updates, const SessionView& shown) {
    std::size_t uids = 0, numbers = 0;
    for (auto& range : updates.expunged_uids) uids += range.last - range.first + 1;
    for (auto range = updates.expunged.rbegin(); range != updates.expunged.rend(); ++range) {
      REQUIRE(range->first >= 1);
      REQUIRE(range->last <= messages.size());
      auto begin = messages.begin();
      messages.erase(begin + static_cast<std::ptrdiff_t>(range->first) - 1,
                     begin + static_cast<std::ptrdiff_t>(range->last));
      numbers += range->last - range->first + 1;
    }
    REQUIRE(numbers == uids);
    if (updates.exists) {
      REQUIRE(*updates.exists > messages.size());
      messages.resize(*updates.exists);
    }
    for (auto sequence : changed_by(updates, shown)) {
      REQUIRE(sequence <= messages.size());
      auto& row = shown.at(sequence);
      auto& message = messages[sequence - 1];
      REQUIRE(!shown.is_ghost(sequence));
      REQUIRE((message.uid == 0 || message.uid == row.uid));
      message = {row.uid, row.flags};
    }
  }
};

struct Session {
  explicit Session(std::shared_ptr<const View> view) : shown(std::move(view)) {
    client.messages.resize(shown.size());
    fetch();
  }
  SessionView shown;
  Client client;

  /// FETCH of what the client does not know: what it is told must be what it has counted.
  void fetch() {
    REQUIRE(client.messages.size() == shown.size());
    bool agree = true;
    SessionView::Finder finder(shown);
    for (std::uint32_t sequence = 1; sequence <= shown.size(); ++sequence) {
      auto& known = client.messages[sequence - 1];
      const auto& row = shown.at(sequence);
      agree = agree && (known.uid == 0 || known.uid == row.uid);
      if (known.uid == 0) known = {row.uid, row.flags};
      agree = agree && shown.sequence_of(row.uid) == sequence;
      // One walk for all of them, or for some that are far apart, or for what is not there.
      if (row.uid % 7 < 3) agree = agree && finder.lower_bound(row.uid) == sequence;
      if (row.uid % 5 == 0)
        agree = agree && finder.lower_bound(row.uid + 1) == shown.lower_bound(row.uid + 1);
    }
    REQUIRE(agree);
  }
};

TEST_CASE("every client ends with the mailbox as it is, whatever happened in between") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto number = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    TestAccount account;
    auto inbox = account.id("INBOX");
    for (unsigned left = number(1'200); left > 0; --left) account.put("INBOX");
    auto view = read_view(account.memory, kId, inbox);
    std::vector<Session> sessions;
    for (int i = 0; i < 3; ++i) sessions.emplace_back(view);
    for (int i = 0; i < 150; ++i) {
      CAPTURE(i);
      auto uids = account.uids("INBOX");
      std::vector<Uid> some;
      auto keep = 1 + number(50);
      for (auto uid : uids)
        if (number(keep) == 0 && some.size() < 400) some.push_back(uid);
      switch (number(6)) {
        case 0:
          account.expunge("INBOX", some);
          break;
        case 1:
          account.flag("INBOX", some, {static_cast<FlagChange>(number(3)), number(32), {}, {}});
          break;
        case 2:
          account.put("Archive");
          break;
        case 3:
          account.copy("INBOX", some, "INBOX");
          break;
        default:
          for (auto left = number(4); left > 0; --left) account.put("INBOX");
      }
      auto updated = update_view(account.memory, kId, inbox, view);
      REQUIRE(updated);
      view = updated;
      auto fresh = read_view(account.memory, kId, inbox);
      REQUIRE(view->size() == fresh->size());
      bool same = true;
      for (std::size_t row = 0; row < view->size(); ++row)
        same = same && (*view)[row] == (*fresh)[row];
      REQUIRE(same);
      REQUIRE(view->change() == fresh->change());

      auto& session = sessions[number(3)];
      if (number(4) == 0) session.shown.park();
      auto missing = session.shown.missing_in(*view);
      auto ghosts = session.shown.ghosts();
      auto may_expunge = number(2) == 0;
      auto updates = session.shown.advance(view, may_expunge);
      CHECK((may_expunge || session.shown.ghosts() == ghosts + missing));
      session.client.apply(updates, session.shown);
      session.fetch();
    }
    for (auto& session : sessions) {
      session.client.apply(session.shown.advance(view, true), session.shown);
      session.fetch();
      REQUIRE(session.shown.ghosts() == 0);
      auto rows = account.list("INBOX");
      REQUIRE(session.client.messages.size() == rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(session.client.messages[i].uid == rows[i].uid);
        CHECK(session.client.messages[i].flags == rows[i].flags);
      }
    }
  }
}

struct Shown : TestAccount {
  std::shared_ptr<const View> view() { return read_view(memory, kId, id("INBOX")); }
};

TEST_CASE("expunged messages keep their number until the session may tell") {
  Shown account;
  for (int i = 0; i < 5; ++i) account.put("INBOX");
  SessionView shown(account.view());
  account.expunge("INBOX", {2, 4});
  account.put("INBOX");
  auto updates = shown.advance(account.view(), false);
  CHECK(updates.expunged.empty());
  CHECK(updates.exists == 6);
  CHECK(shown.size() == 6);
  CHECK(shown.is_ghost(2));
  CHECK(!shown.is_ghost(3));
  CHECK(shown.at(2).uid == 2);
  CHECK(shown.at(6).uid == 6);
  CHECK(shown.uids(1, 99) == std::vector<Uid>{1, 2, 3, 4, 5, 6});
  CHECK(shown.uids(4, 5) == std::vector<Uid>{4, 5});
  CHECK(shown.sequence_of(5) == 5);
  CHECK(!shown.sequence_of(7));
  CHECK(shown.lower_bound(7) == 7);
  updates = shown.advance(account.view(), true);
  CHECK(updates.expunged == std::vector<Updates::Range>{{2, 2}, {4, 4}});
  CHECK(updates.expunged_uids == std::vector<Updates::Range>{{2, 2}, {4, 4}});
  CHECK(!updates.exists);
  CHECK(shown.memory() == 0);  // what has been told is not held any longer
  CHECK(shown.uids(1, 99) == std::vector<Uid>{1, 3, 5, 6});
  CHECK(shown.advance(account.view(), true).empty());
}

TEST_CASE("what there is to tell takes memory for what has gone in pieces, and for nothing else") {
  Shown account;
  std::vector<Uid> all, even;
  for (Uid uid = 1; uid <= 3'000; ++uid) {
    account.put("INBOX");
    all.push_back(uid);
    if (uid % 2 == 0) even.push_back(uid);
  }
  auto view = account.view();
  SessionView shown(view), parked(view);
  CHECK(parked.park());
  account.flag("INBOX", all, {FlagChange::Add, kSeen, {}, {}});
  auto seen = account.view();
  for (auto* session : {&shown, &parked}) {
    auto updates = session->advance(seen, true);
    CHECK(updates.flags == std::vector<Updates::Range>{{1, 3'000}});
    CHECK(changed_by(updates, *session).size() == 3'000);
    CHECK(updates.memory() < 100);
  }
  // One message of a large mailbox: only its block is to be looked through.
  account.flag("INBOX", {700}, {FlagChange::Add, kFlagged, {}, {}});
  auto flagged = update_view(account.memory, kId, account.id("INBOX"), seen);
  auto updates = shown.advance(flagged, true);
  CHECK(updates.flags == std::vector<Updates::Range>{{513, 1'024}});
  CHECK(changed_by(updates, shown) == std::vector<std::uint32_t>{700});

  SessionView other(flagged);
  account.expunge("INBOX", even);
  auto halved = account.view();
  CHECK(shown.missing_in(*halved) == 1'500);
  updates = shown.advance(halved, true);
  CHECK(updates.expunged.size() == 1'500);
  CHECK(updates.memory() < 40'000);
  CHECK(shown.memory() == 0);
  account.expunge("INBOX", all);
  updates = other.advance(account.view(), true);
  CHECK(updates.expunged == std::vector<Updates::Range>{{1, 3'000}});
  CHECK(updates.expunged_uids == std::vector<Updates::Range>{{1, 3'000}});
  CHECK(updates.memory() < 200);
}

TEST_CASE("new keywords are announced") {
  Shown account;
  account.put("INBOX");
  SessionView shown(account.view());
  account.flag("INBOX", {1}, {FlagChange::Add, 0, {"new"}, {}});
  CHECK(shown.advance(account.view(), false).keywords_changed);
  CHECK(!shown.advance(account.view(), false).keywords_changed);
}

TEST_CASE("INBOX renamed away: all is gone, and new mail comes with new numbers") {
  Shown account;
  account.put("INBOX");
  account.put("INBOX");
  SessionView shown(account.view());
  account.rename("INBOX", "old");
  account.put("INBOX");
  auto updates = shown.advance(account.view(), true);
  CHECK(updates.expunged == std::vector<Updates::Range>{{1, 2}});
  CHECK(updates.exists == 1);
  CHECK(shown.at(1).uid == 3);
}

TEST_CASE("parking needs bounded memory") {
  Shown account;
  for (int i = 0; i < 20; ++i) account.put("INBOX");
  std::vector<Uid> odd;
  for (Uid uid = 1; uid <= 20; uid += 2) odd.push_back(uid);
  account.expunge("INBOX", odd);
  SessionView shown(account.view());
  CHECK(!shown.park(9));
  CHECK(!shown.parked());
  CHECK(shown.park(10));
  CHECK(shown.size() == 10);
}

TEST_CASE("an update copies only the blocks that changed") {
  Shown account;
  for (int i = 0; i < 3'000; ++i) account.put("INBOX");
  auto before = account.view();
  account.flag("INBOX", {700}, {FlagChange::Add, kSeen, {}, {}});
  auto after = update_view(account.memory, kId, account.id("INBOX"), before);
  REQUIRE(after);
  int copied = 0;
  for (std::size_t row = 0; row < after->size(); row += 512)
    copied += &(*after)[row] != &(*before)[row];
  CHECK(copied == 1);
  CHECK((*after)[699].flags == kSeen);
  CHECK((*before)[699].flags == 0);
  CHECK(after->find(700) == 699);
  CHECK(after->lower_bound(5'000) == 3'000);
  CHECK(!after->find(5'000));
}

TEST_CASE("a view is read anew when the change table does not reach back") {
  Shown account;
  account.put("INBOX");
  auto before = account.view();
  for (int i = 0; i < 5; ++i) account.put("INBOX");
  account.run(
      [&](auto& tx) { return trim_changes(tx, kId, account.now, {std::chrono::hours(0), 1, 1}); });
  CHECK(!update_view(account.memory, kId, account.id("INBOX"), before));
  account.remove("INBOX");
  account.create("a");
  auto a = read_view(account.memory, kId, account.id("a"));
  auto id = account.id("a");
  account.remove("a");
  CHECK(!update_view(account.memory, kId, id, a));
  CHECK(!read_view(account.memory, kId, id));
}

}  // namespace
}  // namespace hikyaku::mailbox
