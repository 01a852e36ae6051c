// The DNS records that a mail domain needs, for people to publish and for `check` to look for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/phrase.h"
#include "config/config.h"

namespace hikyaku::app {

struct DnsRecord {
  std::string name;    ///< "alpha.test.", with the dot at its end
  std::string type;    ///< "MX"
  std::string value;   ///< as in a zone file
  Phrase why;          ///< one line
  bool needed = true;  ///< false: a help for mail clients
  bool known = true;   ///< false: the value is a placeholder, so that the line is commented out
};

/// What the records are made from.
struct MailHost {
  std::string host_name;             ///< this server
  std::vector<IpAddress> addresses;  ///< public ones; empty: not known
  std::uint16_t port_base = 0;
  std::string report_address =
      {};  ///< where DMARC reports go: a local part or an address; empty: none
};

/// A key of the domain whose record is to be in the DNS.
struct PublishedKey {
  std::string name;    ///< "s1._domainkey.alpha.test"
  std::string record;  ///< "v=DKIM1; …"
};
DnsRecord dkim_record(const std::string& name, const std::string& record);

/// A service that mail clients look for by an SRV record (RFC 6186 §3, RFC 8314 §5.1).
struct ClientService {
  const char* label;   ///< "_imaps"
  const char* name;    ///< for people, in every language
  std::uint16_t port;  ///< without port_base
  bool is_published;   ///< one of records_for(); the others are good where they are right
};
std::span<const ClientService> client_services();
/// The value of its record.
std::string srv_record(const ClientService& service, const std::string& host_name,
                       std::uint16_t port_base);

/// All records of a domain: MX, the host's addresses, SPF, DKIM, DMARC, and those by which mail
/// clients find the ports (RFC 6186, RFC 8314 §5.1).
std::vector<DnsRecord> records_for(const std::string& domain, const MailHost& host,
                                   const std::vector<PublishedKey>& keys);
/// What DMARC is to say: no demand yet, but reports.
std::string dmarc_record(const std::string& domain, const std::string& report_address);

/// A TXT record's text as in a zone file: in quotes, in strings of at most 255 bytes.
std::string quote_txt(std::string_view text);

/// In zone-file form, columns aligned, each with its reason as a comment above it.
std::string to_zone_text(const std::vector<DnsRecord>& records, Language language);
/// Words for people as comments of a zone file.
std::string to_zone_comment(std::string_view text);

/// Those that the records of this instance name.
std::vector<IpAddress> published_addresses(const config::Config& config);

/// The addresses of this machine that the internet can reach: not loopback, private, link-local,
/// shared or documentation ones.
std::vector<IpAddress> public_addresses();
bool is_public(const IpAddress& address);

}  // namespace hikyaku::app
