// One mailbox, two IMAP clients: each sees at once what the other does.
#include <fmt/core.h>

#include "app/lab.h"

namespace hikyaku::app::lab {
namespace {

using std::chrono::steady_clock;

constexpr Phrase kOpenStep{"Carla opens her mailbox on two devices; the phone waits with IDLE",
                           "Carla が二つの機器でメールボックスを開く。電話は IDLE で待つ"};
constexpr Phrase kOpen{"both have it open", "どちらも開いている"};
constexpr Phrase kMailStep{"Anna sends a message", "Anna がメールを送る"};
constexpr Phrase kTold{"the phone was told at once (* n EXISTS), without asking",
                       "電話には、尋ねなくてもすぐに知らされた (* n EXISTS)"};
constexpr Phrase kReadStep{"Carla reads it on the laptop", "Carla がノートパソコンで読む"};
constexpr Phrase kSeen{"it is marked as read on the phone, at once", "電話でもすぐに既読になる"};
constexpr Phrase kMoveStep{"she moves it into a folder on the laptop",
                           "ノートパソコンでフォルダーへ移す"};
constexpr Phrase kGone{"it leaves the inbox on the phone, at once",
                       "電話の受信箱からもすぐに消える"};
constexpr Phrase kFolderStep{"and on the phone the folder has it",
                             "そして電話でもフォルダーにある"};
constexpr Phrase kInFolder{"the phone reads it from the folder, still marked as read",
                           "電話でフォルダーから読める。既読のまま"};

constexpr std::string_view kFolder = "Pine trees";

/// The next response that `wanted` likes, while the client idles.
bool hears(Play& play, client::ImapClient& client,
           const std::function<bool(const imap::Response&)>& wanted) {
  auto deadline = steady_clock::now() + kPatience;
  while (steady_clock::now() < deadline) {
    auto event = play.wait(client.idle_event(seconds(1)));
    if (event && wanted(*event)) return true;
    play.stage.stop_if_interrupted();
  }
  return false;
}

bool is_seen(const imap::Response& response) {
  auto fetch = imap::read_fetch(response);
  return fetch && fetch->flags && (fetch->flags->system & imap::bit(imap::Flag::Seen));
}

void run(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& carla = beta.person("carla@beta.test");
  stage.step(kOpenStep);
  auto phone = play.imap(beta, carla, {.talk = "phone "});
  auto laptop = play.imap(beta, carla, {.talk = "laptop"});
  auto open = play.wait(phone->select("INBOX")) && play.wait(laptop->select("INBOX")) &&
              play.wait(phone->idle());
  stage.require(open, kOpen);

  stage.step(kMailStep);
  Letter letter{.from = "Anna <anna@alpha.test>",
                .to = carla.address,
                .subject = "On every device",
                .body = "Which one rings first?\r\n",
                .message_id = play.make_id(alpha.domain())};
  play.submit(alpha, alpha.person("anna@alpha.test"), carla.address, letter, {.talk = "Anna  "});
  stage.require(hears(play, *phone, [](auto& response) { return response.is("EXISTS"); }), kTold);

  stage.step(kReadStep);
  (void)play.wait(laptop->noop());
  auto found =
      play.wait(laptop->search(fmt::format("HEADER MESSAGE-ID \"<{}>\"", letter.message_id)));
  if (!found || found->found.empty()) stage.require(false, kTold);
  auto uid = std::to_string(found->found.highest());
  imap::Flags seen;
  (void)imap::add_flag(seen, "\\Seen");
  (void)play.wait(laptop->store(uid, "+FLAGS", seen));
  stage.check(hears(play, *phone, is_seen), kSeen);

  stage.step(kMoveStep);
  (void)play.wait(laptop->create(std::string(kFolder)));
  (void)play.wait(laptop->move(uid, std::string(kFolder)));
  stage.check(
      hears(play, *phone,
            [](auto& response) { return response.is("EXPUNGE") || response.is("VANISHED"); }),
      kGone);

  stage.step(kFolderStep);
  (void)play.wait(phone->idle_done());
  auto selected = play.wait(phone->select(std::string(kFolder)));
  auto flags = play.wait(phone->fetch_data("1", "(UID FLAGS)", client::ImapClient::By::Number));
  auto still_seen = selected && flags && flags->size() == 1 && flags->front().flags &&
                    (flags->front().flags->system & imap::bit(imap::Flag::Seen));
  auto text = still_seen ? play.fetch_aloud(*phone, *flags->front().uid, "BODY.PEEK[TEXT]") : "";
  stage.check(text == letter.body, kInFolder);
  play.wait(phone->log_out());
  play.wait(laptop->log_out());
}

}  // namespace

Scene scene_two_clients() {
  return {
      .name = "two-clients",
      .title = {"One mailbox on two devices", "一つのメールボックスを二つの機器で"},
      .about = {"With IMAP the mail stays on the server: what one device does, the other sees at "
                "once.",
                "IMAP ではメールはサーバーに残ります。一方の機器でしたことは、もう一方にすぐ"
                "現れます。"},
      .run = run,
      .spoilt_by = {"beta has no port for IMAP over TLS", "beta に TLS の IMAP ポートがない"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("listen.imaps", "[]");
      },
  };
}

}  // namespace hikyaku::app::lab
