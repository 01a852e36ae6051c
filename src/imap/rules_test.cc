#include "imap/rules.h"

#include <doctest/doctest.h>

#include "imap/capability.h"
#include "imap/grammar.h"

namespace hikyaku::imap {
namespace {

std::string asked(const Session& session, std::string_view text) {
  auto command = parse_command(text, NameForm::Utf7, {});
  REQUIRE_MESSAGE(command.has_value(), text);
  auto refusal = check(session, *command);
  if (!refusal) return "";
  std::string out;
  append_reply(out, command->tag, *refusal);
  return out.substr(0, out.size() - 2);
}

TEST_CASE("what is refused in which phase") {
  Session session;
  CHECK(asked(session, "a CAPABILITY").empty());
  CHECK(asked(session, "a ID NIL").empty());
  CHECK(asked(session, "a STARTTLS").empty());
  CHECK(asked(session, "a SELECT x") == "a BAD SELECT: log in first");
  CHECK(asked(session, "a FETCH 1 FLAGS") == "a BAD FETCH: log in first");
  CHECK(asked(session, "a IDLE") == "a BAD IDLE: log in first");
  CHECK(asked(session, "a LOGIN u p") == "a NO [PRIVACYREQUIRED] LOGIN needs TLS: STARTTLS first");
  CHECK(asked(session, "a AUTHENTICATE PLAIN").empty());  // the mechanism decides
  session.tls = true;
  CHECK(asked(session, "a LOGIN u p").empty());
  CHECK(asked(session, "a STARTTLS") == "a BAD STARTTLS: TLS is on already");
  session.tls = false;
  session.plaintext_allowed = true;
  CHECK(asked(session, "a LOGIN u p").empty());

  session.phase = Phase::Authenticated;
  CHECK(asked(session, "a LOGIN u p") == "a BAD LOGIN: you are logged in already");
  CHECK(asked(session, "a STARTTLS") == "a BAD STARTTLS: you are logged in already");
  CHECK(asked(session, "a SELECT x").empty());
  CHECK(asked(session, "a FETCH 1 FLAGS") == "a BAD FETCH: select a mailbox first");
  CHECK(asked(session, "a SELECT x (QRESYNC (1 2))") == "a BAD QRESYNC: ENABLE QRESYNC first");
  session.enable(Enabled::QResync);
  CHECK(asked(session, "a SELECT x (QRESYNC (1 2))").empty());

  session.phase = Phase::Selected;
  session.enabled = 0;
  CHECK(asked(session, "a FETCH 1 FLAGS").empty());
  CHECK(asked(session, "a UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)") ==
        "a BAD VANISHED: ENABLE QRESYNC first");
  CHECK(asked(session, "a STORE 1 FLAGS ()").empty());
  session.read_only = true;
  CHECK(asked(session, "a STORE 1 FLAGS ()") ==
        "a NO [READ-ONLY] STORE: the mailbox was opened read-only");
  CHECK(asked(session, "a EXPUNGE").starts_with("a NO [READ-ONLY]"));
  CHECK(asked(session, "a UID MOVE 1 x").starts_with("a NO [READ-ONLY]"));
  CHECK(asked(session, "a COPY 1 x").empty());
  CHECK(asked(session, "a CLOSE").empty());
  CHECK(check(session, Verb::Append) == std::nullopt);

  session.phase = Phase::Logout;
  CHECK(asked(session, "a NOOP") == "a BAD the session is ending");
}

TEST_CASE("commands are found by name, and know when EXPUNGE must wait") {
  CHECK(find_command("fetch")->verb == Verb::Fetch);
  CHECK(find_command("UID") == nullptr);
  CHECK(find_command("") == nullptr);
  for (int verb = 1; verb <= static_cast<int>(Verb::Unsubscribe); ++verb) {
    auto& rule = rule_of(static_cast<Verb>(verb));
    CHECK(rule.verb == static_cast<Verb>(verb));
    CHECK(find_command(rule.name) == &rule);
  }
  CHECK(display_name(Verb::Fetch, true) == "UID FETCH");
  auto holds = [](std::string_view text) {
    return holds_back_expunges(parse_command(text, NameForm::Utf7, {}).value());
  };
  CHECK(holds("a FETCH 1 FLAGS"));
  CHECK(holds("a SEARCH ALL"));
  CHECK(holds("a STORE 1 FLAGS ()"));
  CHECK_FALSE(holds("a UID FETCH 1 FLAGS"));
  CHECK_FALSE(holds("a UID SEARCH UID 1:3 SEEN"));
  CHECK_FALSE(holds("a UID SEARCH $"));
  CHECK(holds("a UID SEARCH 1:3"));
  CHECK(holds("a UID SEARCH UID 1:3 OR SEEN (NOT *)"));
  CHECK_FALSE(holds("a NOOP"));
  CHECK_FALSE(holds("a MOVE 1 x"));
}

TEST_CASE("capabilities by state") {
  CapabilitySettings settings;
  settings.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
  settings.mechanisms_without_tls = {"SCRAM-SHA-256"};
  settings.extensions = {"IDLE", "MOVE"};
  settings.append_limit = 1000;
  Session session;
  CHECK(capability_list(session, settings) ==
        "IMAP4rev1 LITERAL+ ID ENABLE SASL-IR STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256");
  CHECK_FALSE(mechanism_offered(session, settings, "PLAIN"));
  session.tls = true;
  CHECK(capability_list(session, settings) ==
        "IMAP4rev1 LITERAL+ ID ENABLE SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256");
  CHECK(mechanism_offered(session, settings, "PLAIN"));
  session.phase = Phase::Authenticated;
  settings.imap4rev2 = true;
  settings.literal_minus = true;
  CHECK(capability_list(session, settings) ==
        "IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE IDLE MOVE APPENDLIMIT=1000");
}

}  // namespace
}  // namespace hikyaku::imap
