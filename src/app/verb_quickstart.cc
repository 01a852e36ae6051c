// hikyaku quickstart: a new instance with its first account.
#include <filesystem>
#include <fmt/core.h>

#include "app/cli.h"
#include "app/core.h"
#include "app/dns_records.h"
#include "app/error_phrases.h"
#include "app/new_instance.h"
#include "app/password_input.h"
#include "app/run_command.h"
#include "app/text_width.h"
#include "app/verbs.h"
#include "auth/directory.h"
#include "base/text.h"
#include "dns/zone.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNoRoom{
    "there is too little room for the store in {}: {}. Or name a directory on another disk: --dir. "
    "(So much always stays free: option store.reserve.)",
    "{} には保管庫に必要な空きがありません: {}。--dir で別のディスクのディレクトリを指定することも"
    "できます(常に残しておく空きの量はオプション store.reserve です)。"};
constexpr Phrase kMadeIn{"Made in {}:", "{} に作りました:"};
constexpr Phrase kConfigFile{"the configuration, with explanations", "設定ファイル(説明付き)"};
constexpr Phrase kCertificate{"a self-signed certificate for {}, until there is a real one",
                              "{} の自己署名証明書(正式なものができるまで)"};
constexpr Phrase kSigning{"the keys that outgoing mail is signed with (DKIM)",
                          "送信するメールに署名する鍵(DKIM)"};
constexpr Phrase kSecretKey{"encrypts stored secrets: keep a copy apart from the mail",
                            "秘密の情報を暗号化する鍵。メールとは別に控えを"};
constexpr Phrase kData{"all mail", "すべてのメール"};
constexpr Phrase kAccount{"Account", "アカウント"};
constexpr Phrase kPassword{"Password", "パスワード"};
constexpr Phrase kOnce{"(shown this once)", "(表示は今回だけ)"};
constexpr Phrase kChosen{"(the one you gave)", "(指定されたもの)"};
constexpr Phrase kRecords{"DNS records to publish for {}:", "{} のために公開する DNS レコード:"};
constexpr Phrase kReverse{
    "and let the server's address lead back to {} (PTR record; your hoster sets it).",
    "また、サーバーのアドレスの逆引き(PTR レコード)が {} "
    "になるようにしてください(ホスティング業者が設定します)。"};
constexpr Phrase kLocalRecords{"For tests, as lines of a zone file (--zone):",
                               "試験用のゾーンファイル(--zone)の行:"};
constexpr Phrase kNext{"Next:", "次は:"};
constexpr Phrase kStart{"start it", "起動する"};
constexpr Phrase kStartRoot{"start it (as root: ports below 1024)",
                            "起動する(1024 未満のポートのため root で)"};
constexpr Phrase kCheck{"look whether everything is right", "すべて正しいか調べる"};
constexpr Phrase kMore{"more accounts", "アカウントを増やす"};
constexpr Phrase kClient{"In your mail client: user name {}, and",
                         "メールソフトの設定: ユーザー名 {}、"};
constexpr Phrase kIncoming{"incoming", "受信"};
constexpr Phrase kOutgoing{"outgoing", "送信"};
constexpr Phrase kTrust{
    "It will warn of the certificate until tls.certificates in hikyaku.toml names a real one.",
    "hikyaku.toml の tls.certificates "
    "に正式な証明書を指定するまで、証明書についての警告が出ます。"};
constexpr Phrase kNeedRoot{
    "Without root, choose a place and ports of your own: hikyaku quickstart {} --dir ~/mail "
    "--local",
    "root でない場合は、場所とポートを自分のものにしてください: hikyaku quickstart {} --dir "
    "~/mail --local"};
constexpr Phrase kBadZone{"--zone: {}", "--zone: {}"};
constexpr Phrase kZoneAndDns{"--zone and --dns exclude each other.",
                             "--zone と --dns は同時に指定できません。"};

/// Where `./run install` and packages put the unit.
constexpr std::string_view kUnit = "/etc/systemd/system/hikyaku.service";

std::string domain_of(const std::string& address) {
  return address.substr(address.rfind('@') + 1);
}

/// The machine's full name, if it has one; otherwise mail.DOMAIN.
std::string host_name_for(const Invocation& invocation, const std::string& domain) {
  if (auto given = invocation.value("--host-name")) return to_lower(*given);
  auto machine = machine_name();
  auto is_full = machine.contains('.') && !machine.ends_with(".localdomain") &&
                 !machine.ends_with(".local") && !machine.ends_with(".internal");
  return is_full && !invocation.has("--local") ? machine : "mail." + domain;
}

