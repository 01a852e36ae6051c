// The road: one message from a mail client to another organisation's mailbox, every step.
#include "app/lab.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kWho{
    "Anna (anna@alpha.test) writes to Bob (bob@beta.test). Her mail client is the MUA; {0} is her "
    "MSA and MTA; {1} is Bob's MTA, MDA and MRA.",
    "Anna (anna@alpha.test) が Bob (bob@beta.test) に書きます。Anna のメールクライアントが "
    "MUA、{0} が"
    "その MSA と MTA、{1} が Bob の MTA、MDA、MRA です。"};
constexpr Phrase kSubmit{"MUA → MSA: Anna's mail client hands the message in at {}",
                         "MUA → MSA: Anna のメールクライアントが {} に送信を依頼する"};
constexpr Phrase kAccepted{"the MSA took the message and is responsible for it now: {}",
                           "MSA がメッセージを受け取り、ここから責任を持つ: {}"};
constexpr Phrase kQueue{"MSA → queue: what alpha recorded when it accepted the message",
                        "MSA → キュー: 受け取ったときに alpha が記録したこと"};
constexpr Phrase kQueued{"alpha put the message into its queue for {}",
                         "alpha はメッセージを {} 宛のキューに入れた"};
constexpr Phrase kDns{"queue → DNS: who takes mail for beta.test, and where is that server?",
                      "キュー → DNS: beta.test 宛のメールを受けるのは誰で、どこにいるか"};
constexpr Phrase kMxFound{"the DNS names a server for beta.test",
                          "DNS が beta.test のサーバーを答える"};
constexpr Phrase kTransfer{"MTA → MTA: alpha's dialogue with {}, from alpha's own log",
                           "MTA → MTA: alpha と {} の対話(alpha 自身のログから)"};
constexpr Phrase kDelivered{"beta took the message, and the way was encrypted ({})",
                            "beta がメッセージを受け取り、経路は暗号化されていた ({})"};
constexpr Phrase kSpoken{
    "the dialogue between the servers went through STARTTLS to the end of DATA",
    "サーバー間の対話は STARTTLS から DATA の終わりまで進んだ"};
constexpr Phrase kAttempt{"how alpha's queue remembers it", "alpha のキューに残った記録"};
constexpr Phrase kMda{"MTA → MDA: beta puts it into Bob's mailbox",
                      "MTA → MDA: beta が Bob のメールボックスに入れる"};
constexpr Phrase kInMailbox{"beta's story says that the message lies in Bob's mailbox",
                            "beta の記録では、メッセージは Bob のメールボックスにある"};
constexpr Phrase kImapStep{
    "mailbox → MRA → MUA: Bob's mail client reads it with IMAP at {}",
    "メールボックス → MRA → MUA: Bob のメールクライアントが IMAP ({}) で読む"};
constexpr Phrase kReadByImap{"IMAP gives Bob what Anna wrote",
                             "IMAP で Bob は Anna の書いたとおりに読める"};
constexpr Phrase kAdded{"the servers only added fields in front: Return-Path, two Received, Date",
                        "サーバーは先頭にフィールドを足しただけ: Return-Path、Received 二つ、Date"};
constexpr Phrase kPopStep{"the same mailbox with POP3 at {}", "同じメールボックスを POP3 ({}) で"};
constexpr Phrase kReadByPop{"POP3 gives the same bytes as IMAP",
                            "POP3 でも IMAP と同じバイト列が届く"};

constexpr std::string_view kBody = "Dear Bob,\r\n\r\nthis letter goes all the way.\r\n\r\nAnna\r\n";

void walk_dns(Play& play) {
  play.stage.step(kDns);
  auto& world = play.world;
  auto mx = world.look_up("beta.test", dns::Type::MX);
  play.stage.dns("beta.test MX", mx);
  play.stage.dns("mx.beta.test A", world.look_up("mx.beta.test", dns::Type::A));
  play.stage.dns("mx.beta.test AAAA", world.look_up("mx.beta.test", dns::Type::AAAA));
  play.stage.check(mx.contains("mx.beta.test"), kMxFound);
}

