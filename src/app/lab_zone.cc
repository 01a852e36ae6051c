#include "app/lab_zone.h"

#include <fmt/core.h>
#include <fstream>

#include "base/text.h"
#include "dns/zone.h"

namespace hikyaku::app::lab {
namespace {

/// Everything about names. The servers have nothing else in common.
constexpr std::string_view kZone = R"(; The DNS of the lab: every server resolves by this file.
$TTL 60
alpha.test.            SOA  ns.alpha.test. postmaster.alpha.test. 1 3600 600 86400 60
alpha.test.            MX   10 mx.alpha.test.
alpha.test.            TXT  "v=spf1 mx -all"
mx.alpha.test.         A    127.0.1.1
mx.alpha.test.         TXT  "v=spf1 a -all"
1.1.0.127.in-addr.arpa. PTR mx.alpha.test.
_dmarc.alpha.test.     TXT  "v=DMARC1; p=none; rua=mailto:dmarc-reports@alpha.test"

beta.test.             SOA  ns.beta.test. postmaster.beta.test. 1 3600 600 86400 60
beta.test.             MX   10 mx.beta.test.
beta.test.             TXT  "v=spf1 mx -all"
mail.beta.test.        CNAME mx.beta.test.
mx.beta.test.          A    127.0.2.1
mx.beta.test.          TXT  "v=spf1 a -all"
1.2.0.127.in-addr.arpa. PTR mx.beta.test.

mallory.test.          SOA  ns.mallory.test. postmaster.mallory.test. 1 3600 600 86400 60
mallory.test.          MX   10 mx.mallory.test.
mx.mallory.test.       A    127.0.3.1
1.3.0.127.in-addr.arpa. PTR mx.mallory.test.

; gamma.test passes mail on; its mailing lists have a program of their own.
gamma.test.            SOA  ns.gamma.test. postmaster.gamma.test. 1 3600 600 86400 60
gamma.test.            MX   10 mx.gamma.test.
gamma.test.            TXT  "v=spf1 mx a:lists.gamma.test -all"
mx.gamma.test.         A    127.0.4.1
mx.gamma.test.         TXT  "v=spf1 a -all"
1.4.0.127.in-addr.arpa. PTR mx.gamma.test.
lists.gamma.test.      MX   10 lists.gamma.test.
lists.gamma.test.      A    127.0.4.2
2.4.0.127.in-addr.arpa. PTR lists.gamma.test.

; Three domains whose names are forged, each with another wish for that case. The last is alpha's.
lenient.test.          TXT  "v=spf1 ip4:127.0.1.1 -all"
_dmarc.lenient.test.   TXT  "v=DMARC1; p=none"
careful.test.          TXT  "v=spf1 ip4:127.0.1.1 -all"
_dmarc.careful.test.   TXT  "v=DMARC1; p=quarantine"
strict.test.           MX   10 mx.alpha.test.
strict.test.           TXT  "v=spf1 mx -all"
_dmarc.strict.test.    TXT  "v=DMARC1; p=reject"

; A newsletter that goes out by Mallory's server, and says so.
newsletter.test.       TXT  "v=spf1 ip4:127.0.3.1 -all"

; A name that nobody sends from, and nobody receives at.
parked.test.           MX   0 .
parked.test.           TXT  "v=spf1 -all"
_dmarc.parked.test.    TXT  "v=DMARC1; p=reject"

; SPF and nothing else.
spfonly.test.          TXT  "v=spf1 ip4:127.0.1.1 -all"

; Two servers for one domain of beta's. Nobody listens at the first.
fallback.test.         SOA  ns.beta.test. postmaster.beta.test. 1 3600 600 86400 60
fallback.test.         MX   10 gone.fallback.test.
fallback.test.         MX   20 mx.beta.test.
gone.fallback.test.    A    127.0.2.9

; In front of this domain of beta's stands a server that first says "later".
grey.test.             SOA  ns.beta.test. postmaster.beta.test. 1 3600 600 86400 60
grey.test.             MX   10 mx.grey.test.
mx.grey.test.          A    127.0.3.2

; No MX: mail goes to the address of the domain itself.
nomx.test.             A    127.0.2.1

; Null MX: this domain takes no mail at all.
nullmx.test.           MX   0 .
nullmx.test.           A    127.0.2.1
)";
constexpr std::string_view kZoneV6 = R"(
mx.beta.test.          AAAA ::1
)";

/// The answers of a lookup in words.
std::string in_words(const dns::Lookup& lookup, dns::Type type) {
  std::string words;
  for (auto& record : lookup.records) {
    std::string data;
    if (type == dns::Type::MX) {
      auto mx = dns::decode_mx(record.data);
      data = mx ? fmt::format("MX {} {}", mx->preference, mx->exchange.empty() ? "." : mx->exchange)
                : "";
    } else if (type == dns::Type::A) {
      data = "A " + dns::decode_a(record.data).value_or(IpAddress()).to_string();
    } else if (type == dns::Type::AAAA) {
      data = "AAAA " + dns::decode_aaaa(record.data).value_or(IpAddress()).to_string();
    } else if (type == dns::Type::TXT) {
      data = "TXT " + dns::decode_txt(record.data).value_or("");
    } else {
      data = dns::to_string(type) + " " + dns::decode_name(record.data).value_or("");
    }
    words += (words.empty() ? "" : ", ") + data;
  }
  return words;
}

/// One space between words.
std::string squeezed(std::string_view line) {
  std::string text;
  for (auto c : line)
    if (c != ' ' || !text.ends_with(' ')) text += c;
  return text;
}

}  // namespace

void ZoneFile::begin(bool has_v6) {
  text_ = kZone;
  if (has_v6) text_ += kZoneV6;
}

void ZoneFile::add(const std::vector<PublishedKey>& keys) {
  for (auto& key : keys) text_ += fmt::format("{}. TXT {}\n", key.name, quote_txt(key.record));
}

Result<void> ZoneFile::write() const {
  std::ofstream file(path_, std::ios::trunc | std::ios::binary);
  file << text_;
  file.close();
  if (!file) return fail(ErrorCode::Io, "cannot write {}", path_.string());
  return {};
}

Result<void> ZoneFile::replace(std::string_view beginning, std::string_view line) {
  std::string kept;
  bool found = false;
  for (auto each : split(text_, '\n')) {
    if (squeezed(each).starts_with(beginning)) {
      found = true;
    } else if (!each.empty()) {
      kept += std::string(each) + "\n";
    }
  }
  if (!found) return fail(ErrorCode::NotFound, "the zone has no record \"{}\"", beginning);
  text_ = std::move(kept);
  if (!line.empty()) text_ += std::string(line) + "\n";
  return write();
}

std::string ZoneFile::look_up(const std::string& name, dns::Type type) const {
  auto zone = dns::Zone::read(path_.string());
  if (!zone) return zone.error().describe();
  auto lookup = zone->find(name, type);
  if (lookup.status == dns::Status::Ok) return in_words(lookup, type);
  return lookup.status == dns::Status::NoName ? "no such name" : "no such record";
}

}  // namespace hikyaku::app::lab
