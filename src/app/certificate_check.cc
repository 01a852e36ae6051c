#include "app/certificate_check.h"

#include <chrono>

#include "app/core.h"
#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kCertGood{"{} is for {} and valid until {}", "{} は {} 用で、{} まで有効です"};
constexpr Phrase kCertSelf{"{} is self-signed: mail clients will warn; others deliver all the same",
                           "{} は自己署名です。メールソフトは警告しますが、配送には支障ありません"};
constexpr Phrase kCertEnds{"{} ends on {}: renew it", "{} は {} に期限切れです。更新してください"};
constexpr Phrase kCertEnded{"{} has ended on {}", "{} は {} に期限切れになりました"};
constexpr Phrase kCertEarly{"{} begins on {} only", "{} は {} からしか有効ではありません"};
constexpr Phrase kCertName{"{} is not for {} (server.host_name), only for: {}",
                           "{} は {} (server.host_name) 用ではなく、次の名前用です: {}"};
constexpr Phrase kCertKey{"{} does not belong to the key {}", "{} は鍵 {} と対になっていません"};

std::string day_of(Time time) {
  return format_rfc3339(time).substr(0, 10);
}

void check_certificate(Findings& findings, const config::Certificate& entry,
                       const crypto::Certificate& own, Time now) {
  auto file = entry.cert.string();
  auto before = findings.all().size();
  if (own.not_after < now)
    findings.add(Level::Problem, "certificate", kCertEnded, file, day_of(own.not_after));
  else if (own.not_after < now + std::chrono::days(14))
    findings.add(Level::Problem, "certificate", kCertEnds, file, day_of(own.not_after));
  if (own.not_before > now)
    findings.add(Level::Problem, "certificate", kCertEarly, file, day_of(own.not_before));
  auto key_pem = read_file(entry.key);
  auto key = key_pem ? crypto::PrivateKey::from_pem(*key_pem) : std::unexpected(key_pem.error());
  if (!key)
    findings.add(Level::Problem, "certificate", key.error().describe());
  else if (!own.matches(*key))
    findings.add(Level::Problem, "certificate", kCertKey, file, entry.key.string());
  if (own.self_signed) findings.add(Level::Note, "certificate", kCertSelf, file);
  if (findings.all().size() == before)
    findings.add(Level::Good, "certificate", kCertGood, file, join(own.dns_names, ", "),
                 day_of(own.not_after));
}

}  // namespace

void check_certificates(Findings& findings, const config::Config& config,
                        const std::string& host_name, Time now) {
  bool covered = false;
  std::string others;
  std::string files;
  for (auto& entry : config.tls.certificates) {
    auto pem = read_file(entry.cert);
    auto chain = pem ? crypto::parse_certificate_chain(*pem) : std::unexpected(pem.error());
    if (!chain) {
      findings.add(Level::Problem, "certificate",
                   chain.error().code == ErrorCode::Invalid
                       ? entry.cert.string() + ": " + chain.error().describe()
                       : chain.error().describe());
      continue;
    }
    auto& own = chain->front();
    check_certificate(findings, entry, own, now);
    covered |= own.covers(host_name);
    files += (files.empty() ? "" : ", ") + entry.cert.string();
    others += (others.empty() ? "" : ", ") + join(own.dns_names, ", ");
  }
  if (!files.empty() && !covered)
    findings.add(Level::Problem, "certificate", kCertName, files, host_name, others);
}

}  // namespace hikyaku::app
