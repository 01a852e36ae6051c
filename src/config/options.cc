#include "config/options.h"

#include "base/text.h"
#include "config/binding.h"
#include "dns/name.h"
#include "dnsbl/check.h"

namespace hikyaku::config {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

constexpr std::string_view kLanguages[] = {"en", "ja"};                                 // Language
constexpr std::string_view kLogLevels[] = {"error", "warn", "info", "debug", "trace"};  // LogLevel
constexpr std::string_view kLogFormats[] = {"text", "json"};                            // LogFormat
constexpr std::string_view kMechanisms[] = {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1",
                                            "CRAM-MD5"};
constexpr std::string_view kPop3Mechanisms[] = {"PLAIN",       "LOGIN",    "SCRAM-SHA-256",
                                                "SCRAM-SHA-1", "CRAM-MD5", "APOP"};

constexpr std::string_view kUnreadableAuthor[] = {"deliver", "junk", "refuse"};
constexpr std::string_view kSpeaksFor[] = {"spf-fail-mail-from", "spf-fail-helo", "no-reverse-name",
                                           "blocklisted", "trust-reject"};
constexpr std::string_view kSpeaksAgainst[] = {"trusted-arc", "known-list", "known-forwarder",
                                               "local-exception"};

std::string check_host_name(const Value& value) {
  std::string_view name = std::get<std::string>(value);
  if (name.empty()) return {};
  if (name.size() > 253) return "a host name has at most 253 characters";
  for (auto label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
      return "it is not a host name";
    for (auto c : label)
      if (!is_ascii_alnum(c) && c != '-') return "it is not a host name";
  }
  return {};
}

std::string check_delimiters(const Value& value) {
  for (auto c : std::get<std::string>(value))
    if (!std::string_view("+-_=#").contains(c)) return "the characters may be + - _ = #";
  return {};
}

std::string check_address(const Value& value) {
  std::string_view address = std::get<std::string>(value);
  if (address.empty()) return {};
  auto at = address.rfind('@');
  if (at == 0 || at == std::string_view::npos) return "it is not an address";
  return check_host_name(Value(std::string(address.substr(at + 1))));
}

std::string check_report_address(const Value& value) {
  std::string_view text = std::get<std::string>(value);
  if (text.find('@') != std::string_view::npos) return check_address(value);
  if (text.empty() || text.size() > 64) return "it is neither a local part nor an address";
  for (auto c : text)
    if (!is_ascii_alnum(c) && !std::string_view("-_.+").contains(c))
      return "it is neither a local part nor an address";
  return {};
}

std::string check_sources(const Value& value) {
  int v4 = 0, v6 = 0;
  for (auto& address : std::get<std::vector<IpAddress>>(value)) ++(address.is_v4() ? v4 : v6);
  return v4 > 1 || v6 > 1 ? "at most one IPv4 and one IPv6 address" : "";
}

std::string check_field_names(const Value& value) {
  for (auto& name : std::get<std::vector<std::string>>(value)) {
    if (name.empty() || name.size() > 76) return "it is not the name of a header field";
    for (auto c : name)
      if (!is_ascii_alnum(c) && c != '-') return "it is not the name of a header field";
  }
  return {};
}

bool is_network(std::string_view text) {
  auto slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address || slash == std::string_view::npos) return address.has_value();
  return parse_decimal(text.substr(slash + 1), address->is_v4() ? 32 : 128).has_value();
}

std::string check_domains(const Value& value) {
  for (auto& text : std::get<std::vector<std::string>>(value))
    if (is_network(text) || !dns::to_ascii(text)) return "\"" + text + "\" is no domain name";
  return {};
}

std::string check_domains_and_networks(const Value& value) {
  for (auto& text : std::get<std::vector<std::string>>(value))
    if (!is_network(text) && !dns::to_ascii(text))
      return "\"" + text + "\" is no domain name, address or network (192.0.2.0/24)";
  return {};
}

std::string check_blocklists(const Value& value) {
  auto& texts = std::get<std::vector<std::string>>(value);
  if (texts.size() > dnsbl::Limits{}.zones) return "at most 16 lists are asked";
  for (auto& text : texts)
    if (!dnsbl::parse_zone(text))
      return "\"" + text + "\" is neither ZONE nor ZONE=WEIGHT, with a weight from -100 to 100";
  return {};
}

std::string check_not_empty(const Value& value) {
  return std::visit(
      [](auto& list) -> std::string {
        if constexpr (requires { list.empty(); })
          if (list.empty()) return "it must not be empty";
        return {};
      },
      value);
}

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

using C = Config;

constexpr std::string_view kMechanismsDoc =
    "The login mechanisms that are offered. PLAIN and LOGIN send the password itself and are "
    "offered under TLS only (see login.plaintext_on_loopback). SCRAM-SHA-256 and SCRAM-SHA-1 never "
    "send it and bind to the TLS connection with their -PLUS forms, which are offered with them. "
    "CRAM-MD5 needs passwords that can be read back, which are stored encrypted. A mechanism that "
    "is switched on works for an account from its next password change or login by PLAIN on.";
constexpr std::string_view kAllMechanisms =
    R"(["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"])";
constexpr std::string_view kMechanismsWhy =
    "under TLS these two work with every client, and passwords can be stored as Argon2id alone";

