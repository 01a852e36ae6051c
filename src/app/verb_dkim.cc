// hikyaku dkim verify, hikyaku dkim sign.
#include "app/cli.h"
#include "app/needed_options.h"
#include "app/one_shot_message.h"
#include "app/one_shot_resolver.h"
#include "app/verbs.h"
#include "base/json.h"
#include "dkim/explain.h"
#include "dkim/signer.h"
#include "dkim/verifier.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kUnsigned{"The message is not signed.", "このメッセージには署名がありません。"};
constexpr Phrase kIgnoredOne{"One further signature was not looked at.",
                             "ほかに 1 個の署名がありますが、調べていません。"};
constexpr Phrase kIgnored{"{} further signatures were not looked at.",
                          "ほかに {} 個の署名がありますが、調べていません。"};

std::string json_of(const std::vector<dkim::Verdict>& verdicts, std::size_t ignored) {
  JsonWriter json;
  json.begin_object().member("result", dkim::to_string(dkim::best(verdicts)));
  json.key("signatures").begin_array();
  for (auto& verdict : verdicts) dkim::describe_json(json, verdict);
  json.end_array().member("ignored", ignored).end_object();
  return json.take();
}

Exit verify(const Invocation& invocation, Terminal& terminal) {
  auto now = time_of(invocation);
  if (!now) return report(now.error(), terminal);
  auto message = read_message(invocation.argument(0));
  if (!message) return report(message.error(), terminal);
  auto resolver = OneShotResolver::create(invocation, terminal);
  if (!resolver) return report(resolver.error(), terminal);

  dkim::Verifier verifier(std::string(message->header()), {.now = *now});
  verifier.body(message->body());
  auto verdicts = (*resolver)->run([&] { return verifier.finish((*resolver)->get()); });
  if (auto unreachable = (*resolver)->complain_if_unreachable(terminal)) return *unreachable;
  if (invocation.json()) {
    terminal.out(json_of(verdicts, verifier.ignored()) + '\n');
    return Exit::Ok;
  }
  terminal.out(std::string(dkim::to_string(dkim::best(verdicts))) + '\n');
  for (auto& verdict : verdicts) terminal.lines(dkim::summary(verdict, terminal.language()) + '\n');
  if (verdicts.empty()) terminal.say(kUnsigned);
  if (verifier.ignored() > 0)
    terminal.say(verifier.ignored() == 1 ? kIgnoredOne : kIgnored, verifier.ignored());
  tell_questions(**resolver, terminal);
  return Exit::Ok;
}

Exit sign(const Invocation& invocation, Terminal& terminal) {
  if (auto missing = complain_of_missing(invocation, {"--domain", "--selector", "--key"}, terminal))
    return *missing;
  auto now = time_of(invocation);
  if (!now) return report(now.error(), terminal);
  auto keys = signing_keys(invocation);
  if (!keys) return report(keys.error(), terminal);
  auto message = read_message(invocation.argument(0));
  if (!message) return report(message.error(), terminal);

  dkim::Signer signer(*std::move(keys), {.now = *now, .fields = header_names(invocation)});
  signer.body(message->body());
  auto fields = signer.finish(message->header());
  if (!fields) return report(fields.error(), terminal);
  if (invocation.json())
    terminal.out(JsonWriter().begin_object().member("fields", *fields).end_object().take() + '\n');
  else
    terminal.out(with_fields(*fields, *message));
  return Exit::Ok;
}

}  // namespace

Verb verb_dkim_verify() {
  Verb verb{
      .name = "dkim verify",
      .group = Group::Tools,
      .summary = {"checks the DKIM signatures of a message, and says why",
                  "メッセージの DKIM 署名を検証し、理由を示す"},
      .details =
          {"The first line is the result: pass if any signature passes, else the one that "
           "says most, or none. Then follow a line for each signature and every question that was "
           "asked of the DNS.",
           "1 行目は結果です: 一つでも通れば pass、それ以外は最も意味のある結果、署名がなければ "
           "none。続いて署名ごとの 1 行と、DNS への各問い合わせを示します。"},
      .arguments = {message_argument()},
      .options = {time_option()},
      .examples = {{"hikyaku dkim verify letter.eml",
                    {"with the keys that are in the DNS now", "現在 DNS にある鍵で"}},
                   {"hikyaku dkim verify letter.eml --zone keys.zone --time 1528637909",
                    {"with keys from a file, at another time", "ファイルの鍵で、別の時刻に"}}},
      .has_json = true,
      .run = verify,
  };
  for (auto& option : resolver_options()) verb.options.push_back(std::move(option));
  return verb;
}

Verb verb_dkim_sign() {
  Verb verb{
      .name = "dkim sign",
      .group = Group::Tools,
      .summary = {"signs a message with DKIM and prints it",
                  "メッセージに DKIM 署名を付けて出力する"},
      .details =
          {"With several keys there are several signatures; RSA's stand on top. The fields "
           "that a reader is shown are signed once more than they are there, so that nobody "
           "can add another.",
           "鍵が複数あれば署名も複数になり、RSA の署名が上に並びます。読み手に見えるフィールドは、"
           "後から追加できないよう、実際より一つ多く署名します。"},
      .arguments = {message_argument()},
      .options = {time_option()},
      .examples = {{"hikyaku dkim sign letter.eml --domain example.org --selector s1 --key rsa.pem",
                    {"signed with one key", "一つの鍵で署名"}},
                   {"hikyaku dkim sign letter.eml --domain example.org --selector s1 --key rsa.pem "
                    "--selector s2 --key ed25519.pem",
                    {"with two", "二つの鍵で署名"}}},
      .has_json = true,
      .run = sign,
  };
  for (auto& option : signing_options(SigningKeys::Several))
    verb.options.push_back(std::move(option));
  return verb;
}

}  // namespace hikyaku::app
