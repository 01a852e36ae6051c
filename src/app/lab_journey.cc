#include "app/lab_journey.h"

#include <fmt/core.h>

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kTaken{"alpha took the message: {}", "alpha がメッセージを受け取った: {}"};
constexpr Phrase kBounceStep{"the bounce in Anna's mailbox, read with IMAP",
                             "Anna のメールボックスに届いたバウンスを IMAP で読む"};
constexpr Phrase kBounceCame{"a bounce came back to Anna", "Anna にバウンスが戻ってきた"};
constexpr Phrase kBounceSays{"it comes from the null sender and says: failed, {}, status {}",
                             "空の送信者から届き、こう伝えている: failed、{}、status {}"};
constexpr Phrase kReadStep{"{} reads it with IMAP", "{} が IMAP で読む"};
constexpr Phrase kArrived{"the message is in the mailbox of {}",
                          "メッセージは {} のメールボックスにある"};
constexpr Phrase kSame{"it is what Anna wrote", "Anna の書いたとおりである"};

}  // namespace

Journey::Journey(Play& play, std::string rcpt, std::string subject)
    : play_(play),
      rcpt_(std::move(rcpt)),
      letter_{.from = "Anna <anna@alpha.test>",
              .to = "<" + rcpt_ + ">",
              .subject = std::move(subject),
              .body = "Dear friend,\r\n\r\nwill this arrive?\r\n\r\nAnna\r\n",
              .message_id = play.make_id("alpha.test")} {}

void Journey::submit() {
  auto& alpha = play_.world.alpha();
  log_start_ = alpha.log_size();
  auto reply = play_.submit(alpha, alpha.person("anna@alpha.test"), rcpt_, letter_);
  play_.stage.require(reply.positive(), kTaken, reply.to_string());
}

std::optional<boost::json::object> Journey::await_attempt(std::string_view result,
                                                          milliseconds patience) {
  auto traced = play_.await_story(
      play_.world.alpha(), letter_.message_id,
      [&](auto& story) { return has_attempt(story, result); }, patience);
  if (!traced) return std::nullopt;
  story_ = traced->story;
  for (auto& attempt : attempts_of(story_))
    if (text_of(attempt, "result") == result) return attempt;
  return std::nullopt;
}

std::size_t Journey::attempts() const {
  return attempts_of(story_).size();
}

void Journey::show_dialogue() {
  auto& alpha = play_.world.alpha();
  auto end = alpha.log_size();
  for (auto& line : alpha.sent_lines(log_start_)) {
    // EHLO's answer is in the scene "road" in full.
    if (!line.by_client && (line.text.starts_with("250-") || line.text == "250 HELP")) continue;
    play_.stage.line("", line.by_client, line.text);
  }
  log_start_ = end;
}

void Journey::show_events() {
  auto& alpha = play_.world.alpha();
  if (auto traced = alpha.trace(letter_.message_id))
    play_.stage.story("alpha", split_story(traced->text).events);
}

void Journey::read_bounce(std::string_view status) {
  auto& alpha = play_.world.alpha();
  auto& anna = alpha.person("anna@alpha.test");
  play_.stage.step(kBounceStep);
  // The bounce quotes the header of what was sent.
  auto uid = play_.await_search(
      alpha, anna, fmt::format("HEADER CONTENT-TYPE report BODY \"{}\"", letter_.message_id));
  play_.stage.require(uid.has_value(), kBounceCame);
  auto text = play_.read_aloud(alpha, anna, *uid, 60);
  play_.stage.check(text.starts_with("Return-Path: <>\r\n") && text.contains("Action: failed") &&
                        text.contains("Final-Recipient: rfc822; " + rcpt_) &&
                        text.contains("Status: " + std::string(status)),
                    kBounceSays, rcpt_, status);
}

void Journey::read_at_beta(std::string_view address) {
  auto& beta = play_.world.beta();
  auto& person = beta.person(address);
  play_.stage.step(kReadStep, address);
  auto uid = play_.await_mail(beta, person, letter_.message_id);
  play_.stage.require(uid.has_value(), kArrived, address);
  auto text = play_.read_aloud(beta, person, *uid);
  play_.stage.check(text.ends_with("\r\n\r\n" + letter_.body), kSame);
}

}  // namespace hikyaku::app::lab
