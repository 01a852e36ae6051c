#include "auth/directory.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <memory>

#include "auth/credentials.h"
#include "auth/directory_check.h"
#include "auth/directory_rows.h"
#include "mailbox/mailboxes.h"
#include "store/memory_transaction.h"

namespace hikyaku::auth {
namespace {

const Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);
using Kind = Resolution::Kind;

struct Fixture {
  store::MemoryTransaction tx;
  Account anna, bob;

  Fixture() {
    tx.begin();
    anna = add_account(tx, "Anna@Alpha.test", "Anna", Language::English, true, kNow).value();
    bob = add_account(tx, "bob@alpha.test", "", Language::Japanese, false, kNow).value();
  }
  Resolution ask(std::string_view address) { return resolve(tx, address, "+"); }
};

TEST_CASE("accounts, details, unknown and foreign addresses") {
  Fixture f;
  CHECK(f.anna.address == "anna@alpha.test");
  auto found = f.ask("ANNA@ALPHA.TEST");
  REQUIRE(found.kind == Kind::Local);
  CHECK(found.accounts[0].account == f.anna.id);
  auto detailed = f.ask("anna+work@alpha.test");
  REQUIRE(detailed.kind == Kind::Local);
  CHECK(detailed.accounts[0].detail == "work");
  CHECK(resolve(f.tx, "anna+work@alpha.test", "").kind == Kind::Unknown);
  CHECK(f.ask("carl@alpha.test").kind == Kind::Unknown);
  CHECK(f.ask("anna@beta.test").kind == Kind::Foreign);
  CHECK(add_account(f.tx, "anna@alpha.test", "", Language::English, true, kNow).error().code ==
        ErrorCode::Exists);
  CHECK(add_account(f.tx, "x@nowhere.test", "", Language::English, false, kNow).error().code ==
        ErrorCode::NotFound);
}

TEST_CASE("postmaster and abuse are there from the start") {
  Fixture f;
  for (auto address : {"postmaster@alpha.test", "abuse@alpha.test", "Postmaster"}) {
    auto found = f.ask(address);
    REQUIRE(found.kind == Kind::Local);
    CHECK(found.accounts[0].account == f.anna.id);
  }
  REQUIRE(add_alias(f.tx, "postmaster@alpha.test", {"bob@alpha.test"}));
  CHECK(f.ask("postmaster@alpha.test").accounts[0].account == f.bob.id);
  REQUIRE(remove_account(f.tx, "anna@alpha.test", kNow));
  CHECK(f.ask("abuse@alpha.test").accounts[0].account == f.bob.id);
  REQUIRE(add_domain(f.tx, "empty.test", kNow));
  CHECK(f.ask("postmaster@empty.test").accounts[0].account == f.bob.id);
}

TEST_CASE("aliases lead to several, to others' servers, through others, and never round for ever") {
  Fixture f;
  REQUIRE(
      add_alias(f.tx, "all@alpha.test", {"anna@alpha.test", "bob@alpha.test", "ext@beta.test"}));
  auto all = f.ask("all@alpha.test");
  REQUIRE(all.kind == Kind::Local);
  CHECK(all.accounts.size() == 2);
  CHECK(all.remote == std::vector<std::string>{"ext@beta.test"});
  CHECK(all.via == "alias all@alpha.test");
  REQUIRE(add_alias(f.tx, "loop@alpha.test", {"loop2@alpha.test"}));
  REQUIRE(add_alias(f.tx, "loop2@alpha.test", {"loop@alpha.test", "anna@alpha.test"}));
  CHECK(f.ask("loop@alpha.test").accounts.size() == 1);
  CHECK(add_alias(f.tx, "x@alpha.test", {"x@alpha.test"}).error().code == ErrorCode::Invalid);
  CHECK(add_alias(f.tx, "anna@alpha.test", {"bob@alpha.test"}).error().code == ErrorCode::Exists);
  REQUIRE(remove_alias(f.tx, "all@alpha.test", {"ext@beta.test"}));
  CHECK(f.ask("all@alpha.test").remote.empty());
  REQUIRE(remove_alias(f.tx, "all@alpha.test"));
  CHECK(f.ask("all@alpha.test").kind == Kind::Unknown);
}

TEST_CASE("what an alias names and nobody gets is known, with the reason") {
  using Why = Resolution::DeadEnd::Why;
  Fixture f;
  auto dead = [&](std::string_view address) {
    std::map<std::string, Why> ends;
    for (auto& end : f.ask(address).dead_ends) CHECK(ends.emplace(end.address, end.why).second);
    return ends;
  };
  using Ends = std::map<std::string, Why>;
  REQUIRE(add_alias(f.tx, "team@alpha.test",
                    {"anna@alpha.test", "nobody@alpha.test", "ext@beta.test", "more@alpha.test"}));
  REQUIRE(add_alias(f.tx, "more@alpha.test", {"nobody@alpha.test", "bob@alpha.test"}));
  CHECK(f.ask("team@alpha.test").targets() == 3);
  CHECK(dead("team@alpha.test") == Ends{{"nobody@alpha.test", Why::Nobody}});
  auto bob = f.bob;
  bob.enabled = false;
  REQUIRE(update_account(f.tx, bob));
  CHECK(dead("team@alpha.test") ==
        Ends{{"nobody@alpha.test", Why::Nobody}, {"bob@alpha.test", Why::Disabled}});
  // Back to where it came from, which leads somewhere: nothing is lost.
  REQUIRE(add_alias(f.tx, "a@alpha.test", {"b@alpha.test", "anna@alpha.test"}));
  REQUIRE(add_alias(f.tx, "b@alpha.test", {"c@alpha.test"}));
  REQUIRE(add_alias(f.tx, "c@alpha.test", {"a@alpha.test"}));
  CHECK(dead("a@alpha.test").empty());
  CHECK(dead("b@alpha.test").empty());
  // Only back to each other.
  REQUIRE(add_alias(f.tx, "p@alpha.test", {"q@alpha.test"}));
  REQUIRE(add_alias(f.tx, "q@alpha.test", {"p+x@alpha.test"}));
  REQUIRE(add_alias(f.tx, "z@alpha.test", {"p@alpha.test", "q@alpha.test", "anna@alpha.test"}));
  CHECK(dead("z@alpha.test") == Ends{{"p@alpha.test", Why::Circle}});
}

TEST_CASE("an alias has so many targets, leads to so many addresses, and through so many others") {
  Fixture f;
  std::vector<std::string> targets;
  for (int i = 0; i < 1'000; ++i) targets.push_back(fmt::format("x{}@beta.test", i));
  REQUIRE(add_alias(f.tx, "all@alpha.test", targets));
  auto one_more = add_alias(f.tx, "all@alpha.test", {"anna@alpha.test"});
  REQUIRE(!one_more);
  CHECK(one_more.error().code == ErrorCode::TooLarge);
  CHECK(f.ask("all@alpha.test").accounts.empty());
  // Aliases of aliases: each asks for a thousand more.
  for (auto& target : targets) target = "y" + target;
  REQUIRE(add_alias(f.tx, "more@alpha.test", targets));
  REQUIRE(add_alias(f.tx, "both@alpha.test", {"all@alpha.test", "more@alpha.test"}));
  CHECK(f.ask("both@alpha.test").remote.size() < 1'000);
  CHECK(f.ask("both@alpha.test").remote.size() > 990);
  auto name = [](int i) { return fmt::format("step{}@alpha.test", i); };
  REQUIRE(add_alias(f.tx, name(0), {"anna@alpha.test"}));
  for (int i = 1; i < 12; ++i) REQUIRE(add_alias(f.tx, name(i), {name(i - 1)}));
  CHECK(f.ask(name(9)).accounts.size() == 1);
  CHECK(f.ask(name(10)).accounts.empty());
  using Why = Resolution::DeadEnd::Why;
  CHECK(f.ask("both@alpha.test").dead_ends.at(0).why == Why::TooFar);
  CHECK(f.ask(name(10)).dead_ends.at(0).address == "anna@alpha.test");
  CHECK(f.ask(name(10)).dead_ends.at(0).why == Why::TooFar);
}

TEST_CASE("an alias is followed once for all who name it, until the directory changes") {
  Fixture f;
  REQUIRE(add_alias(f.tx, "all@alpha.test", {"anna@alpha.test", "ext@beta.test"}));
  REQUIRE(add_alias(f.tx, "team@alpha.test", {"all+x@alpha.test", "all+y@alpha.test"}));
  REQUIRE(add_alias(f.tx, "all+special@alpha.test", {"bob@alpha.test"}));
  CachedResolver resolver("+");
  auto ask = [&](std::string_view address) { return resolver.resolve(f.tx, address); };
  auto all = ask("all@alpha.test");
  CHECK(all->targets() == 2);
  CHECK(ask("All+1@alpha.test") == all);
  CHECK(ask("all+2@ALPHA.test") == all);
  CHECK(all->via == "alias all@alpha.test");
  auto special = ask("all+special@alpha.test");
  REQUIRE(special->targets() == 1);
  CHECK(special->accounts[0].account == f.bob.id);
  CHECK(ask("team@alpha.test")->targets() == 2);
  CHECK(ask("anna+1@alpha.test")->accounts[0].detail == "1");
  CHECK(ask("anna+2@alpha.test")->accounts[0].detail == "2");
  CHECK(ask("nobody@alpha.test")->kind == Kind::Unknown);
  CHECK(ask("x@beta.test")->kind == Kind::Foreign);
  CHECK(ask("no address")->kind == Kind::Foreign);
  REQUIRE(set_catch_all(f.tx, "alpha.test", "bob@alpha.test"));
  auto anybody = ask("anybody@alpha.test");
  CHECK(anybody->via == "catch-all of alpha.test");
  CHECK(ask("somebody@alpha.test") == anybody);
  CHECK(!resolver.may_send_as(f.tx, f.bob.id, "somebody@alpha.test"));
  f.anna.enabled = false;
  REQUIRE(update_account(f.tx, f.anna));
  CHECK(ask("all+1@alpha.test")->accounts.empty());
  CHECK(ask("all+1@alpha.test")->remote.size() == 1);
  REQUIRE(remove_alias(f.tx, "all@alpha.test"));
  CHECK(ask("all+1@alpha.test")->accounts[0].account == f.bob.id);  // by the catch-all
}

TEST_CASE("no more is kept of where aliases lead than there is room for") {
  Fixture f;
  std::vector<std::string> targets;
  for (int i = 0; i < 900; ++i) targets.push_back(fmt::format("x{}@beta.test", i));
  auto lists = static_cast<int>(CachedResolver::kMostTargets / targets.size()) + 1;
  auto list = [](int i) { return fmt::format("list{}@alpha.test", i); };
  for (int i = 0; i < lists; ++i) REQUIRE(add_alias(f.tx, list(i), targets));
  CachedResolver resolver("+");
  std::vector<std::weak_ptr<const Resolution>> kept;
  for (int i = 0; i < lists; ++i) {
    auto found = resolver.resolve(f.tx, list(i));
    CHECK(found->targets() == targets.size());
    kept.push_back(found);
  }
  auto held = std::ranges::count_if(kept, [](auto& one) { return !one.expired(); });
  CHECK(held * static_cast<std::ptrdiff_t>(targets.size()) <= CachedResolver::kMostTargets);
  CHECK(!kept.back().expired());
}

TEST_CASE("the catch-all gets what nobody else gets") {
  Fixture f;
  REQUIRE(set_catch_all(f.tx, "alpha.test", "bob@alpha.test"));
  auto found = f.ask("whoever@alpha.test");
  REQUIRE(found.kind == Kind::Local);
  CHECK(found.accounts[0].account == f.bob.id);
  CHECK(f.ask("anna@alpha.test").accounts[0].account == f.anna.id);
  CHECK(!CachedResolver("+").may_send_as(f.tx, f.bob.id, "whoever@alpha.test"));
}

TEST_CASE("people send only as themselves") {
  Fixture f;
  REQUIRE(add_alias(f.tx, "sales@alpha.test", {"anna@alpha.test"}));
  CHECK(CachedResolver("+").may_send_as(f.tx, f.anna.id, "anna@alpha.test"));
  CHECK(CachedResolver("+").may_send_as(f.tx, f.anna.id, "Anna+list@ALPHA.test"));
  CHECK(CachedResolver("+").may_send_as(f.tx, f.anna.id, "sales@alpha.test"));
  CHECK(!CachedResolver("+").may_send_as(f.tx, f.bob.id, "sales@alpha.test"));
  CHECK(!CachedResolver("+").may_send_as(f.tx, f.anna.id, "bob@alpha.test"));
  CHECK(!CachedResolver("+").may_send_as(f.tx, f.anna.id, "anna@beta.test"));
}

TEST_CASE("a disabled account takes no mail") {
  Fixture f;
  f.anna.enabled = false;
  REQUIRE(update_account(f.tx, f.anna));
  CHECK(f.ask("anna@alpha.test").kind == Kind::Disabled);
}

TEST_CASE("an account that is made again has none of the UIDVALIDITYs and ids of the first") {
  Fixture f;
  auto boxes = [&](AccountId account) { return mailbox::list_mailboxes(f.tx, account); };
  auto first = boxes(f.anna.id);
  REQUIRE(remove_account(f.tx, "anna@alpha.test", kNow));
  CHECK_FALSE(mailbox::create_mailbox(f.tx, f.anna.id, "late", mailbox::Role::None, kNow));
  while (!erase_removed_account(f.tx, f.anna.id, kNow)) continue;
  auto again = add_account(f.tx, "anna@alpha.test", "", Language::English, false, kNow);
  REQUIRE(again);
  CHECK(boxes(f.anna.id).empty());
  for (const auto& box : boxes(again->id)) {
    auto taken = [&](const auto& other) {
      return other.id == box.id || other.uid_validity == box.uid_validity;
    };
    CHECK(std::ranges::none_of(first, taken));
  }
  CHECK(mailbox::create_mailbox(f.tx, again->id, "new", mailbox::Role::None, kNow));
}

TEST_CASE("a domain goes only when it is empty; every change gets a new version") {
  Fixture f;
  auto version = directory_version(f.tx);
  CHECK(remove_domain(f.tx, "alpha.test").error().code == ErrorCode::Conflict);
  REQUIRE(remove_account(f.tx, "anna@alpha.test", kNow));
  REQUIRE(remove_account(f.tx, "bob@alpha.test", kNow));
  REQUIRE(remove_domain(f.tx, "alpha.test"));
  CHECK(f.ask("anna@alpha.test").kind == Kind::Foreign);
  CHECK(directory_version(f.tx) > version);
  CHECK(removed_accounts(f.tx).size() == 2);
  CHECK(add_domain(f.tx, "no domain", kNow).error().code == ErrorCode::Invalid);
  CHECK(add_domain(f.tx, "日本語.test", kNow)->name.starts_with("xn--"));
}

/// Everything that the directory has, as one who knows only the addresses sees it.
struct Damaged : Fixture {
  DirectoryReport repair(AccountId highest_named = 0) {
    auto report = check_directory(tx, highest_named, kNow);
    repair_directory(tx, report);
    auto again = check_directory(tx, highest_named, kNow);
    CHECK_MESSAGE(again.problems.empty(), again.problems.front());
    return report;
  }
  AccountId add(std::string_view address) {
    return add_account(tx, address, "", Language::English, true, kNow).value().id;
  }
};

TEST_CASE("a number of which there are rows is never given to a new account") {
  Damaged f;
  auto last = f.bob.id;
  SUBCASE("mailboxes") {
    f.tx.erase(account_key(last));
    f.tx.erase(address_key(f.bob.address));
  }
  SUBCASE("those of an account that is being removed") {
    REQUIRE(remove_account(f.tx, f.bob.address, kNow));
  }
  SUBCASE("a password") {
    f.tx.erase(account_key(last));
    while (!mailbox::erase_account(f.tx, last)) continue;
    put_credential(f.tx, last, {});
  }
  SUBCASE("its own") {
    while (!mailbox::erase_account(f.tx, last)) continue;
  }
  f.tx.erase(state_key());
  CHECK(f.add("carl@alpha.test") > last);
  CHECK(f.ask("anna@alpha.test").accounts[0].account == f.anna.id);
}

TEST_CASE("check: the number of an account that anything names is not given out again") {
  Damaged f;
  CHECK(check_directory(f.tx, f.bob.id, kNow).problems.empty());
  SUBCASE("the counter is lost") {
    f.tx.erase(state_key());
    CHECK(f.repair().problems.size() == 1);
    CHECK(f.add("carl@alpha.test") == f.bob.id + 1);
  }
  SUBCASE("a body names another") {
    f.repair(40);
    CHECK(f.add("carl@alpha.test") == 41);
  }
  SUBCASE("the version of the directory is new") {
    auto before = directory_version(f.tx);
    f.repair(40);
    CHECK(directory_version(f.tx) > before);
  }
}

TEST_CASE("check: what one row of an account says is not lost with the other") {
  Damaged f;
  auto bob = f.bob;
  bob.quota = 12'345;
  bob.name = "Bob";
  REQUIRE(update_account(f.tx, bob));
  SUBCASE("the address") {
    f.tx.erase(address_key(bob.address));
    CHECK(f.repair().without_address.empty());
    CHECK(find_account(f.tx, bob.address)->name == "Bob");
  }
  SUBCASE("the account") {
    f.tx.erase(account_key(bob.id));
    CHECK(f.repair().without_address.empty());
    CHECK(find_account(f.tx, bob.address)->id == bob.id);
    CHECK(find_account(f.tx, bob.address)->quota == bob.quota);
    // Its mail is not refused.
    CHECK(f.ask("bob@alpha.test").kind == Kind::Local);
  }
  SUBCASE("the domain") {
    f.tx.erase(domain_key("alpha.test"));
    f.repair();
    CHECK(f.ask("postmaster@alpha.test").accounts[0].account == f.anna.id);
  }
  SUBCASE("who is the domain's first") {
    f.tx.erase(account_key(f.anna.id));
    f.tx.erase(address_key(f.anna.address));
    CHECK(f.repair().without_address == std::vector{f.anna.id});
    CHECK(f.ask("abuse@alpha.test").accounts[0].account == bob.id);
  }
  CHECK(f.ask("bob@alpha.test").accounts[0].account == bob.id);
}

TEST_CASE("check: an address that another has got meanwhile stays with that") {
  Damaged f;
  f.tx.erase(address_key(f.bob.address));
  auto other = f.add(f.bob.address);
  CHECK(f.repair().without_address == std::vector{f.bob.id});
  CHECK(find_account(f.tx, f.bob.address)->id == other);
  CHECK(accounts_without_address(f.tx) == std::vector{f.bob.id});
  auto again = recover_account(f.tx, f.bob.id, "bobby@alpha.test", "", Language::English, kNow);
  REQUIRE(again);
  CHECK(again->former.empty());
  CHECK(f.ask("bobby@alpha.test").accounts[0].account == f.bob.id);
  CHECK(accounts_without_address(f.tx).empty());
  CHECK(check_directory(f.tx, 0, kNow).problems.empty());
}

TEST_CASE("an account that is recovered keeps its mail, and nobody's password") {
  Damaged f;
  Credential phone;
  phone.name = "phone";
  put_credential(f.tx, f.bob.id, phone);
  f.tx.erase(account_key(f.bob.id));
  f.tx.erase(address_key(f.bob.address));
  auto recover = [&](AccountId id, std::string_view address) {
    return recover_account(f.tx, id, address, "Bob", Language::English, kNow);
  };
  CHECK(recover(f.anna.id, "new@alpha.test").error().code == ErrorCode::Exists);
  CHECK(recover(f.bob.id, "anna@alpha.test").error().code == ErrorCode::Exists);
  CHECK(recover(f.bob.id, "bob@nowhere.test").error().code == ErrorCode::NotFound);
  CHECK(recover(0, "new@alpha.test").error().code == ErrorCode::NotFound);
  CHECK(recover(77, "new@alpha.test").error().code == ErrorCode::NotFound);
  REQUIRE(recover(f.bob.id, "bob@alpha.test"));
  CHECK(list_credentials(f.tx, f.bob.id).empty());
  CHECK(recover(f.bob.id, "new@alpha.test").error().code == ErrorCode::Exists);
  REQUIRE(remove_account(f.tx, "bob@alpha.test", kNow));
  CHECK(recover(f.bob.id, "bob@alpha.test").error().code == ErrorCode::NotFound);
}

TEST_CASE("an account that is recovered has one address: the one that is still there, or another") {
  Damaged f;
  REQUIRE(add_domain(f.tx, "beta.test", kNow));
  auto dora = f.add("dora@beta.test");
  auto eve = f.add("eve@beta.test");
  f.tx.erase(account_key(dora));
  CHECK(accounts_without_address(f.tx) == std::vector{dora});
  std::string address;
  std::vector<std::string> former;
  SUBCASE("its own") {
    address = "dora@beta.test";
  }
  SUBCASE("another") {
    address = "new@alpha.test";
    former = {"dora@beta.test"};
  }
  SUBCASE("another of the same domain") {
    address = "new@beta.test";
    former = {"dora@beta.test"};
  }
  auto again = recover_account(f.tx, dora, address, "", Language::English, kNow);
  REQUIRE_MESSAGE(again, again.error().describe());
  CHECK(again->former == former);
  CHECK(find_account(f.tx, address)->id == dora);
  CHECK(f.ask(address).accounts[0].account == dora);
  for (const auto& gone : former) CHECK(f.ask(gone).kind == Kind::Unknown);
  // A domain's postmaster is its first account, as long as that stays in it.
  auto first = address.ends_with("@beta.test") ? dora : eve;
  CHECK(f.ask("postmaster@beta.test").accounts[0].account == first);
  CHECK(accounts_without_address(f.tx).empty());
  auto left = check_directory(f.tx, 0, kNow).problems;
  CHECK_MESSAGE(left.empty(), left.front());
}

TEST_CASE("check: what was removed stays removed") {
  Damaged f;
  auto row = f.tx.get(account_key(f.bob.id)), address = f.tx.get(address_key(f.bob.address));
  REQUIRE(remove_account(f.tx, f.bob.address, kNow));
  f.tx.put(account_key(f.bob.id), *row);
  f.tx.put(address_key(f.bob.address), *address);
  CHECK(f.repair().without_address.empty());
  CHECK_FALSE(find_account(f.tx, f.bob.address));
  CHECK_FALSE(get_account(f.tx, f.bob.id));
}

}  // namespace
}  // namespace hikyaku::auth
