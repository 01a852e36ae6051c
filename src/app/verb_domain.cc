// hikyaku domain add | list | remove | catch-all | records
#include <fmt/core.h>

#include "app/core.h"
#include "app/dkim_keys.h"
#include "app/dns_records.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "base/text.h"
#include "dkim/signature.h"
#include "dns/name.h"
#include "smtp/path.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kAdded{
    "{0} is a domain of this server now. Next: `hikyaku domain records {0}` shows the DNS records "
    "to publish, `hikyaku account add NAME@{0}` makes an account.",
    "{0} はこのサーバーのドメインになりました。次は: `hikyaku domain records {0}` "
    "で公開すべき DNS レコードを表示、`hikyaku account add 名前@{0}` でアカウントを作成します。"};
constexpr Phrase kOneLabel{
    "{} is a name of one label, which is not in the public DNS: mail from it cannot be signed, and "
    "SPF and DMARC can say nothing of it.",
    "{} はラベルが一つだけの名前で、公開 DNS にはありません。署名できず、SPF や DMARC "
    "も何も示せません。"};
constexpr Phrase kRemoved{"{} is no domain of this server any more.",
                          "{} はこのサーバーのドメインではなくなりました。"};
constexpr Phrase kKeysErased{
    "The private keys that signed its mail are erased. Leave their records in the DNS for some "
    "days, "
    "until mail on its way has arrived; then take them out:",
    "署名用の秘密鍵を消去しました。配送中のメールが届き終わるまで数日間は DNS "
    "のレコードを残し、その後削除してください:"};
constexpr Phrase kCatchAll{"Mail for unknown addresses of {} goes to {}.",
                           "{} の未知のアドレス宛てのメールは {} に届きます。"};
constexpr Phrase kNoCatchAll{"Mail for unknown addresses of {} is refused.",
                             "{} の未知のアドレス宛てのメールは拒否します。"};
constexpr Phrase kNone{"There are no domains. Add one: hikyaku domain add DOMAIN",
                       "ドメインはありません。追加するには: hikyaku domain add DOMAIN"};
constexpr Phrase kReverse{
    "The address of {0} must also lead back to the name {0} (a PTR record): whoever gave you the "
    "address sets that, usually in the panel of the hoster.",
    "{0} のアドレスからは、逆引き(PTR "
    "レコード)で {0} "
    "という名前が得られる必要があります。アドレスの提供元(ホスティング業者の管理画面"
    "など)で設定してください。"};

const ArgumentSpec kDomain{"DOMAIN", {"such as example.org", "例: example.org"}};

/// Runs a command that answers with nothing, and says so.
template <class... Args>
Exit change(const Invocation& invocation, Terminal& terminal, std::string_view verb,
            boost::json::object args, const Phrase& done, const Args&... shown) {
  Commands commands(invocation, terminal);
  auto answer = commands.run(verb, std::move(args));
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(done, shown...);
  return Exit::Ok;
}

/// The domain and its first keys, which sign at once: there is no older mail that could suffer.
Exit add(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto domain = smtp::parse_domain(invocation.argument(0), smtp::Characters::Utf8);
  if (!domain) return commands.report(domain.error());
  auto config = load_instance_config(commands.instance(), terminal);
  if (!config) return config.error();
  auto keys = invocation.has("--no-dkim")
                  ? NewDkimKeys()
                  : NewDkimKeys::make(commands.instance().dkim, *domain, usual_dkim_keys(*domain),
                                      key_file_owner(*config));
  if (!keys) return commands.report(keys.error());
  auto done = keeping_rights(*config, [&] {
    auto answer = commands.run("dkim.add", {{"domain", json_text(*domain)},
                                            {"keys", keys->rows()},
                                            {"active", true},
                                            {"add_domain", true}});
    if (!answer) return commands.report(answer.error());
    if (invocation.json()) {
      print_json(terminal, *answer);
      return Exit::Ok;
    }
    terminal.say(kAdded, *domain);
    if (!domain->contains('.')) terminal.say(kOneLabel, *domain);
    return Exit::Ok;
  });
  if (done == Exit::Ok) keys->keep();
  return done;
}

