// What a migration decides and remembers: folders, URLs, notes. The whole of it is tested with
// real servers in tests/test_migrate.py.
#include "app/migration.h"

#include <doctest/doctest.h>
#include <fstream>
#include <unistd.h>

#include "app/remote_account.h"

namespace hikyaku::app {
namespace {

imap::ListData folder(std::string name, std::vector<std::string> attributes = {}) {
  return {std::move(attributes), '/', std::move(name)};
}

/// "from -> to (use) [exists]", one a line.
std::string planned(const AccountFolders& from, const AccountFolders& to,
                    std::vector<std::string> exclude = {}) {
  std::string text;
  for (auto& plan : plan_folders(from, to, exclude)) {
    text += plan.from + " -> " + plan.to;
    if (!plan.special_use.empty()) text += " " + plan.special_use;
    if (plan.exists) text += " exists";
    if (plan.subscribe) text += " subscribe";
    text += "\n";
  }
  return text;
}

TEST_CASE("migration: which folder becomes which") {
  struct Row {
    const char* why;
    AccountFolders from, to;
    std::string plan;
  };
  const Row rows[] = {
      {"INBOX first, in any case; what cannot be opened is left out",
       {.folders = {folder("b"), folder("a", {"\\Noselect"}), folder("inbox")}, .separator = '/'},
       {.folders = {folder("INBOX")}, .separator = '/'},
       "inbox -> INBOX exists\nb -> b\n"},
      {"another separator; a level that holds it keeps its level",
       {.folders = {folder("a.b/c")}, .separator = '.'},
       {.separator = '/'},
       "a.b/c -> a/b_c\n"},
      {"a namespace's prefix goes",
       {.folders = {folder("INBOX"), folder("INBOX.a.b")}, .prefix = "INBOX.", .separator = '.'},
       {.separator = '/'},
       "INBOX -> INBOX\nINBOX.a.b -> a/b\n"},
      {"and comes",
       {.folders = {folder("INBOX"), folder("a/b"), folder("INBOX/c")}, .separator = '/'},
       {.prefix = "INBOX.", .separator = '.'},
       "INBOX -> INBOX\nINBOX/c -> INBOX.c\na/b -> INBOX.a.b\n"},
      {"the special use before the name; two never become one",
       {.folders = {folder("Sent"), folder("Gesendet", {"\\Sent"})}, .separator = '/'},
       {.folders = {folder("Sent", {"\\Sent"})}, .separator = '/'},
       "Gesendet -> Sent exists\nSent -> Sent (2)\n"},
      {"a use that the target has not is made, where it can",
       {.folders = {folder("Old", {"\\Archive"}), folder("Big", {"\\All"})}, .separator = '/'},
       {.separator = '/', .can_create_special_use = true},
       "Old -> Old \\Archive\nBig -> Big\n"},
      {"what is only a view of others is left out",
       {.folders = {folder("Starred", {"\\Flagged"}), folder("x")}, .separator = '/'},
       {.separator = '/'},
       "x -> x\n"},
      {"names that no server takes",
       {.folders = {folder("100%"), folder("a/../b"), folder("x*y")}, .separator = '/'},
       {.separator = '/'},
       "100% -> 100_\na/../b -> a/_../b\nx*y -> x_y\n"},
      {"two that would become one after cleaning",
       {.folders = {folder("a*"), folder("a%")}, .separator = '/'},
       {.separator = '/'},
       "a% -> a_\na* -> a_ (2)\n"},
      {"nothing but separators, or nothing: it has no name there",
       {.folders = {folder("/"), folder(""), folder("x"), folder("//")}, .separator = '/'},
       {.separator = '/', .can_create_special_use = true},
       " -> \n/ -> \n// -> \nx -> x\n"},
      {"nothing, from a server without levels",
       {.folders = {folder(""), folder("/")}},
       {.prefix = "INBOX.", .separator = '.'},
       " -> \n/ -> INBOX./\n"},
      {"unless its use tells what it becomes",
       {.folders = {folder("/", {"\\Trash"})}, .separator = '/'},
       {.folders = {folder("Trash", {"\\Trash"})}, .separator = '/'},
       "/ -> Trash exists\n"},
      {"subscriptions",
       {.folders = {folder("a"), folder("b")}, .subscribed = {"a", "b"}, .separator = '/'},
       {.folders = {folder("a")}, .subscribed = {"a"}, .separator = '/'},
       "a -> a exists\nb -> b subscribe\n"},
  };
  for (auto& row : rows) {
    CAPTURE(row.why);
    CHECK(planned(row.from, row.to) == row.plan);
  }
  AccountFolders from{.folders = {folder("a"), folder("a/b"), folder("ab")}, .separator = '/'};
  CHECK(planned(from, {.separator = '/'}, {"a"}) == "ab -> ab\n");
}

TEST_CASE("migration: URLs of accounts") {
  struct Row {
    std::string text;
    std::string means;  ///< "user host port tls", or the beginning of the error
  };
  const Row rows[] = {
      {"imaps://anna@mail.example", "anna mail.example 993 tls"},
      {"imaps://anna@mail.example/", "anna mail.example 993 tls"},
      {"IMAP://anna@Mail.Example:1143", "anna mail.example 1143 starttls"},
      {"imaps://anna@alpha.test@mail.example", "anna@alpha.test mail.example 993 tls"},
      {"imaps://anna%40alpha.test@[::1]:9", "anna@alpha.test ::1 9 tls"},
      {"imaps://mail.example", "no user name"},
      {"imaps://@mail.example", "no user name"},
      {"imaps://anna:secret@mail.example", "no password in the URL"},
      {"imaps://anna@", "no host name"},
      {"imaps://anna@a/b", "no host name"},
      {"imaps://anna@[::1", "\"[\" without"},
      {"imaps://anna@a:0", "\"0\" is no port"},
      {"imaps://anna@a:99999", "\"99999\" is no port"},
      {"imaps://an%4@a", "a \"%\""},
      {"https://anna@a", "\"https://anna@a\" does not begin"},
  };
  for (auto& row : rows) {
    CAPTURE(row.text);
    auto url = ImapUrl::parse(row.text);
    auto means = url ? fmt::format("{} {} {} {}", url->user, url->host, url->port,
                                   url->implicit_tls ? "tls" : "starttls")
                     : url.error().text;
    CHECK_MESSAGE(means.starts_with(row.means), means);
    if (url) CHECK(ImapUrl::parse(url->to_string())->host == url->host);
  }
}

TEST_CASE("migration: the notes survive a line that was cut, and forget other mailboxes") {
  auto directory = std::filesystem::temp_directory_path() /
                   ("hikyaku-migration-test." + std::to_string(::getpid()));
  FolderPair pair{"INBOX", 7, "INBOX", 8};
  Sha256 hash{};
  hash[0] = 'x';
  std::filesystem::path file;
  {
    auto state = MigrationState::open(directory, "a", "b", false).value();
    auto other = MigrationState::open(directory, "a", "b", false);
    CHECK(other.error().code == ErrorCode::Conflict);
    auto notes = state.folder(pair).value();
    notes.add({5, 50, notes.flags_id("\\Seen work"), false, hash});
    notes.add({3, 0, notes.flags_id(""), false, hash});
    notes.set_target(3, 30);
    notes.set_checked(3);
    notes.set_flags(3, notes.flags_id("\\Seen"));
    notes.add({9, 90, notes.flags_id(""), false, hash});
    CHECK_FALSE(notes.bad_copy(9));
    notes.forget(9);
    CHECK(notes.bad_copy(9) == 90);
    CHECK(notes.save().has_value());
    for (auto& entry : std::filesystem::directory_iterator(state.path()))
      if (entry.path().filename() != "accounts") file = entry.path();
  }
  std::ofstream(file, std::ios::app) << "nonsense\nm 7 70 00 short\nm 6 60 0123";
  {
    auto state = MigrationState::open(directory, "a", "b", false).value();
    auto notes = state.folder(pair).value();
    CHECK(notes.messages().size() == 2);
    CHECK(notes.bad_copy(9) == 90);
    CHECK_FALSE(notes.bad_copy(3));
    CHECK(notes.find(3)->to == 30);
    CHECK(notes.find(3)->checked);
    CHECK(notes.flags_text(notes.find(3)->flags) == "\\Seen");
    CHECK(notes.find(5)->to == 50);
    CHECK(notes.find(5)->hash == hash);
    CHECK(notes.flags_text(notes.find(5)->flags) == "\\Seen work");
    notes.add({6, 60, notes.flags_id(""), false, hash});
    CHECK(notes.save().has_value());
  }
  {
    auto state = MigrationState::open(directory, "a", "b", true).value();
    CHECK(state.folder(pair)->find(6)->to == 60);
    pair.to_validity = 9;
    CHECK(state.folder(pair)->messages().empty());
    pair.to_validity = 8;
    CHECK(state.folder(pair)->messages().size() == 3);  // a dry run has changed nothing
  }
  std::filesystem::remove_all(directory);
}

TEST_CASE("migration: one hash for many messages, whatever their order, doubles counted") {
  Sha256 a{}, b{};
  a[0] = 'a';
  b[0] = 'b';
  CHECK(combined_hash({a, b}) == combined_hash({b, a}));
  CHECK(combined_hash({a, a}) != combined_hash({a}));
  CHECK(combined_hash({}).size() == 64);
}

}  // namespace
}  // namespace hikyaku::app