/// What the words on the command line ask for. The error has been shown.
std::expected<NewInstance, Exit> wanted_by(const Invocation& invocation, Terminal& terminal) {
  auto address = auth::normalize_address(invocation.argument(0));
  if (!address) {
    terminal.complain_text(address.error().describe());
    return std::unexpected(Exit::Usage);
  }
  if (invocation.has("--zone") && invocation.has("--dns")) {
    terminal.complain(kZoneAndDns);
    return std::unexpected(Exit::Usage);
  }
  NewInstance wanted;
  wanted.instance = Instance::from(invocation.value("--dir"));
  wanted.address = *address;
  wanted.name = invocation.value("--name").value_or("");
  wanted.host_name = host_name_for(invocation, domain_of(*address));
  wanted.local = invocation.has("--local");
  if (invocation.has("--port-base"))
    wanted.port_base = static_cast<std::uint16_t>(invocation.number("--port-base", 0));
  wanted.resolver = invocation.value("--dns").value_or("");
  wanted.language = terminal.language();
  if (auto zone = invocation.value("--zone")) {
    wanted.zone_file = std::filesystem::absolute(*zone).lexically_normal().string();
    if (auto parsed = dns::Zone::read(wanted.zone_file); !parsed) {
      terminal.complain(kBadZone, error_in(parsed.error(), terminal.language()));
      return std::unexpected(exit_for(parsed.error().code));
    }
  }
  return wanted;
}

struct Ports {
  int imaps, imap, pop3s, submissions, submission;
};
Ports ports_of(const config::Config& config) {
  auto base = config.listen.port_base;
  return {993 + base, 143 + base, 995 + base, 465 + base, 587 + base};
}

MailHost mail_host(const NewInstance& wanted, const config::Config& config) {
  MailHost host{wanted.host_name, {}, config.listen.port_base, config.dmarc.report_address};
  host.addresses = published_addresses(config);
  return host;
}

void tell_files(const NewInstance& wanted, Terminal& terminal) {
  auto language = terminal.language();
  auto& instance = wanted.instance;
  auto base = instance.config.parent_path();
  auto shown = [&](const std::filesystem::path& path) {
    auto relative = path.lexically_relative(base);
    return (relative.empty() || *relative.begin() == ".." ? path : relative).string();
  };
  terminal.say(kMadeIn, base.string());
  Table files{{},
              {{"  " + shown(instance.config), std::string(kConfigFile.in(language))},
               {"  " + shown(instance.tls) + "/", say(language, kCertificate, wanted.host_name)},
               {"  " + shown(instance.dkim) + "/", std::string(kSigning.in(language))},
               {"  " + shown(instance.secret_key), std::string(kSecretKey.in(language))},
               {"  " + shown(instance.data) + "/", std::string(kData.in(language))}}};
  terminal.table(files);
}

void tell_account(const NewInstance& wanted, bool generated, Terminal& terminal) {
  auto language = terminal.language();
  terminal.out("\n");
  auto password = generated ? terminal.toned(Tone::Strong, wanted.password.reveal()) + "  " +
                                  std::string(kOnce.in(language))
                            : std::string(kChosen.in(language));
  auto width = std::max(columns(kAccount.in(language)), columns(kPassword.in(language))) + 2;
  terminal.out(padded(kAccount.in(language), width) + wanted.address + '\n');
  terminal.out(padded(kPassword.in(language), width) + password + '\n');
}

std::vector<DnsRecord> records_of(const MadeInstance& made, const NewInstance& wanted) {
  return records_for(domain_of(wanted.address), mail_host(wanted, made.config), made.keys);
}

void tell_records(const NewInstance& wanted, const MadeInstance& made, Terminal& terminal) {
  auto domain = domain_of(wanted.address);
  terminal.out("\n");
  if (wanted.local)
    terminal.say(kLocalRecords);
  else
    terminal.say(kRecords, domain);
  terminal.out(to_zone_text(records_of(made, wanted), terminal.language()));
  if (!wanted.local) terminal.say(kReverse, wanted.host_name);
}

void tell_next(const NewInstance& wanted, const Invocation& invocation,
               const config::Config& config, Terminal& terminal) {
  auto language = terminal.language();
  auto dir = invocation.has("--dir") ? " --dir " + wanted.instance.config.parent_path().string()
                                     : std::string();
  auto needs_root = !wanted.local && config.listen.port_base == 0;
  auto domain = domain_of(wanted.address);
  auto hikyaku = "  " + terminal.program();
  auto has_unit = !invocation.has("--dir") && !wanted.local && std::filesystem::exists(kUnit);
  auto start = has_unit ? "  systemctl enable --now hikyaku" : hikyaku + " serve" + dir;
  terminal.out("\n");
  terminal.say(kNext);
  terminal.table(
      {{},
       {{start, std::string((needs_root ? kStartRoot : kStart).in(language))},
        {hikyaku + " check" + dir, std::string(kCheck.in(language))},
        {hikyaku + " account add NAME@" + domain + dir, std::string(kMore.in(language))}}});
  auto server = wanted.local ? config.listen.addresses.front().to_string() : wanted.host_name;
  auto ports = ports_of(config);
  terminal.out("\n");
  terminal.say(kClient, wanted.address);
  terminal.table(
      {{},
       {{"  " + std::string(kIncoming.in(language)), server,
         fmt::format("IMAP {} (TLS), {} (STARTTLS); POP3 {} (TLS)", ports.imaps, ports.imap,
                     ports.pop3s)},
        {"  " + std::string(kOutgoing.in(language)), server,
         fmt::format("SMTP {} (TLS), {} (STARTTLS)", ports.submissions, ports.submission)}}});
  terminal.say(kTrust);
}

