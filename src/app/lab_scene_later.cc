// What is tried again: a destination that is down, a server that says "later".
#include <algorithm>

#include "app/lab.h"
#include "app/lab_journey.h"
#include "app/lab_tap.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kDownStep{"beta's server is stopped; Anna writes to Bob all the same",
                           "beta のサーバーを止める。それでも Anna は Bob に書く"};
constexpr Phrase kWaits{"alpha tried, got no connection, and keeps the message",
                        "alpha は試したが接続できず、メッセージを保管している"};
constexpr Phrase kQueueStep{"alpha's queue", "alpha のキュー"};
constexpr Phrase kInQueue{"the queue has the message for {}", "キューに {} 宛のメッセージがある"};
constexpr Phrase kUpStep{"beta's server comes back; alpha tries again by itself",
                         "beta のサーバーが戻る。alpha は自分で再送する"};
constexpr Phrase kStarted{"beta's server is up again", "beta のサーバーが再び動いている"};
constexpr Phrase kDelivered{"delivered after {} attempts", "{} 回目の試みで配達された"};

constexpr Phrase kLaterStep{"Anna writes to Bob at grey.test, where a server first says 451",
                            "Anna が grey.test の Bob に書く。そのサーバーはまず 451 と答える"};
constexpr Phrase kSaidLater{"the server said 451: not now", "サーバーは 451 と答えた: 今は無理"};
constexpr Phrase kTriesAgain{"alpha comes back, and now the server takes it",
                             "alpha が再び訪れ、今度は受け取られる"};
constexpr Phrase kNeverStep{"Anna writes to nobody at grey.test, and the answer is 550",
                            "Anna が grey.test の存在しない人に書き、答えは 550"};
constexpr Phrase kOnlyOnce{"550 was not tried again: {} attempt",
                           "550 は再送されない: 試みは {} 回"};
constexpr Phrase kTapTaken{"the greylisting server can be started: {}",
                           "グレイリストのサーバーを起動できる: {}"};

std::string describe(const boost::json::object& item) {
  return text_of(item, "id") + "  " + text_of(item, "recipient") + "  " + text_of(item, "state") +
         "  " + text_of(item, "reply");
}

void show_queue(Play& play, std::string_view recipient) {
  play.stage.step(kQueueStep);
  std::vector<boost::json::object> items;
  (void)play.world.alpha().ask("queue.list", {}, &items);
  for (auto& item : items) play.stage.story("alpha queue", describe(item));
  auto there = std::ranges::any_of(
      items, [&](auto& item) { return text_of(item, "recipient") == recipient; });
  play.stage.check(there, kInQueue, recipient);
}

void run_down(Play& play) {
  auto& beta = play.world.beta();
  Journey journey(play, "bob@beta.test", "While you were away");
  play.stage.step(kDownStep);
  beta.stop();
  journey.submit();
  auto deferred = journey.await_attempt("deferred");
  journey.show_events();
  play.stage.check(deferred.has_value(), kWaits);
  show_queue(play, "bob@beta.test");
  play.stage.step(kUpStep);
  auto started = beta.start();
  play.stage.require(started.has_value(), kStarted);
  auto delivered = journey.await_attempt("delivered");
  journey.show_dialogue();
  play.stage.require(delivered && journey.attempts() >= 2, kDelivered, journey.attempts());
  journey.read_at_beta("bob@beta.test");
}

void run_later(Play& play) {
  auto& world = play.world;
  auto tap = Tap::open(world, {.at = world.endpoint("127.0.3.2", kSmtp),
                               .to = world.beta().endpoint(kSmtp),
                               .later_first = 1});
  if (!tap) play.stage.require(false, kTapTaken, tap.error().describe());
  {
    Journey journey(play, "bob@grey.test", "Later, please");
    play.stage.step(kLaterStep);
    journey.submit();
    auto deferred = journey.await_attempt("deferred");
    journey.show_dialogue();
    play.stage.check(deferred && text_of(*deferred, "reply").starts_with("451"), kSaidLater);
    play.stage.step(kTriesAgain);
    auto delivered = journey.await_attempt("delivered");
    journey.show_dialogue();
    play.stage.require(delivered.has_value(), kDelivered, journey.attempts());
    journey.read_at_beta("bob@beta.test");
  }
  Journey never(play, "nobody@grey.test", "Never");
  play.stage.step(kNeverStep);
  never.submit();
  auto bounced = never.await_attempt("bounced");
  never.show_dialogue();
  play.stage.check(bounced && never.attempts() == 1, kOnlyOnce, never.attempts());
  never.read_bounce("5.1.1");
}

/// A retry that nobody can wait for.
Result<void> retry_in_an_hour(World& world) {
  return world.alpha().restart_with("queue.retry", R"(["1h"])");
}

constexpr Phrase kHour{"alpha waits an hour before it tries again", "alpha は再送まで一時間待つ"};

}  // namespace

Scene scene_destination_down() {
  return {
      .name = "destination-down",
      .title = {"The destination is down", "相手が止まっている"},
      .about = {"A server that does not answer is no error: the message waits in the queue and is "
                "tried again until it arrives.",
                "応答しないサーバーは誤りではありません。メッセージはキューで待ち、届くまで"
                "再送されます。"},
      .run = run_down,
      .spoilt_by = kHour,
      .spoil = retry_in_an_hour,
  };
}

Scene scene_later_and_never() {
  return {
      .name = "later-and-never",
      .title = {"451 comes back, 550 does not", "451 は再送され、550 はされない"},
      .about = {"The first digit of a reply says what it means: 4yz \"not now\", 5yz \"never\". A "
                "server may use 451 to see who comes back (greylisting).",
                "応答の最初の数字が意味を決めます。4yz は「今は無理」、5yz は「二度と」。再送して"
                "くるかどうかを見るために 451 を使うサーバーもあります(グレイリスト)。"},
      .run = run_later,
      .spoilt_by = kHour,
      .spoil = retry_in_an_hour,
  };
}

}  // namespace hikyaku::app::lab
