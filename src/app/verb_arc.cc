// hikyaku arc verify, hikyaku arc seal.
#include "app/cli.h"
#include "app/needed_options.h"
#include "app/one_shot_message.h"
#include "app/one_shot_resolver.h"
#include "app/verbs.h"
#include "arc/explain.h"
#include "arc/sealer.h"
#include "arc/verifier.h"
#include "base/json.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNoChain{"There is no chain.", "チェーンはありません。"};
constexpr Phrase kNotSealed{"not sealed: the chain has ended, so that no set may be added",
                            "封印しません: チェーンは終わっており、追加できません"};
constexpr Phrase kNoResults{
    "no Authentication-Results field of the message is of {}: what is sealed says nothing of SPF, "
    "DKIM and DMARC",
    "このメッセージには {} の Authentication-Results がないため、SPF、DKIM、DMARC "
    "の結果は封印に含まれません"};

arc::Verdict verify_chain(OneShotResolver& resolver, const OneShotMessage& message, Time now) {
  arc::Verifier verifier(std::string(message.header()), {.now = now});
  verifier.body(message.body());
  return resolver.run([&] { return verifier.finish(resolver.get()); });
}

Exit verify(const Invocation& invocation, Terminal& terminal) {
  auto now = time_of(invocation);
  if (!now) return report(now.error(), terminal);
  auto message = read_message(invocation.argument(0));
  if (!message) return report(message.error(), terminal);
  auto resolver = OneShotResolver::create(invocation, terminal);
  if (!resolver) return report(resolver.error(), terminal);

  auto verdict = verify_chain(**resolver, *message, *now);
  if (auto unreachable = (*resolver)->complain_if_unreachable(terminal)) return *unreachable;
  if (invocation.json()) {
    terminal.out(arc::describe_json(verdict) + '\n');
    return Exit::Ok;
  }
  terminal.out(std::string(dkim::to_string(verdict.result)) + '\n');
  terminal.lines(arc::details(verdict, terminal.language()));
  if (verdict.result == dkim::Result::None) terminal.say(kNoChain);
  tell_questions(**resolver, terminal);
  return Exit::Ok;
}

Exit seal(const Invocation& invocation, Terminal& terminal) {
  if (auto missing = complain_of_missing(
          invocation, {"--domain", "--selector", "--key", "--authserv-id"}, terminal))
    return *missing;
  auto server = invocation.value("--authserv-id");
  auto now = time_of(invocation);
  if (!now) return report(now.error(), terminal);
  auto keys = signing_keys(invocation);
  if (!keys) return report(keys.error(), terminal);
  auto message = read_message(invocation.argument(0));
  if (!message) return report(message.error(), terminal);
  auto resolver = OneShotResolver::create(invocation, terminal);
  if (!resolver) return report(resolver.error(), terminal);

  auto chain = verify_chain(**resolver, *message, *now);
  if (auto unreachable = (*resolver)->complain_if_unreachable(terminal)) return *unreachable;
  dkim::HeaderFields fields(message->header());
  arc::Sealer sealer(
      {.key = std::move(keys->front()), .now = *now, .fields = header_names(invocation)});
  sealer.body(message->body());
  auto results = arc::collect_results(fields, *server);
  auto has_results = !results.methods.empty();
  auto added = sealer.finish(message->header(), chain, std::move(results));
  if (!added) return report(added.error(), terminal);
  if (added->empty())
    terminal.complain(kNotSealed);
  else if (!has_results)
    terminal.complain(kNoResults, printable(*server, 100));
  if (invocation.json())
    terminal.out(JsonWriter()
                     .begin_object()
                     .member("chain", dkim::to_string(chain.result))
                     .member("problem", chain.problem)
                     .member("fields", *added)
                     .end_object()
                     .take() +
                 '\n');
  else
    terminal.out(with_fields(*added, *message));
  return Exit::Ok;
}

}  // namespace

Verb verb_arc_verify() {
  Verb verb{
      .name = "arc verify",
      .group = Group::Tools,
      .summary = {"checks the ARC chain of a message, and says who sealed it",
                  "メッセージの ARC チェーンを検証し、封印した者を示す"},
      .details = {"The first line is the result: none, pass or fail. Then follow the reason of a "
                  "fail, each hop with what it had found out, and every question that was asked of "
                  "the DNS.",
                  "1 行目は結果です: none、pass、fail。続いて fail "
                  "の理由、各ホップとその判定、DNS への各問い合わせを示します。"},
      .arguments = {message_argument()},
      .options = {time_option()},
      .examples = {{"hikyaku arc verify letter.eml",
                    {"with the keys that are in the DNS now", "現在 DNS にある鍵で"}}},
      .has_json = true,
      .run = verify,
  };
  for (auto& option : resolver_options()) verb.options.push_back(std::move(option));
  return verb;
}

Verb verb_arc_seal() {
  Verb verb{
      .name = "arc seal",
      .group = Group::Tools,
      .summary = {"verifies the ARC chain of a message, adds a set and prints it",
                  "メッセージの ARC チェーンを検証し、封印を加えて出力する"},
      .details =
          {"What the Authentication-Results fields of --authserv-id say goes into the seal. A "
           "chain that ended with cv=fail stays as it is.",
           "--authserv-id の Authentication-Results の内容を封印に含めます。cv=fail "
           "で終わったチェーンはそのままにします。"},
      .arguments = {message_argument()},
      .options = {{.name = "--authserv-id",
                   .value = "H",
                   .help = {"the server whose results are sealed, such as mx.example.org",
                            "判定を封印するサーバー (mx.example.org など)"}},
                  time_option()},
      .examples = {{"hikyaku arc seal letter.eml --domain example.org --selector s1 --key rsa.pem "
                    "--authserv-id mx.example.org",
                    {"as a forwarder does", "転送する側として"}}},
      .has_json = true,
      .run = seal,
  };
  for (auto& option : signing_options(SigningKeys::One)) verb.options.push_back(std::move(option));
  for (auto& option : resolver_options()) verb.options.push_back(std::move(option));
  return verb;
}

}  // namespace hikyaku::app