/// The domain's rows, those of its keys among them. `selectors` gets the keys that had files.
Exit remove_rows(Commands& commands, const std::string& domain, Handover& selectors,
                 const Invocation& invocation, Terminal& terminal) {
  std::string names;
  std::vector<std::string> records;
  auto listed = commands.run("dkim.list", {{"domain", json_text(domain)}}, {.item = [&](auto& key) {
                               if (text_in(key, "state") == "gone") return;
                               names += text_in(key, "selector") + '\n';
                               records.push_back(text_in(key, "name"));
                             }});
  if (!listed) return commands.report(listed.error());
  auto answer = commands.run("domain.remove", {{"domain", json_text(domain)}});
  if (!answer) return commands.report(answer.error());
  selectors.give(names);
  if (invocation.json()) {
    auto& keys = ((*answer)["keys"] = boost::json::array()).get_array();
    for (auto& name : records) keys.push_back(json_text(name));
    print_json(terminal, *answer);
    return Exit::Ok;
  }
  terminal.say(kRemoved, domain);
  if (records.empty()) return Exit::Ok;
  terminal.say(kKeysErased);
  for (auto& name : records) terminal.out("  " + name + ". IN TXT\n");
  return Exit::Ok;
}

Exit remove(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto domain = smtp::parse_domain(invocation.argument(0), smtp::Characters::Utf8);
  if (!domain) return commands.report(domain.error());
  auto config = load_instance_config(commands.instance(), terminal);
  if (!config) return config.error();
  // Who may ask for the keys may not always erase their files.
  Handover selectors;
  auto done = keeping_rights(
      *config, [&] { return remove_rows(commands, *domain, selectors, invocation, terminal); });
  if (done != Exit::Ok) return done;
  for (auto selector : split(selectors.take(), '\n')) {
    if (!dkim::parse_signature_domain(selector, 1)) continue;
    auto path = dkim_key_path(commands.instance().dkim, *domain, std::string(selector));
    std::error_code error;
    std::filesystem::remove(path, error);
    if (!error) continue;
    terminal.complain_text(errno_error("cannot erase " + path.string(), error.value()).describe());
    done = Exit::Io;
  }
  return done;
}

Exit catch_all(const Invocation& invocation, Terminal& terminal) {
  auto domain = invocation.argument(0);
  auto address = invocation.argument(1);
  boost::json::object args{{"domain", json_text(domain)}, {"address", json_text(address)}};
  if (address.empty())
    return change(invocation, terminal, "domain.catch-all", std::move(args), kNoCatchAll, domain);
  return change(invocation, terminal, "domain.catch-all", std::move(args), kCatchAll, domain,
                address);
}

Exit list(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  ItemList rows(invocation, terminal,
                {{"DOMAIN", "ドメイン"},
                 {"ACCOUNTS", "アカウント"},
                 {"ALIASES", "別名"},
                 {"CATCH-ALL", "その他宛て"}},
                [](auto& item) -> std::vector<std::string> {
                  return {text_in(item, "domain"), std::to_string(number_in(item, "accounts")),
                          std::to_string(number_in(item, "aliases")), text_in(item, "catch_all")};
                });
  auto answer = commands.run("domain.list", {}, {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kNone);
  return Exit::Ok;
}

Exit records(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto config = load_instance_config(commands.instance(), terminal);
  if (!config) return config.error();
  auto domain = to_lower(invocation.argument(0));
  if (auto ascii = dns::to_ascii(domain)) domain = to_lower(*ascii);
  std::vector<PublishedKey> keys;
  auto answer = commands.run("dkim.list", {{"domain", json_text(domain)}}, {.item = [&](auto& key) {
                               if (text_in(key, "state") != "gone")
                                 keys.push_back({text_in(key, "name"), text_in(key, "record")});
                             }});
  if (!answer) return commands.report(answer.error());
  MailHost host{config->server.host_name, published_addresses(*config), config->listen.port_base,
                config->dmarc.report_address};
  if (host.host_name.empty()) host.host_name = machine_name();
  auto all = records_for(domain, host, keys);
  if (invocation.json()) {
    boost::json::array list;
    for (auto& record : all)
      list.push_back({{"name", record.name},
                      {"type", record.type},
                      {"value", record.value},
                      {"why", record.why.en},
                      {"needed", record.needed},
                      {"known", record.known}});
    print_json(terminal, list);
    return Exit::Ok;
  }
  terminal.out(to_zone_text(all, terminal.language()));
  if (!config->server.local)
    terminal.out(to_zone_comment(say(terminal.language(), kReverse, host.host_name)));
  return Exit::Ok;
}

}  // namespace

