// A whole account moves from one organisation to another over IMAP: folders, flags, dates.
#include <algorithm>
#include <fmt/core.h>

#include "app/lab.h"
#include "app/migration.h"
#include "base/text.h"
#include "net/connect.h"

namespace hikyaku::app::lab {
namespace {

using client::ImapClient;

constexpr Phrase kOldStep{"Hanako's old account at alpha.test: folders, flags and dates of years",
                          "花子の alpha.test の古いアカウント: 何年分ものフォルダー、フラグ、日付"};
constexpr Phrase kFilled{"the old account has {} [message|messages] in {} [folder|folders]",
                         "古いアカウントには {} 通、フォルダー {} 個"};
constexpr Phrase kMoveStep{
    "everything is read from alpha and appended at beta, as `hikyaku migrate` does it",
    "すべてを alpha から読み、beta に追加する(`hikyaku migrate` と同じ)"};
constexpr Phrase kMoved{"folder {}: {} [message|messages], the same at both ends (SHA-256 {}…)",
                        "フォルダー {}: {} 通、両端で同じ (SHA-256 {}…)"};
constexpr Phrase kAllMoved{"{} [message was|messages were] moved", "{} 通を移した"};
constexpr Phrase kAgainStep{"the same once more", "もう一度同じことをする"};
constexpr Phrase kNothingNew{"nothing was moved twice", "二度移されたものはない"};
constexpr Phrase kCompareStep{"the new account, read back", "新しいアカウントを読み返す"};
constexpr Phrase kSame{"folder {}: the same messages, with the same flags and dates",
                       "フォルダー {}: 同じメッセージ、同じフラグ、同じ日付"};
constexpr Phrase kDecoded{"(the folder {} is called so on the wire: modified UTF-7, RFC 3501)",
                          "(フォルダー {} は回線の上ではこう呼ばれる: 修正 UTF-7、RFC 3501)"};

/// One message of the old account.
struct Old {
  std::string_view folder;
  std::string_view flags;  ///< separated by spaces
  std::string_view date;   ///< RFC 3339
  std::string_view subject;
  std::size_t extra;  ///< bytes of padding
};
constexpr Old kOld[] = {
    {"INBOX", "\\Seen", "2011-03-11T05:46:24Z", "Are you safe?", 0},
    {"INBOX", "\\Flagged", "2024-02-29T12:00:00Z", "Leap day", 0},
    {"Projects", "\\Seen \\Answered", "2019-05-01T00:00:00Z", "A new era", 100'000},
    {"手紙", "\\Seen $Forwarded", "2020-07-24T09:30:00Z", "Letters", 0},
    {"手紙", "", "1999-12-31T23:59:59Z", "The last of the century", 0},
};
constexpr std::string_view kFolders[] = {"INBOX", "Projects", "手紙"};

imap::Flags flags_of(std::string_view names) {
  imap::Flags flags;
  for (auto name : split(names, ' '))
    if (!name.empty()) (void)imap::add_flag(flags, name);
  return flags;
}

std::string text_of_old(const Old& old) {
  auto text = fmt::format("From: old@friends.test\r\nTo: hanako@alpha.test\r\nSubject: {}\r\n\r\n",
                          old.subject);
  for (std::size_t padded = 0; padded < old.extra; padded += 64)
    text += std::string(62, '.') + "\r\n";
  return text + "Yours\r\n";
}

/// What a move must keep.
struct Kept {
  imap::Flags flags;
  Time date;
  std::string text;
  auto key() const { return std::tie(date, text); }
  bool operator==(const Kept& other) const { return flags == other.flags && key() == other.key(); }
};

std::vector<Kept> read_folder(Play& play, ImapClient& client, std::string_view folder) {
  std::vector<Kept> kept;
  if (!play.wait(client.select(std::string(folder), ImapClient::Access::ReadOnly))) return kept;
  if (client.selected().exists == 0) return kept;
  auto rows = play.wait(client.fetch_data("1:*", "(FLAGS INTERNALDATE)"));
  if (!rows) return kept;
  for (auto& row : *rows) {
    auto text = play.wait(client.fetch_content(row.uid.value_or(0), "BODY.PEEK[]"));
    auto flags = row.flags.value_or(imap::Flags());
    flags.system &= imap::kSettableFlags;
    std::ranges::sort(flags.keywords);
    kept.push_back({std::move(flags), row.internal_date.value_or(Time()), text.value_or("")});
  }
  std::ranges::sort(kept, {}, [](auto& one) { return one.key(); });
  return kept;
}

void fill(Play& play, ImapClient& client) {
  play.stage.step(kOldStep);
  for (auto folder : kFolders)
    if (folder != "INBOX") (void)play.wait(client.create(std::string(folder)));
  std::size_t appended = 0;
  for (auto& old : kOld) {
    auto text = text_of_old(old);
    auto done = play.wait(client.append_text(std::string(old.folder),
                                             {.flags = flags_of(old.flags),
                                              .internal_date = parse_rfc3339(old.date),
                                              .size = text.size()},
                                             text));
    appended += done.has_value();
  }
  play.stage.require(appended == std::size(kOld), kFilled, appended, std::size(kFolders));
}

/// A connection to one of the two homes, that talks aloud once it is logged in.
Task<Result<std::unique_ptr<ImapClient>>> call_home(Play& play, Site& home, const Person& hanako,
                                                    std::string talk) {
  CO_TRY(auto stream, co_await net::connect(home.endpoint(kImaps), std::nullopt, kPatience));
  Ear ear(play.stage, std::move(talk), false);
  auto client =
      std::make_unique<ImapClient>(std::move(stream), client::ImapTimeouts{}, ear.observer());
  auto login = Play::login(hanako);
  auto secured = co_await client->secure(play.world.tls(), home.host());
  auto greeted = secured.ok() && (co_await client->greet()).has_value();
  if (!greeted || !co_await client->log_in(login))
    co_return fail(ErrorCode::Unavailable, "{} cannot log in", hanako.address);
  ear.listen(true);
  co_return std::move(client);
}

/// What `hikyaku migrate` does.
std::vector<FolderReport> move(Play& play) {
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& before = alpha.person("hanako@alpha.test");
  auto& after = beta.person("hanako@beta.test");
  auto state = MigrationState::open(play.world.settings().directory / "migrate", before.address,
                                    after.address, false);
  if (!state) return {};
  MigrationSide from{before.address, [&] { return call_home(play, alpha, before, "alpha"); }};
  MigrationSide to{after.address, [&] { return call_home(play, beta, after, "beta "); }};
  auto reports = play.wait(migrate(from, to, *state, {.attempts = 1}, {}));
  return reports ? std::move(*reports) : std::vector<FolderReport>();
}

void move_twice(Play& play) {
  auto& stage = play.stage;
  stage.step(kMoveStep);
  std::uint64_t copied = 0;
  for (auto& report : move(play)) {
    stage.check(report.proven(), kMoved, report.from, report.copied,
                report.from_hash.substr(0, 16));
    copied += report.copied;
  }
  stage.note(kDecoded, kFolders[2]);
  stage.require(copied == std::size(kOld), kAllMoved, copied);
  stage.step(kAgainStep);
  copied = 0;
  for (auto& report : move(play)) copied += report.copied;
  stage.check(copied == 0, kNothingNew);
}

void run(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto old_home = play.imap(alpha, alpha.person("hanako@alpha.test"), {.talk = "alpha"});
  fill(play, *old_home);
  move_twice(play);
  stage.step(kCompareStep);
  auto new_home = play.imap(beta, beta.person("hanako@beta.test"), {.talk = "beta "});
  for (auto folder : kFolders) {
    auto before = read_folder(play, *old_home, folder);
    auto after = read_folder(play, *new_home, folder);
    stage.check(!before.empty() && before == after, kSame, folder);
  }
  play.wait(old_home->log_out());
  play.wait(new_home->log_out());
}

}  // namespace

Scene scene_moving() {
  return {
      .name = "moving",
      .title = {"An account moves", "アカウントの引っ越し"},
      .about = {"IMAP has everything that is needed to move a whole account from one provider to "
                "another: folders in any script, flags, dates, and every byte.",
                "IMAP には、アカウントを丸ごと別の事業者へ移すのに必要なものがすべてあります。"
                "どんな文字のフォルダーも、フラグも、日付も、一バイト残らず移ります。"},
      .run = run,
      .spoilt_by = {"beta stores no messages above 64 KB (imap.max_append_size)",
                    "beta は 64 KB を超えるメッセージを保存しない (imap.max_append_size)"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("imap.max_append_size", "\"64KB\"");
      },
  };
}

}  // namespace hikyaku::app::lab
