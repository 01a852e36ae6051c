#include "config/options.h"

#include "config/option_tables.h"

namespace hikyaku::config {
namespace {

constexpr Section kSections[] = {
    {"server", "The machine and the instance as a whole."},
    {"listen",
     "Where connections are accepted. Each list has port numbers, opened at every address of "
     "listen.addresses with listen.port_base added, or texts \"ADDRESS:PORT\" that are taken as "
     "they are. An empty list closes the service."},
    {"tls", "TLS. Versions 1.2 and 1.3 are spoken, with forward secrecy."},
    {"login", "Logging in, whatever the protocol."},
    {"smtp", "Mail from other servers (port 25). The limits count for submission (587, 465) too."},
    {"auth",
     "Who really sent a message from another server: the checks as a whole. What they come to is "
     "in the Authentication-Results field, and `hikyaku trace` tells it."},
    {"spf", "SPF: the hosts that may send for a domain (RFC 7208)."},
    {"dkim", "DKIM: signatures of domains (RFC 6376)."},
    {"arc", "ARC: what servers on the way had found out (RFC 8617)."},
    {"dmarc",
     "DMARC: what the domain that readers are shown asks for when nothing proves that it sent the "
     "message (RFC 9989). none: delivered; quarantine: into Junk; reject: into Junk, or refused if "
     "something else speaks for it and nothing against. And the reports about who sends as whom "
     "(RFC 9990)."},
    {"submission", "Mail from our own users (ports 587 and 465)."},
    {"delivery", "Putting mail into mailboxes."},
    {"queue", "Mail that waits for other servers."},
    {"transmit", "Connections to other servers."},
    {"dns", "Asking for names."},
    {"imap", "Reading mail with IMAP (ports 143 and 993)."},
    {"pop3", "Fetching mail with POP3 (ports 110 and 995)."},
    {"store", "The store of all mail on disk."},
    {"limits", "What all connections together, and each by itself, may use."},
    {"log", "What is written to standard error."},
};

std::vector<Option> join_tables() {
  std::vector<Option> all;
  for (auto part : {server_options(), smtp_options(), authentication_options(), transfer_options(),
                    mailbox_options()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

std::span<const Section> sections() {
  return kSections;
}

std::span<const Option> options() {
  static const std::vector<Option> all = join_tables();
  return all;
}

const Option* find_option(std::string_view name) {
  for (auto& option : options())
    if (option.name == name) return &option;
  return nullptr;
}

}  // namespace hikyaku::config