Verb verb_domain_add() {
  return {
      .name = "domain add",
      .group = Group::Accounts,
      .summary = {"makes the server responsible for a domain",
                  "ドメインをこのサーバーの担当にする"},
      .details =
          {"Mail for the domain is accepted from then on: for its accounts and aliases. Keys "
           "that sign its mail (DKIM) are made with it. "
           "postmaster and abuse exist from the start (RFC 2142): they go to the domain's "
           "first account until an alias of that name says otherwise.",
           "以後、このドメインのアカウントと別名宛てのメールを受け取ります。メールに署名する鍵("
           "DKIM)も"
           "作ります。postmaster と "
           "abuse は最初からあり(RFC "
           "2142)、同じ名前の別名を作るまでは、ドメインの最初のアカウントに届きます。"},
      .arguments = {kDomain},
      .options = {{.name = "--no-dkim",
                   .help = {"make no keys: another server signs its mail",
                            "鍵を作らない(別のサーバーが署名する場合)"}}},
      .examples = {{"hikyaku domain add example.org", {"add a domain", "ドメインを追加する"}}},
      .uses_instance = true,
      .has_json = true,
      .run = add,
  };
}

Verb verb_domain_list() {
  return {
      .name = "domain list",
      .group = Group::Accounts,
      .summary = {"lists the domains of the server", "このサーバーのドメインを一覧表示する"},
      .examples = {{"hikyaku domain list", {"a table", "表で"}},
                   {"hikyaku domain list --json", {"for programs", "プログラム向け"}}},
      .uses_instance = true,
      .has_json = true,
      .run = list,
  };
}

Verb verb_domain_remove() {
  return {
      .name = "domain remove",
      .group = Group::Accounts,
      .summary = {"gives up a domain that has no accounts and aliases any more",
                  "アカウントも別名もなくなったドメインを手放す"},
      .arguments = {kDomain},
      .examples = {{"hikyaku domain remove example.org",
                    {"mail for it is refused from then on", "以後、そのメールは拒否する"}}},
      .uses_instance = true,
      .has_json = true,
      .run = remove,
  };
}

Verb verb_domain_catch_all() {
  return {
      .name = "domain catch-all",
      .group = Group::Accounts,
      .summary = {"sets who gets mail for unknown addresses of a domain",
                  "ドメインの未知のアドレス宛てのメールの届け先を決める"},
      .details = {"Without ADDRESS there is no catch-all, as from the start: unknown addresses are "
                  "refused, and their senders learn it at once.",
                  "ADDRESS を省くと届け先はなくなり(初期状態)、未知のアドレスは拒否され、"
                  "差出人にすぐ分かります。"},
      .arguments = {kDomain,
                    {"ADDRESS",
                     {"who gets it; nothing: refuse", "届け先。省略すると拒否"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku domain catch-all example.org anna@example.org",
                    {"anna gets everything that nobody else gets",
                     "誰宛てでもないメールを anna が受け取る"}},
                   {"hikyaku domain catch-all example.org",
                    {"refuse unknown addresses again", "未知のアドレスを再び拒否する"}}},
      .uses_instance = true,
      .has_json = true,
      .run = catch_all,
  };
}

Verb verb_domain_records() {
  return {
      .name = "domain records",
      .group = Group::Accounts,
      .summary = {"prints the DNS records to publish for a domain",
                  "ドメインのために公開すべき DNS レコードを表示する"},
      .details = {"In zone-file form, to copy into a zone or, one by one, into the panel of the "
                  "DNS provider. `hikyaku domain check DOMAIN --zone FILE` reads it back.",
                  "ゾーンファイルの形式です。ゾーンに写すか、DNS "
                  "事業者の管理画面に一つずつ入力してください。`hikyaku domain check DOMAIN --zone "
                  "FILE` で読み直せます。"},
      .arguments = {kDomain},
      .examples = {{"hikyaku domain records example.org", {"all of them", "すべて表示する"}},
                   {"hikyaku domain records example.org > example.org.zone",
                    {"as a file", "ファイルに書く"}}},
      .uses_instance = true,
      .has_json = true,
      .run = records,
  };
}

}  // namespace hikyaku::app