void show_transfer(Play& play, const Site::Traced& traced, std::uintmax_t log_start) {
  auto& stage = play.stage;
  stage.step(kTransfer, play.world.beta().host());
  bool starttls = false, data_ended = false;
  for (auto& line : play.world.alpha().sent_lines(log_start)) {
    stage.line("", line.by_client, line.text);
    starttls |= line.by_client && line.text == "STARTTLS";
    data_ended |= !line.by_client && starttls && line.text.starts_with("250 2.0.0");
  }
  stage.check(starttls && data_ended, kSpoken);
  auto attempt = attempts_of(traced.story).front();
  stage.check(!text_of(attempt, "tls").empty(), kDelivered, text_of(attempt, "tls"));
  stage.step(kAttempt);
  stage.story("alpha", split_story(traced.text).events);
}

std::string read_by_imap(Play& play, const Person& bob, std::uint32_t uid) {
  auto& beta = play.world.beta();
  play.stage.step(kImapStep, beta.endpoint(kImaps).to_string());
  auto client = play.imap(beta, bob, {.login_aloud = true});
  if (!play.wait(client->select("INBOX"))) return {};
  auto text = play.fetch_aloud(*client, uid, "BODY[]", 40);
  play.wait(client->log_out());
  return text;
}

std::string read_by_pop3(Play& play, const Person& bob) {
  auto& beta = play.world.beta();
  play.stage.step(kPopStep, beta.endpoint(kPop3s).to_string());
  auto client = play.pop3(beta, bob, {.login_aloud = true});
  auto stat = play.wait(client->stat());
  if (!stat) return {};
  // The newest is the last.
  auto found = stat->messages ? play.retr_aloud(*client, stat->messages, 8) : std::string();
  (void)play.wait(client->quit());
  return found;
}

void run(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& anna = alpha.person("anna@alpha.test");
  auto& bob = beta.person("bob@beta.test");
  stage.note(kWho, alpha.host(), beta.host());
  Letter letter{.from = "Anna <anna@alpha.test>",
                .to = "Bob <bob@beta.test>",
                .subject = "The road",
                .body = std::string(kBody),
                .message_id = play.make_id(alpha.domain())};
  auto log_start = alpha.log_size();

  stage.step(kSubmit, alpha.endpoint(kSubmission).to_string());
  auto reply = play.submit(alpha, anna, bob.address, letter, {.login_aloud = true});
  stage.require(reply.positive(), kAccepted, reply.to_string());

  auto sent = play.await_story(alpha, letter.message_id,
                               [](auto& story) { return !attempts_of(story).empty(); });
  stage.step(kQueue);
  if (sent) stage.story("alpha", split_story(sent->text).arrival);
  stage.require(sent.has_value(), kQueued, bob.address);
  walk_dns(play);
  show_transfer(play, *sent, log_start);

  auto received = play.await_story(beta, letter.message_id, [](auto&) { return true; });
  stage.step(kMda);
  if (received) stage.story("beta", received->text);
  stage.require(received && boost::json::serialize(received->story).contains("\"delivered\""),
                kInMailbox);

  auto uid = play.await_mail(beta, bob, letter.message_id);
  auto by_imap = uid ? read_by_imap(play, bob, *uid) : std::string();
  stage.require(by_imap.ends_with("\r\n\r\n" + letter.body), kReadByImap);
  stage.check(
      by_imap.starts_with("Return-Path: <anna@alpha.test>\r\n") && by_imap.contains("\r\nDate: "),
      kAdded);
  stage.check(read_by_pop3(play, bob) == by_imap, kReadByPop);
}

}  // namespace

Scene scene_road() {
  return {
      .name = "road",
      .title = {"The road", "道のり"},
      .about = {"One message from a mail client to a mailbox in another organisation, with every "
                "step on its way as it really happens.",
                "一通のメールが、メールクライアントから別の組織のメールボックスへ届くまで。"
                "途中のすべての段階を、実際に起きるとおりに見せます。"},
      .run = run,
      .spoilt_by = {"Bob's account is disabled", "Bob のアカウントを停止する"},
      .spoil = [](World& world) -> Result<void> {
        TRY_DO(
            world.beta().ask("account.change", {{"address", "bob@beta.test"}, {"enabled", false}}));
        return {};
      },
  };
}

}  // namespace hikyaku::app::lab
