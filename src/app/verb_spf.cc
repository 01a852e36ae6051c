#include "app/cli.h"
#include "app/needed_options.h"
#include "app/one_shot_resolver.h"
#include "app/verbs.h"
#include "spf/check.h"
#include "spf/explain.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNobody{"whose mail? Give --mail-from F or --helo H (or both)",
                         "誰のメールですか? --mail-from F か --helo H (あるいは両方) が必要です"};
constexpr Phrase kNoAddress{"--ip {}: this is no IPv4 or IPv6 address",
                            "--ip {}: IPv4 でも IPv6 でもないアドレスです"};

/// Without its angle brackets.
std::string bare_path(std::string path) {
  if (path.starts_with('<') && path.ends_with('>')) return path.substr(1, path.size() - 2);
  return path;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto ip = invocation.value("--ip");
  auto mail_from = invocation.value("--mail-from");
  auto helo = invocation.value("--helo");
  if (auto missing = complain_of_missing(invocation, {"--ip"}, terminal)) return *missing;
  if (!mail_from && !helo) {
    terminal.complain(kNobody);
    return Exit::Usage;
  }
  auto address = IpAddress::parse(*ip);
  if (!address) {
    terminal.complain(kNoAddress, *ip);
    return Exit::Data;
  }
  auto resolver = OneShotResolver::create(invocation, terminal);
  if (!resolver) return report(resolver.error(), terminal);

  spf::Query query;
  query.ip = *address;
  query.helo = helo.value_or("");
  query.mail_from = bare_path(mail_from.value_or(""));
  query.identity = mail_from ? spf::Identity::MailFrom : spf::Identity::Helo;
  SystemClock clock;
  auto verdict =
      (*resolver)->run([&] { return spf::check((*resolver)->get(), clock, std::move(query)); });

  if (auto unreachable = (*resolver)->complain_if_unreachable(terminal)) return *unreachable;

  if (invocation.json()) {
    terminal.out(spf::describe_json(verdict) + '\n');
    return Exit::Ok;
  }
  // The first two lines are for programs too: the result, the domain's explanation (or nothing).
  terminal.lines(fmt::format("{}\n{}\n", to_string(verdict.result), verdict.explanation));
  terminal.paragraph(spf::summary(verdict, *address, terminal.language()));
  if (invocation.has("--explain"))
    terminal.lines('\n' + spf::details(verdict, terminal.language()));
  tell_questions(**resolver, terminal);
  return Exit::Ok;
}

}  // namespace

Verb verb_spf() {
  Verb verb{
      .name = "spf",
      .group = Group::Tools,
      .summary = {"asks whether a host may send mail for a domain (SPF), and why",
                  "あるホストがドメインのメールを送信してよいか (SPF) とその理由を調べる"},
      .details = {"The first line is the result: pass, fail, softfail, neutral, none, temperror or "
                  "permerror. The second is the domain's own explanation of a fail, or empty. Then "
                  "follow what that means and every question that was asked of the DNS.",
                  "1 行目は結果です: pass、fail、softfail、neutral、none、temperror、permerror。"
                  "2 行目は fail についてのドメイン自身の説明、なければ空行です。"
                  "その後にその意味と、DNS への各問い合わせを示します。"},
      .options =
          {
              {.name = "--ip",
               .value = "A",
               .help = {"the address of the sending host", "送信ホストのアドレス"}},
              {.name = "--mail-from",
               .value = "F",
               .help = {"the sender of the envelope (MAIL FROM); \"\" for bounces",
                        "エンベロープの送信者 (MAIL FROM)。バウンスは \"\""}},
              {.name = "--helo",
               .value = "H",
               .help = {"the name in HELO or EHLO; checked itself when there is no --mail-from",
                        "HELO または EHLO の名前。--mail-from がなければこの名前を調べる"}},
              {.name = "--explain",
               .help = {"also print every record that was read and every term that was tried",
                        "読んだレコードと調べた各項目も表示する"}},
          },
      .examples =
          {{"hikyaku spf --ip 192.0.2.1 --mail-from anna@example.org --helo mail.example.org",
            {"what a receiver would decide", "受信側がどう判断するか"}},
           {"hikyaku spf --ip 192.0.2.1 --helo mail.example.org --explain",
            {"the name in HELO, with all reasons", "HELO の名前を、すべての理由とともに"}}},
      .has_json = true,
      .run = run,
  };
  for (auto& option : resolver_options()) verb.options.push_back(std::move(option));
  return verb;
}

}  // namespace hikyaku::app
