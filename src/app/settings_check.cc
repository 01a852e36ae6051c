#include "app/settings_check.h"

#include <system_error>

namespace hikyaku::app {
namespace {

constexpr Phrase kConfigGood{"{} has no mistakes", "{} に誤りはありません"};
constexpr Phrase kLocal{
    "this is an instance for trying out (server.local): loopback only, login "
    "without TLS",
    "試用のインスタンスです(server.local): ループバックのみ、TLS "
    "なしのログイン可"};
constexpr Phrase kPlaintext{
    "login.plaintext_on_loopback is on: behind a tunnel or proxy, passwords pass in clear",
    "login.plaintext_on_loopback "
    "が有効です。トンネルやプロキシの背後では、パスワードが平文で流れます"};
constexpr Phrase kAuthOn25{"smtp.mechanisms is not empty: port 25 invites guessing passwords",
                           "smtp.mechanisms が空ではありません。ポート 25 "
                           "でのパスワード推測を招きます"};
constexpr Phrase kLegacyOn{"{} is switched on: passwords are kept in a form that can be read back",
                           "{} が有効です。パスワードが読み戻せる形で保存されます"};
constexpr Phrase kSecretOpen{"{} can be read by others: chmod o= {}",
                             "{} がほかのユーザーに読めます: chmod o= {}"};
constexpr Phrase kNoHostName{
    "server.host_name is not set, and the machine's name {} is not a full "
    "one such as mail.example.org",
    "server.host_name が未設定で、マシンの名前 {} も "
    "mail.example.org のような完全な名前ではありません"};

}  // namespace

void check_settings(Findings& findings, const Instance& instance, const config::Config& config,
                    const std::string& host_name) {
  findings.add(Level::Good, "settings", kConfigGood, instance.config.string());
  if (config.server.local) {
    findings.add(Level::Note, "settings", kLocal);
  } else {
    if (config.login.plaintext_on_loopback) findings.add(Level::Note, "settings", kPlaintext);
    for (auto name : {"CRAM-MD5", "APOP"})
      if (config.offers(name)) findings.add(Level::Note, "settings", kLegacyOn, name);
  }
  if (!config.smtp.mechanisms.empty()) findings.add(Level::Note, "settings", kAuthOn25);
  if (!host_name.contains('.')) findings.add(Level::Problem, "settings", kNoHostName, host_name);
  check_secrecy(findings, "settings", instance.secret_key);
}

void check_secrecy(Findings& findings, std::string_view area, const std::filesystem::path& path) {
  std::error_code error;
  auto mode = std::filesystem::status(path, error).permissions();
  if (!error && (mode & std::filesystem::perms::others_all) != std::filesystem::perms::none)
    findings.add(Level::Problem, area, kSecretOpen, path.string(), path.string());
}

}  // namespace hikyaku::app