constexpr Option kOptions[] = {
    // ------------------------------------------------------------------ server
    bind<&C::server, &C::Server::host_name>({
        .name = "server.host_name",
        .fallback = R"("")",
        .why = "empty: the name that the machine itself has",
        .doc = "The full name of this server, such as mail.example.org: in greetings, EHLO, "
               "Received and Message-ID fields. Other servers expect its address to resolve to "
               "this name and back.",
        .applies = Applies::OnRestart,
        .check = check_host_name,
    }),
    bind<&C::server, &C::Server::local>({
        .name = "server.local",
        .fallback = "false",
        .why = "a real server serves the internet",
        .doc = "An instance to try things out with: it listens on loopback only, needs no root, "
               "offers every login mechanism, also without TLS, and talks to other servers' port "
               "25 + listen.port_base. It changes the defaults of other options; what the file "
               "says explicitly stays.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::server, &C::Server::memory>({
        .name = "server.memory",
        .fallback = "0",
        .why = "0: a quarter of the machine's memory, or of the cgroup's limit, leaves room for "
               "the page cache",
        .doc = "How much memory Hikyaku may plan with; it is divided among index, staged "
               "messages, open mailboxes and sessions.",
        .least = 0,
        .most = 4 * kTB,
        .applies = Applies::OnRestart,
        .check = [](const Value& value) -> std::string {
          auto size = std::get<Bytes>(value);
          return size.count != 0 && size.count < 64 * kMB ? "it is 0 or at least 64MB" : "";
        },
    }),
    bind<&C::server, &C::Server::user>({
        .name = "server.user",
        .fallback = R"("hikyaku")",
        .local_fallback = R"("")",
        .why = "nothing that talks to strangers should run as root",
        .doc = "When started as root, the server becomes this user once its ports are open. "
               "Empty: it stays who it is.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::server, &C::Server::sandbox>({
        .name = "server.sandbox",
        .fallback = "true",
        .why = "whoever finds a hole in the server should not find the machine behind it",
        .doc = "Once its ports are open the server gives up what it does not need (capabilities, "
               "other programs, other files than its own, most of what the kernel can do) by "
               "Landlock and seccomp. Certificates in new directories then need a restart. Switch "
               "it off only to let a debugger or a leak checker in.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::server, &C::Server::language>({
        .name = "server.language",
        .fallback = R"("en")",
        .why = "bounces go to people all over the world",
        .doc = "The language of the texts that the server writes to people: bounces and notices "
               "of delay. Protocol replies and logs are always English.",
        .choices = kLanguages,
    }),
    // ------------------------------------------------------------------ listen
    bind<&C::listen, &C::Listen::addresses>({
        .name = "listen.addresses",
        .fallback = R"(["0.0.0.0", "::"])",
        .local_fallback = R"(["127.0.0.1"])",
        .why = "every address of the machine, IPv4 and IPv6",
        .doc = "The addresses at which ports are opened.",
        .applies = Applies::OnRestart,
        .check = check_not_empty,
    }),
    bind<&C::listen, &C::Listen::port_base>({
        .name = "listen.port_base",
        .fallback = "0",
        .local_fallback = "8000",
        .why = "the ports that everybody knows",
        .doc = "Added to every port number below: with 8000, SMTP is on 8025 and IMAP on 8143.",
        .least = 0,
        .most = 60000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::smtp>({
        .name = "listen.smtp",
        .fallback = "[25]",
        .why = "other servers deliver to port 25 only (RFC 5321 §4.5.4.2)",
        .doc = "Mail from other servers.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::submission>({
        .name = "listen.submission",
        .fallback = "[587]",
        .why = "RFC 6409; many clients still look here first",
        .doc = "Mail from our users' clients, TLS by STARTTLS.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::submissions>({
        .name = "listen.submissions",
        .fallback = "[465]",
        .why = "RFC 8314 §3.3 prefers it to STARTTLS",
        .doc = "Mail from our users' clients, TLS from the first byte.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::imap>({
        .name = "listen.imap",
        .fallback = "[143]",
        .why = "RFC 9051; nobody can log in here before STARTTLS",
        .doc = "IMAP, TLS by STARTTLS.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::imaps>({
        .name = "listen.imaps",
        .fallback = "[993]",
        .why = "RFC 8314 §3.2 prefers it to STARTTLS",
        .doc = "IMAP, TLS from the first byte.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::pop3>({
        .name = "listen.pop3",
        .fallback = "[110]",
        .why = "RFC 1939; nobody can log in here before STLS",
        .doc = "POP3, TLS by STLS.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::pop3s>({
        .name = "listen.pop3s",
        .fallback = "[995]",
        .why = "RFC 8314 §3.2 prefers it to STLS",
        .doc = "POP3, TLS from the first byte.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::listen, &C::Listen::metrics>({
        .name = "listen.metrics",
        .fallback = "[]",
        .why = "closed: what a server does is nobody's business who was not told to look",
        .doc = "HTTP for those who watch the server: /metrics for Prometheus, /health for a load "
               "balancer or a container. There is no password, so unlike in the other lists a port "
               "number is opened on 127.0.0.1 only; \"ADDRESS:PORT\" exposes it elsewhere.",
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ tls
    bind<&C::tls, &C::Tls::certificates>({
        .name = "tls.certificates",
        .fallback = R"([{ cert = "tls/cert.pem", key = "tls/key.pem" }])",
        .why = "where `hikyaku quickstart` writes them",
        .doc = "Certificates with their keys, in PEM; relative paths start at the directory of "
               "this file. A client that asks for a name (SNI) gets the certificate whose names "
               "match (those in the certificate, unless names = [\"…\"] says otherwise), any "
               "other the first. Two certificates for one name, ECDSA first and RSA second, "
               "serve old clients too.",
        .check = check_not_empty,
    }),
    bind<&C::tls, &C::Tls::handshake_timeout>({
        .name = "tls.handshake_timeout",
        .fallback = R"("30s")",
        .why = "a handshake is two round trips; even a satellite's take seconds",
        .doc = "How long the handshake of a client may take as a whole.",
        .least = 100,
        .most = 10 * kMinute,
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ login
    bind<&C::login, &C::Login::plaintext_on_loopback>({
        .name = "login.plaintext_on_loopback",
        .fallback = "false",
        .local_fallback = "true",
        .why = "behind a tunnel or a proxy the whole internet arrives from loopback",
        .doc = "Offer PLAIN and LOGIN without TLS to clients that connect from this machine. It "
               "concerns confidentiality only: it allows no relaying and exempts nobody from "
               "throttling.",
    }),
    bind<&C::login, &C::Login::max_failures>({
        .name = "login.max_failures",
        .fallback = "5",
        .why = "enough for a person's typing, few for a guessing program",
        .doc = "After so many failed logins to one account from one network (an IPv4 address, an "
               "IPv6 /64), and ten times as many to any accounts, logins from there are answered "
               "\"try again later\" for the rest of 15 minutes. The same wrong password again does "
               "not count again. Nobody is locked out by failures from elsewhere.",
        .least = 1,
        .most = 100,
    }),
    bind<&C::login, &C::Login::timeout>({
        .name = "login.timeout",
        .fallback = R"("5m")",
        .why = "enough for a person to type a login by hand; strangers hold no connections",
        .doc = "How long a client may take from connecting to having logged in, on the ports where "
               "nothing can be done without (submission, IMAP, POP3).",
        .least = kSecond,
        .most = kHour,
    }),
    bind<&C::login, &C::Login::remember>({
        .name = "login.remember",
        .fallback = R"("1h")",
        .why = "telephones connect anew every few minutes; checking a password anew takes 20 ms of "
               "a processor and 19 MB",
        .doc = "A password that was right is recognised for so long by a keyed hash of it in "
               "memory, without the slow check. A changed password ends that at once. 0: never.",
        .least = 0,
        .most = kDay,
    }),
    bind<&C::login, &C::Login::parallel>({
        .name = "login.parallel",
        .fallback = "2",
        .why = "100 logins a second on an ordinary processor, 38 MB",
        .doc = "Passwords that are checked at the same time. They run in threads of their own, "
               "behind all that has to do with mail.",
        .least = 1,
        .most = 64,
        .applies = Applies::OnRestart,
    }),
    bind<&C::login, &C::Login::max_waiting>({
        .name = "login.max_waiting",
        .fallback = "200",
        .why = "what is checked in some two seconds: whoever would wait longer has given up",
        .doc = "Logins that wait for their password to be checked, in total; more are told to try "
               "again later.",
        .least = 1,
        .most = 100000,
    }),
    bind<&C::login, &C::Login::max_waiting_per_network>({
        .name = "login.max_waiting_per_network",
        .fallback = "20",
        .why = "a tenth of all: one guesser does not keep the others out",
        .doc = "The same from one network (an IPv4 address, an IPv6 /64).",
        .least = 1,
        .most = 100000,
    }),
    // ------------------------------------------------------------------ smtp
    bind<&C::smtp, &C::Smtp::mechanisms>({
        .name = "smtp.mechanisms",
        .fallback = "[]",
        .why = "users belong on 587 and 465; AUTH on 25 only invites guessing",
        .doc = "The login mechanisms on port 25; empty: no AUTH there. See "
               "submission.mechanisms.",
        .choices = kMechanisms,
    }),
    bind<&C::smtp, &C::Smtp::max_message_size>({
        .name = "smtp.max_message_size",
        .fallback = R"("50MB")",
        .why = "holds attachments of 36 MB, more than the large providers take",
        .doc = "The largest message that is accepted, from outside and from users (SIZE, RFC "
               "1870).",
        .least = 64 * kKB,
        .most = 2 * kGB,
    }),
    bind<&C::smtp, &C::Smtp::max_recipients>({
        .name = "smtp.max_recipients",
        .fallback = "1000",
        .why = "a mailing list's batch; RFC 5321 §4.5.3.1.8 asks for 100 at least",
        .doc = "Recipients of one message; further ones get 452 4.5.3 and can be sent the message "
               "again.",
        .least = 100,
        .most = 100000,
    }),
    bind<&C::smtp, &C::Smtp::max_line>({
        .name = "smtp.max_line",
        .fallback = R"("2KB")",
        .why = "the 512 bytes of RFC 5321 §4.5.3.1.4 and what all extensions add to them",
        .doc = "The longest command line. Lines of a login may always have 12,288 bytes (RFC 4954 "
               "§4); lines of the message are not limited.",
        .least = 1 * kKB,
        .most = 64 * kKB,
    }),
    bind<&C::smtp, &C::Smtp::max_errors>({
        .name = "smtp.max_errors",
        .fallback = "20",
        .why = "a person at the keyboard may err; a program that errs so often is broken or "
               "searching",
        .doc = "After so many refused or wrong commands a connection is closed with 421.",
        .least = 3,
        .most = 10000,
    }),
    bind<&C::smtp, &C::Smtp::max_idle_commands>({
        .name = "smtp.max_idle_commands",
        .fallback = "100",
        .why = "clients that keep a connection open send a few NOOP or RSET between messages",
        .doc = "After so many commands that move no mail (NOOP, RSET, VRFY, HELP, EHLO), without a "
               "message accepted between them, a connection is closed with 421.",
        .least = 5,
        .most = 100000,
    }),
    bind<&C::smtp, &C::Smtp::max_received>({
        .name = "smtp.max_received",
        .fallback = "100",
        .why = "RFC 5321 §6.3 asks for 100 at least",
        .doc = "A message with more Received fields goes in circles and is refused with 5.4.6.",
        .least = 20,
        .most = 1000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::smtp, &C::Smtp::max_header>({
        .name = "smtp.max_header",
        .fallback = R"("256KB")",
        .why = "the largest of real mail have some 100 KB: long chains of signatures",
        .doc = "Header bytes that are looked at when a message comes in. A message of our users "
               "with a longer header is refused, since its sender could not be checked.",
        .least = 16 * kKB,
        .most = 16 * kMB,
        .applies = Applies::OnRestart,
    }),
    bind<&C::smtp, &C::Smtp::timeout>({
        .name = "smtp.timeout",
        .fallback = R"("5m")",
        .why = "RFC 5321 §4.5.3.2.7",
        .doc = "How long a server or client may take for its next command as a whole, or for its "
               "next piece of data.",
        .least = kSecond,
        .most = kHour,
    }),
    bind<&C::smtp, &C::Smtp::idle_timeout>({
        .name = "smtp.idle_timeout",
        .fallback = R"("30m")",
        .why = "several times what a server or a person needs for one message",
        .doc = "A connection on which no message was accepted for so long is closed, whatever else "
               "was said on it. The data of a message that is under way may still come.",
        .least = kSecond,
        .most = kDay,
    }),
    bind<&C::smtp, &C::Smtp::transaction_timeout>({
        .name = "smtp.transaction_timeout",
        .fallback = R"("2h")",
        .why = "50 MB through 64 kbit/s take 1 h 50 min",
        .doc = "How long the data of one message may take as a whole; against peers that send a "
               "byte at a time.",
        .least = kSecond,
        .most = kDay,
    }),
    // ------------------------------------------------------------------ auth
    bind<&C::auth, &C::Auth::check>({
        .name = "auth.check",
        .fallback = "true",
        .why = "nobody should have to guess who a message is from",
        .doc = "Check who really sent what other servers bring: SPF, DKIM, ARC, DMARC, the name of "
               "the client's address. false: everything is delivered as if it were unknown; for "
               "servers behind another one that has checked already. Clients on this machine "
               "(127.0.0.0/8, ::1) are checked only if dns.resolver or dns.zone_file is set: of "
               "their addresses no public record can speak.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::auth, &C::Auth::deadline>({
        .name = "auth.deadline",
        .fallback = R"("20s")",
        .why = "RFC 7208 §4.6.4 wants 20 seconds at least; clients wait ten minutes after the data",
        .doc = "How long the DNS may take with the questions about one message, from the end of "
               "its data; questions about the client begin before that. What is not answered then "
               "could not be found out: nothing is refused for good because of it.",
        .least = kSecond,
        .most = 5 * kMinute,
        .applies = Applies::OnRestart,
    }),
    bind<&C::auth, &C::Auth::blocklists>({
        .name = "auth.blocklists",
        .fallback = "[]",
        .why = "empty: each list has terms of use of its own, and a judgment that is not ours",
        .doc = "DNS blocklists (RFC 5782) that are asked about the addresses of other servers, as "
               "\"ZONE\" or \"ZONE=WEIGHT\"; the weight is 1 unless said, and may be negative for "
               "lists of the good. The sum speaks for refusing mail that fails DMARC; by itself it "
               "refuses nothing.",
        .applies = Applies::OnRestart,
        .check = check_blocklists,
    }),
    bind<&C::auth, &C::Auth::blocklist_weight>({
        .name = "auth.blocklist_weight",
        .fallback = "1",
        .why = "one list of weight 1 is enough; it only adds to what failed anyway",
        .doc = "From this sum of weights on a client counts as blocklisted (dmarc.speaks_for).",
        .least = 1,
        .most = 1000,
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ spf
    bind<&C::spf, &C::Spf::refuse_fail>({
        .name = "spf.refuse_fail",
        .fallback = "false",
        .why = "forwarding breaks SPF; by itself it says little (RFC 7208 §8.4, RFC 9989 §7.1)",
        .doc = "Refuse mail when SPF says fail for MAIL FROM and the domain has no DMARC policy, "
               "unless something in dmarc.speaks_against does. Otherwise it is delivered, and the "
               "Authentication-Results field says it.",
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ dkim
    bind<&C::dkim, &C::Dkim::max_signatures>({
        .name = "dkim.max_signatures",
        .fallback = "8",
        .why = "lists and forwarders make three or four; each costs a question to the DNS",
        .doc = "How many signatures of one message are looked at, from the top.",
        .least = 1,
        .most = 50,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dkim, &C::Dkim::sign>({
        .name = "dkim.sign",
        .fallback = "true",
        .why = "large receivers refuse or hide mail that nobody answers for",
        .doc = "Sign what leaves for other servers and is from a domain of ours (or below one): "
               "mail of our users and of programs of this machine, bounces, reports. The keys are "
               "made by `hikyaku domain dkim`; each active one makes a signature, RSA's on top. "
               "false: for servers behind another one that signs.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::dkim, &C::Dkim::expiry>({
        .name = "dkim.expiry",
        .fallback = R"("0s")",
        .why = "0s: never; mail waits in queues for days, and is looked at again after years",
        .doc = "How long a signature says that it is valid (x=). It bounds how long a message of "
               "ours can be sent again by others in our name; shorter than the time that mail may "
               "wait in queues, it makes honest mail fail.",
        .least = 0,
        .most = 3650 * kDay,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dkim, &C::Dkim::oversign>({
        .name = "dkim.oversign",
        .fallback = "[]",
        .why = "empty: From, To, Cc, Reply-To, Subject, Date, Message-ID, In-Reply-To, References, "
               "MIME-Version, Content-Type, Content-Transfer-Encoding: what readers are shown",
        .doc = "Header fields that are signed once more than they are there, so that nobody can "
               "add another one behind the signature (RFC 6376 §8.15). The other fields of the "
               "default are then signed as they are, as are the Resent- and List- fields, Sender, "
               "Auto-Submitted and Autocrypt always. Never name fields that mailing lists add.",
        .applies = Applies::OnRestart,
        .check = check_field_names,
    }),
    // ------------------------------------------------------------------ arc
    bind<&C::arc, &C::Arc::seal>({
        .name = "arc.seal",
        .fallback = "true",
        .why = "forwarding breaks SPF and often DKIM: the seal is how the next server learns what "
               "was found out here, and costs a millisecond of mail that leaves again only",
        .doc = "Mail of other servers that an alias sends on to another server gets an ARC set of "
               "ours, made with a DKIM key of the alias' domain (or of the host's), the RSA one if "
               "there are both. Needs auth.check and dkim.sign; mail that failed its checks is "
               "sealed too, and the seal says so.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::arc, &C::Arc::trusted_sealers>({
        .name = "arc.trusted_sealers",
        .fallback = "[]",
        .why = "empty: whoever seals may have written anything; trust is given by name",
        .doc = "Domains whose seals are believed: when the newest hops of a whole ARC chain are "
               "theirs, and one says that DMARC passed for this author, that speaks against "
               "treating the message as a forgery (trusted-arc).",
        .applies = Applies::OnRestart,
        .check = check_domains,
    }),
    // ------------------------------------------------------------------ dmarc
    bind<&C::dmarc, &C::Dmarc::speaks_for>({
        .name = "dmarc.speaks_for",
        .fallback =
            R"(["spf-fail-mail-from", "spf-fail-helo", "no-reverse-name", "blocklisted", "trust-reject"])",
        .why = "RFC 9989 §7.4 forbids refusing for p=reject alone; each of these is a second "
               "witness that honest forwarders seldom give",
        .doc = "What counts for refusing a message that fails DMARC with p=reject: SPF says fail "
               "for MAIL FROM, or for HELO; no name of the client's address leads back to it; "
               "blocklists (auth.blocklists); the domain is in dmarc.trust_reject. With nothing of "
               "it the message goes into Junk. []: nothing is refused for DMARC.",
        .choices = kSpeaksFor,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::speaks_against>({
        .name = "dmarc.speaks_against",
        .fallback = R"(["trusted-arc", "known-list", "known-forwarder", "local-exception"])",
        .why = "each is something that somebody here has named as trustworthy",
        .doc = "What counts against refusing a message that fails DMARC: a chain of "
               "arc.trusted_sealers, dmarc.known_lists, dmarc.known_forwarders, "
               "dmarc.exceptions. It goes into Junk then.",
        .choices = kSpeaksAgainst,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::exempts>({
        .name = "dmarc.exempts",
        .fallback = R"(["local-exception"])",
        .why = "an exception is made on purpose; the others can be had by writing through a list",
        .doc = "What of dmarc.speaks_against lifts the policy altogether: the message is delivered "
               "rather than put into Junk.",
        .choices = kSpeaksAgainst,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::trust_reject>({
        .name = "dmarc.trust_reject",
        .fallback = "[]",
        .why = "empty: only their mail's receivers can know whose people never write to lists",
        .doc = "Domains (with all below them) whose p=reject is taken at its word: banks and the "
               "like that send only from their own machines.",
        .applies = Applies::OnRestart,
        .check = check_domains,
    }),
    bind<&C::dmarc, &C::Dmarc::known_lists>({
        .name = "dmarc.known_lists",
        .fallback = "[]",
        .why = "empty: which lists people here read is theirs to say",
        .doc = "Domains of mailing lists. A message with a List-Id field counts as from the list "
               "when SPF or a signature shows that it comes from such a domain, or one below.",
        .applies = Applies::OnRestart,
        .check = check_domains,
    }),
    bind<&C::dmarc, &C::Dmarc::known_forwarders>({
        .name = "dmarc.known_forwarders",
        .fallback = "[]",
        .why = "empty: where people here have mail forwarded from is theirs to say",
        .doc = "Servers that forward mail to us: domains (of the confirmed name of their address, "
               "of a sender that passes SPF, or of a signature that passes), addresses, or "
               "networks such as \"192.0.2.0/24\".",
        .applies = Applies::OnRestart,
        .check = check_domains_and_networks,
    }),
    bind<&C::dmarc, &C::Dmarc::exceptions>({
        .name = "dmarc.exceptions",
        .fallback = "[]",
        .why = "empty: nobody is above the rules until somebody says so",
        .doc = "Author domains whose policy is not applied, with all below them, and addresses or "
               "networks of servers to which none is applied.",
        .applies = Applies::OnRestart,
        .check = check_domains_and_networks,
    }),
    bind<&C::dmarc, &C::Dmarc::unreadable_author>({
        .name = "dmarc.unreadable_author",
        .fallback = R"("junk")",
        .why = "most of it is a forgery or a broken program, and somebody may still look for it",
        .doc = "What becomes of mail whose From field is missing or is read differently by "
               "different programs, so that nothing can be verified.",
        .choices = kUnreadableAuthor,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::send_reports>({
        .name = "dmarc.send_reports",
        .fallback = "true",
        .why = "RFC 9990 asks receivers for them; a few kilobytes a day for each domain "
               "that wants them",
        .doc = "Send a report a day (RFC 9990) to each domain whose mail came here and whose DMARC "
               "record names an address (rua): who sent as it, and what passed. Addresses and "
               "contents of mail are not in it.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::report_from>({
        .name = "dmarc.report_from",
        .fallback = R"("")",
        .why = "empty: dmarc.report_address at the domain that was added first",
        .doc = "The address that our reports to others come from. Its domain must be ours, so that "
               "they are signed.",
        .applies = Applies::OnRestart,
        .check = check_address,
    }),
    bind<&C::dmarc, &C::Dmarc::report_address>({
        .name = "dmarc.report_address",
        .fallback = R"("dmarc-reports")",
        .why = "a local part at each of our domains: then no other domain has to allow it",
        .doc = "Where other servers send their reports about our domains: the local part, or one "
               "whole address for all domains. Put it into the DMARC records (rua, ruf). It needs "
               "no account: what arrives there is read into `hikyaku reports dmarc`. If an account "
               "or alias has the address, it gets the mail, too.",
        .applies = Applies::OnRestart,
        .check = check_report_address,
    }),
    bind<&C::dmarc, &C::Dmarc::keep_reports>({
        .name = "dmarc.keep_reports",
        .fallback = R"("400d")",
        .why = "a year and a month, to compare with the year before",
        .doc = "How long the reports of others about our domains are kept.",
        .least = kDay,
        .most = 3650 * kDay,
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ submission
    bind<&C::submission, &C::Submission::mechanisms>({
        .name = "submission.mechanisms",
        .fallback = R"(["PLAIN", "LOGIN"])",
        .local_fallback = kAllMechanisms,
        .why = kMechanismsWhy,
        .doc = kMechanismsDoc,
        .choices = kMechanisms,
        .check = check_not_empty,
    }),
    bind<&C::submission, &C::Submission::hide_client_address>({
        .name = "submission.hide_client_address",
        .fallback = "true",
        .why = "where a user is when writing is nobody's business; the story keeps it",
        .doc = "Leave the user's address out of the Received field of submitted mail.",
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ delivery
    bind<&C::delivery, &C::Delivery::recipient_delimiters>({
        .name = "delivery.recipient_delimiters",
        .fallback = R"("+")",
        .why = "what most sites and sign-up forms know",
        .doc = "Mail for user+anything is delivered to user when no account has the longer name. "
               "Each character of this text separates; empty: addresses are taken literally.",
        .applies = Applies::OnRestart,
        .check = check_delimiters,
    }),
    // ------------------------------------------------------------------ queue
    bind<&C::queue, &C::Queue::retry>({
        .name = "queue.retry",
        .fallback = R"(["1m", "5m", "15m", "30m", "1h", "2h", "4h"])",
        .why = "quick at first for greylisting and short failures, then gentle (RFC 5321 §4.5.4.1)",
        .doc = "How long to wait after each failed attempt; the last wait repeats until "
               "queue.lifetime. Each wait is varied by a tenth, so that mail for a server that "
               "came back does not arrive all at once.",
        .least = kSecond,
        .most = kDay,
        .applies = Applies::OnRestart,
        .check = check_not_empty,
    }),
    bind<&C::queue, &C::Queue::lifetime>({
        .name = "queue.lifetime",
        .fallback = R"("5d")",
        .why = "RFC 5321 §4.5.4.1: at least four to five days, to outlast a long weekend",
        .doc = "A message that could not be delivered for so long is returned to its sender.",
        .least = kMinute,
        .most = 30 * kDay,
        .applies = Applies::OnRestart,
    }),
    bind<&C::queue, &C::Queue::delay_notice>({
        .name = "queue.delay_notice",
        .fallback = R"("4h")",
        .why = "soon enough to telephone instead, late enough to be rare",
        .doc = "After so long the sender is told once that the message is still waiting. \"0s\": "
               "never.",
        .least = 0,
        .most = 30 * kDay,
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ transmit
    bind<&C::transmit, &C::Transmit::connections>({
        .name = "transmit.connections",
        .fallback = "200",
        .why = "keeps a fast line busy while staying far from the limit of open files",
        .doc = "Connections to other servers at the same time, all destinations together.",
        .least = 1,
        .most = 10000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::transmit, &C::Transmit::connections_per_destination>({
        .name = "transmit.connections_per_destination",
        .fallback = "5",
        .why = "large providers throttle those who open many more",
        .doc = "Connections to the servers of one domain at the same time. Destinations never wait "
               "for each other.",
        .least = 1,
        .most = 1000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::transmit, &C::Transmit::messages_per_connection>({
        .name = "transmit.messages_per_connection",
        .fallback = "100",
        .why = "the common limit on the other side",
        .doc = "Messages that are sent over one connection before a new one is made.",
        .least = 1,
        .most = 100000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::transmit, &C::Transmit::source_addresses>({
        .name = "transmit.source_addresses",
        .fallback = "[]",
        .why = "empty: the system chooses by its routes",
        .doc = "The addresses from which other servers are called: at most one IPv4 and one IPv6. "
               "A family that is not named is left to the system.",
        .applies = Applies::OnRestart,
        .check = check_sources,
    }),
    bind<&C::transmit, &C::Transmit::mx_port>({
        .name = "transmit.mx_port",
        .fallback = "0",
        .why = "0: port 25, and with server.local 25 + listen.port_base",
        .doc = "The port at which other servers are called. Anything else than 25 is of use only "
               "among instances that try things out.",
        .least = 0,
        .most = 65535,
        .applies = Applies::OnRestart,
    }),
    bind<&C::transmit, &C::Transmit::connect_timeout>({
        .name = "transmit.connect_timeout",
        .fallback = R"("30s")",
        .why = "an address that does not answer in half a minute seldom does; the next is tried",
        .doc = "How long to wait for one address to accept a connection; for "
               "its replies RFC 5321 §4.5.3.2 says it.",
        .least = kSecond,
        .most = 5 * kMinute,
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ dns
    bind<&C::dns, &C::Dns::resolver>({
        .name = "dns.resolver",
        .fallback = "[]",
        .why = "empty: Hikyaku asks the authoritative servers itself, so that no shared resolver's "
               "limits or mistakes count, and validates DNSSEC",
        .doc = "Resolvers to ask instead, as \"ADDRESS\" (port 53) or \"ADDRESS:PORT\".",
        .applies = Applies::OnRestart,
    }),
    bind<&C::dns, &C::Dns::zone_file>({
        .name = "dns.zone_file",
        .fallback = R"("")",
        .why = "the internet's names need none",
        .doc = "Records laid over what the resolver says, in the master file format of RFC 1035: "
               "for names inside a network, for tests. They count as not secured by DNSSEC.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::dns, &C::Dns::trust_anchors>({
        .name = "dns.trust_anchors",
        .fallback = R"("")",
        .why = "empty: the keys of the root zone, which are built in",
        .doc = "A file of DS or DNSKEY records to begin DNSSEC validation from.",
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ imap
    bind<&C::imap, &C::Imap::mechanisms>({
        .name = "imap.mechanisms",
        .fallback = R"(["PLAIN", "LOGIN"])",
        .local_fallback = kAllMechanisms,
        .why = kMechanismsWhy,
        .doc = "The login mechanisms for IMAP; see submission.mechanisms. The LOGIN command is "
               "allowed where PLAIN is.",
        .choices = kMechanisms,
        .check = check_not_empty,
    }),
    bind<&C::imap, &C::Imap::timeout>({
        .name = "imap.timeout",
        .fallback = R"("30m")",
        .why = "RFC 9051 §5.4 asks for 30 minutes at least",
        .doc = "A client that is logged in and silent for so long, also in IDLE, is logged out.",
        .least = kSecond,
        .most = kDay,
    }),
    bind<&C::imap, &C::Imap::login_timeout>({
        .name = "imap.login_timeout",
        .fallback = R"("1m")",
        .why = "enough for a person to type a login by hand; strangers hold no connections",
        .doc = "How long a client may be silent before it has logged in; see also login.timeout.",
        .least = kSecond,
        .most = 30 * kMinute,
    }),
    bind<&C::imap, &C::Imap::command_timeout>({
        .name = "imap.command_timeout",
        .fallback = R"("5m")",
        .why = "64 KB in five minutes are 2 kbit/s",
        .doc = "How long a command may take to come as a whole once it has begun (the messages of "
               "an APPEND get the time on top that they take at 128 bytes a second), and how long "
               "a client may stop taking our answer.",
        .least = kSecond,
        .most = kHour,
    }),
    bind<&C::imap, &C::Imap::max_line>({
        .name = "imap.max_line",
        .fallback = R"("64KB")",
        .why = "clients send sequence sets of tens of kilobytes",
        .doc = "The longest line of a command.",
        .least = 8 * kKB,
        .most = 16 * kMB,
    }),
    bind<&C::imap, &C::Imap::max_literal>({
        .name = "imap.max_literal",
        .fallback = R"("64KB")",
        .why = "names, passwords and search texts are far shorter",
        .doc = "The largest literal that is not a message.",
        .least = 1 * kKB,
        .most = 16 * kMB,
    }),
    bind<&C::imap, &C::Imap::max_command>({
        .name = "imap.max_command",
        .fallback = R"("256KB")",
        .why = "what one session may hold of a command that has not ended",
        .doc = "The longest command with its literals, those of messages not counted.",
        .least = 8 * kKB,
        .most = 64 * kMB,
    }),
    bind<&C::imap, &C::Imap::max_append_size>({
        .name = "imap.max_append_size",
        .fallback = R"("150MB")",
        .why = "the largest messages of mailboxes that move in from large providers",
        .doc = "The largest message that a client may store (APPENDLIMIT, RFC 7889).",
        .least = 64 * kKB,
        .most = 2 * kGB,
    }),
    bind<&C::imap, &C::Imap::max_append_messages>({
        .name = "imap.max_append_messages",
        .fallback = "1000",
        .why = "one transaction takes so many",
        .doc = "Messages in one APPEND (MULTIAPPEND, RFC 3502).",
        .least = 1,
        .most = 1000,
    }),
    bind<&C::imap, &C::Imap::max_errors>({
        .name = "imap.max_errors",
        .fallback = "50",
        .why = "clients try commands to see whether they exist; a program that errs so often is "
               "broken",
        .doc = "After so many commands in a row answered BAD a connection is closed.",
        .least = 3,
        .most = 10000,
    }),
    // ------------------------------------------------------------------ pop3
    bind<&C::pop3, &C::Pop3::mechanisms>({
        .name = "pop3.mechanisms",
        .fallback = R"(["PLAIN", "LOGIN"])",
        .local_fallback =
            R"(["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "APOP"])",
        .why = kMechanismsWhy,
        .doc = "The login mechanisms for POP3; see submission.mechanisms. USER and PASS are "
               "allowed where PLAIN is. APOP, like CRAM-MD5, needs passwords that can be read "
               "back.",
        .choices = kPop3Mechanisms,
        .check = check_not_empty,
    }),
    bind<&C::pop3, &C::Pop3::timeout>({
        .name = "pop3.timeout",
        .fallback = R"("10m")",
        .why = "RFC 1939 §3 asks for 10 minutes at least",
        .doc = "A client that is silent for so long is disconnected; nothing is deleted then. See "
               "also login.timeout.",
        .least = kSecond,
        .most = kDay,
    }),
    bind<&C::pop3, &C::Pop3::max_errors>({
        .name = "pop3.max_errors",
        .fallback = "20",
        .why = "a person at the keyboard may err; a program that errs so often is broken",
        .doc = "After so many commands answered -ERR a connection is closed.",
        .least = 3,
        .most = 10000,
    }),
    bind<&C::pop3, &C::Pop3::lock>({
        .name = "pop3.lock",
        .fallback = "true",
        .why = "RFC 1939 §4 asks for an exclusive lock",
        .doc = "While one client has a maildrop open, a second one gets -ERR [IN-USE]. false: "
               "both may work; each keeps its numbering, and QUIT deletes by id.",
    }),
    // ------------------------------------------------------------------ store
    bind<&C::store, &C::Store::path>({
        .name = "store.path",
        .fallback = R"("")",
        .why = "empty: data/ beside this file, or /var/lib/hikyaku for the system's instance",
        .doc = "The directory of the store. It should be on a disk of this machine.",
        .applies = Applies::OnRestart,
    }),
    bind<&C::store, &C::Store::reserve>({
        .name = "store.reserve",
        .fallback = R"("256MB")",
        .why = "room to delete, to finish the queue and to reclaim, which all need to write",
        .doc = "When less than this is free on the disk, mail is refused for now (452, NO) until "
               "there is space again. Messages can be moved (to Trash) until half of it is used "
               "up, and deleted as long as anything can be written.",
        .least = 16 * kMB,
        .most = 1 * kTB,
        .applies = Applies::OnRestart,
    }),
    bind<&C::store, &C::Store::retention>({
        .name = "store.retention",
        .fallback = R"("7d")",
        .why = "most mistakes are noticed within a week",
        .doc =
            "How long deleted messages stay on disk, where `hikyaku undelete` finds them, before "
            "their space returns.",
        .least = 0,
        .most = 3650 * kDay,
        .applies = Applies::OnRestart,
    }),
    bind<&C::store, &C::Store::history>({
        .name = "store.history",
        .fallback = R"("90d")",
        .why = "long enough for questions of a quarter; some hundred bytes a message",
        .doc = "How long the story of every message is kept, which `hikyaku trace` tells.",
        .least = 0,
        .most = 3650 * kDay,
        .applies = Applies::OnRestart,
    }),
    // ------------------------------------------------------------------ limits
    bind<&C::limits, &C::Limits::connections>({
        .name = "limits.connections",
        .fallback = "10000",
        .why = "an idle connection costs 1 KB, 15 KB with TLS",
        .doc = "Connections at the same time, all protocols together. The limit of open files must "
               "be higher (LimitNOFILE=).",
        .least = 10,
        .most = 1000000,
    }),
    bind<&C::limits, &C::Limits::connections_per_address>({
        .name = "limits.connections_per_address",
        .fallback = "100",
        .why = "an office behind one address, with several connections for each client",
        .doc = "Connections at the same time from one IPv4 address or one IPv6 /64.",
        .least = 1,
        .most = 1000000,
    }),
    bind<&C::limits, &C::Limits::connections_per_account>({
        .name = "limits.connections_per_account",
        .fallback = "100",
        .why = "ten devices with ten connections each",
        .doc = "Connections at the same time that are logged in to one account. The next login is "
               "told to try again later.",
        .least = 1,
        .most = 100000,
    }),
    bind<&C::limits, &C::Limits::local_connections>({
        .name = "limits.local_connections",
        .fallback = "100",
        .why = "a hundred programs that send at the same moment",
        .doc = "Connections at the same time from the programs of one user of this machine, to "
               "the sockets for commands and for handing in mail.",
        .least = 5,
        .most = 100000,
    }),
    // ------------------------------------------------------------------ log
    bind<&C::log, &C::Logging::level>({
        .name = "log.level",
        .fallback = R"("info")",
        .why = "one line for each connection, message and delivery attempt",
        .doc = "The least important lines that are written. debug adds decisions, trace the "
               "protocol's lines without secrets and bodies.",
        .choices = kLogLevels,
        .applies = Applies::OnRestart,
    }),
    bind<&C::log, &C::Logging::format>({
        .name = "log.format",
        .fallback = R"("text")",
        .why = "people and grep read it",
        .doc =
            "text: time, level, then key=value. json: one object a line. Under systemd, text goes "
            "to the journal with every key as a field of its own: journalctl HIKYAKU_USER=….",
        .choices = kLogFormats,
        .applies = Applies::OnRestart,
    }),
};

}  // namespace

std::span<const Section> sections() {
  return kSections;
}

std::span<const Option> options() {
  return kOptions;
}

const Option* find_option(std::string_view name) {
  for (auto& option : kOptions)
    if (option.name == name) return &option;
  return nullptr;
}

}  // namespace hikyaku::config