void tell_json(const NewInstance& wanted, bool generated, const MadeInstance& made,
               Terminal& terminal) {
  boost::json::array records;
  for (auto& record : records_of(made, wanted))
    records.push_back({{"name", record.name}, {"type", record.type}, {"value", record.value}});
  auto ports = ports_of(made.config);
  boost::json::object shown{{"config", json_text(wanted.instance.config.string())},
                            {"address", wanted.address},
                            {"host_name", wanted.host_name},
                            {"records", std::move(records)},
                            {"ports",
                             {{"imaps", ports.imaps},
                              {"imap", ports.imap},
                              {"pop3s", ports.pop3s},
                              {"submissions", ports.submissions},
                              {"submission", ports.submission}}}};
  if (generated) shown["password"] = json_text(wanted.password.reveal());
  print_json(terminal, shown);
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto wanted = wanted_by(invocation, terminal);
  if (!wanted) return wanted.error();
  auto chosen = choose_password(invocation, terminal, Ask::Never);
  if (!chosen) return report(chosen.error(), terminal);
  wanted->password = std::move(chosen->password);
  auto made = make_instance(*wanted);
  if (!made && made.error().code == ErrorCode::NoSpace) {
    terminal.complain(kNoRoom, wanted->instance.data.string(),
                      error_in(made.error(), terminal.language()));
    return exit_for(made.error().code);
  }
  if (!made) {
    auto exit = report(made.error(), terminal);
    if (made.error().code == ErrorCode::Denied && !invocation.has("--dir"))
      terminal.err(say(terminal.language(), kNeedRoot, wanted->address) + '\n');
    return made.error().code == ErrorCode::Invalid ? Exit::Usage : exit;
  }
  if (invocation.json()) {
    tell_json(*wanted, chosen->generated, *made, terminal);
    return Exit::Ok;
  }
  tell_files(*wanted, terminal);
  tell_account(*wanted, chosen->generated, terminal);
  tell_records(*wanted, *made, terminal);
  tell_next(*wanted, invocation, made->config, terminal);
  return Exit::Ok;
}

}  // namespace

Verb verb_quickstart() {
  return {
      .name = "quickstart",
      .group = Group::Start,
      .summary = {"makes a new instance with its first account",
                  "新しいインスタンスと最初のアカウントを作る"},
      .details =
          {"Writes hikyaku.toml, a self-signed certificate, the secret key and the store, "
           "and prints the password, the DNS records to publish and what to do next. An "
           "instance that is there already is left alone; when something fails, nothing is "
           "left behind. With --local the instance runs on loopback without root, offers "
           "every login mechanism also without TLS, and reaches other servers at port 25 + "
           "the port base: for trying things out.",
           "hikyaku.toml、自己署名証明書、秘密鍵、保管庫を作り、パスワード、公開すべき DNS "
           "レコード、次にすることを表示します。すでにあるインスタンスには触れず、失敗したとき"
           "は何も残しません。--local を付けると、root "
           "なしでループバックだけで動き、TLS "
           "なしでもすべてのログイン方式を使え、ほかのサーバーのポート 25 + "
           "基数に接続します(試用向け)。"},
      .arguments = {{"ADDRESS",
                     {"of the first account; its domain becomes the first domain",
                      "最初のアカウントのアドレス。そのドメインが最初のドメインになる"}}},
      .options = {{.name = "--local",
                   .help = {"for trying out: loopback only, no root",
                            "試用: ループバックのみ、root 不要"}},
                  {.name = "--port-base",
                   .value = "N",
                   .help = {"add N to every port (with --local 8000 unless told)",
                            "すべてのポートに N を足す(--local では指定がなければ 8000)"},
                   .least = 0,
                   .most = 60000},
                  {.name = "--zone",
                   .value = "FILE",
                   .help = {"a zone file whose records are laid over DNS",
                            "DNS に重ねて使うゾーンファイル"}},
                  {.name = "--dns",
                   .value = "ADDR:PORT",
                   .help = {"ask this resolver instead of the authoritative servers",
                            "権威サーバーの代わりにこのリゾルバーに尋ねる"}},
                  {.name = "--host-name",
                   .value = "NAME",
                   .help = {"the server's full name; without it the machine's, or mail.DOMAIN",
                            "サーバーの完全な名前。省略時はマシンの名前か mail.ドメイン"}},
                  {.name = "--name",
                   .value = "NAME",
                   .help = {"the person's name, as others see it", "相手に表示される名前"}},
                  password_stdin_option()},
      .examples = {{"hikyaku quickstart anna@example.org",
                    {"on a server, as root: in /etc/hikyaku and /var/lib/hikyaku",
                     "サーバーで root として: /etc/hikyaku と /var/lib/hikyaku に"}},
                   {"hikyaku quickstart anna@alpha.test --dir ~/mail --local",
                    {"to try it on your own machine", "自分のマシンで試す"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
