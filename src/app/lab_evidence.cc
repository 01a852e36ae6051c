#include "app/lab_evidence.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>

#include "arc/sealer.h"
#include "base/text.h"
#include "dkim/header_fields.h"
#include "story/story.h"

namespace hikyaku::app::lab {
namespace {

/// A key's record is longer than anybody reads.
constexpr std::size_t kShownAnswer = 96;

constexpr Phrase kNowhere{"the message has arrived", "メッセージが届いた"};
constexpr Phrase kLiesNot{"read back by IMAP: it should lie in {} with {}, but lies in {} with {}",
                          "IMAP で読み返す: {} にあって {} のはずが、{} にあり {} だった"};
constexpr Phrase kLies{"read back by IMAP: it lies in {}, and Authentication-Results says {}",
                       "IMAP で読み返す: {} にあり、Authentication-Results は {}"};

/// The value of "key=value; key=value".
std::string fact(std::string_view facts, std::string_view key) {
  for (auto part : split(facts, ';')) {
    part = trim(part);
    if (part.starts_with(key) && part.substr(key.size()).starts_with('='))
      return std::string(part.substr(key.size() + 1));
  }
  return {};
}

struct Question {
  std::string name;
  dns::Type type = dns::Type::TXT;
  bool operator==(const Question&) const = default;
};

/// The questions that one finding names.
std::vector<Question> questions_of(const boost::json::object& finding) {
  std::vector<Question> questions;
  auto reason = text_of(finding, "reason");
  auto asked = fact(reason, "asked");
  for (auto each : split(asked, ',')) {
    each = trim(each);
    if (each.empty()) continue;
    // SPF: "MX alpha.test"; the others: "_dmarc.alpha.test", always TXT.
    auto space = each.find(' ');
    auto type =
        space == std::string_view::npos ? dns::Type::TXT : dns::parse_type(each.substr(0, space));
    auto name = space == std::string_view::npos ? each : each.substr(space + 1);
    if (type) questions.push_back({std::string(name), *type});
  }
  return questions;
}

void show_questions(Play& play, const boost::json::object& story) {
  std::vector<Question> shown;
  auto arrival = story.if_contains("arrival");
  auto findings =
      arrival && arrival->is_object() ? arrival->get_object().if_contains("findings") : nullptr;
  if (!findings || !findings->is_array()) return;
  for (auto& finding : findings->get_array()) {
    if (!finding.is_object()) continue;
    for (auto& question : questions_of(finding.get_object())) {
      if (std::ranges::find(shown, question) != shown.end()) continue;
      shown.push_back(question);
      auto answer = play.world.look_up(question.name, question.type);
      if (answer.size() > kShownAnswer) answer = answer.substr(0, kShownAnswer) + "…";
      play.stage.dns(question.name + " " + dns::to_string(question.type), answer);
    }
  }
}

/// The lines of a story that say what was found out.
std::string lines_of_checks(std::string_view text, Language language) {
  constexpr std::array kChecks{"iprev", "blocklists", "spf",   "spf-helo",
                               "dkim",  "arc",        "dmarc", "decision"};
  std::string lines;
  for (auto line : split(text, '\n')) {
    auto words = trim(line);
    auto starts = [&](const char* check) {
      return words.starts_with(std::string(story::check_name(check, language)) + ":");
    };
    if (std::ranges::any_of(kChecks, starts)) lines += std::string(words) + "\n";
  }
  return lines;
}

}  // namespace

smtp::Reply bring(Play& play, Site& site, const Visit& visit, std::string text) {
  Ear ear(play.stage, "", false);
  auto client = play.open_smtp(site.endpoint(kSmtp), std::string(visit.helo), ear, visit.from);
  ear.listen(true);
  auto reply = play.hand_over(*client, visit.mail_from, visit.rcpt, std::move(text), ear);
  ear.listen(false);
  play.wait(client->quit());
  return reply;
}

bool show_reasons(Play& play, std::string_view name, Site& site, std::string_view message_id) {
  auto traced = play.await_story(site, message_id, [](auto&) { return true; });
  if (!traced) return false;
  show_questions(play, traced->story);
  play.stage.story(name, lines_of_checks(traced->text, play.stage.language()));
  return true;
}

std::string_view Reading::result(std::string_view method) const {
  auto found = results.find(method);
  return found ? std::string_view(found->result) : std::string_view();
}

Reading read_results(Play& play, Site& site, const Person& person, std::string_view message_id,
                     milliseconds patience) {
  Ear ear(play.stage, "", false);
  auto client = play.open_secure_imap(site, ear);
  if (!play.wait(client->log_in(Play::login(person)))) return {};
  Reading reading;
  auto look_in = [&](std::string mailbox) {
    if (!play.wait(client->select(mailbox, client::ImapClient::Access::ReadOnly))) return false;
    auto found = play.wait(client->search(fmt::format("HEADER MESSAGE-ID \"<{}>\"", message_id)));
    if (!found || found->found.empty()) return false;
    reading.mailbox = std::move(mailbox);
    reading.uid = found->found.highest();
    return true;
  };
  if (play.eventually([&] { return look_in("INBOX") || look_in("Junk"); }, patience)) {
    ear.listen(true);
    reading.header = play.fetch_aloud(
        *client, reading.uid,
        "BODY.PEEK[HEADER.FIELDS (RETURN-PATH AUTHENTICATION-RESULTS FROM SUBJECT)]", 60);
    ear.listen(false);
    reading.results = arc::collect_results(dkim::HeaderFields(reading.header), site.host());
  }
  play.wait(client->log_out());
  return reading;
}

std::string fetch_text(Play& play, Site& site, const Person& person, const Reading& reading) {
  auto client = play.imap(site, person, {.aloud = false});
  std::string text;
  if (play.wait(client->select(reading.mailbox, client::ImapClient::Access::ReadOnly))) {
    auto fetched = play.wait(client->fetch_content(reading.uid, "BODY.PEEK[]"));
    if (fetched) text = std::move(*fetched);
  }
  play.wait(client->log_out());
  return text;
}

bool check_reading(Play& play, const Reading& reading, std::string_view mailbox,
                   std::initializer_list<Said> said) {
  if (reading.mailbox.empty()) return play.stage.check(false, kNowhere);
  bool holds = reading.mailbox == mailbox;
  std::string wanted, found;
  for (auto& [method, result] : said) {
    auto space = wanted.empty() ? "" : " ";
    holds &= reading.result(method) == result;
    wanted += fmt::format("{}{}={}", space, method, result);
    found += fmt::format("{}{}={}", space, method, reading.result(method));
  }
  if (!holds) return play.stage.check(false, kLiesNot, mailbox, wanted, reading.mailbox, found);
  return play.stage.check(true, kLies, mailbox, wanted);
}

}  // namespace hikyaku::app::lab
