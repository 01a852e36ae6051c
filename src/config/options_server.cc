// The machine, its listeners, TLS and logins.
#include "config/binding.h"
#include "config/option_checks.h"
#include "config/option_tables.h"

namespace hikyaku::config {
namespace {

using C = Config;

constexpr std::string_view kLanguages[] = {"en", "ja"};  // Language

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
        .doc = "How much memory Hikyaku may plan with: 30 % for the index, 15 % for messages on "
               "their way in, 15 % for open mailboxes, 20 % for large messages that are parsed or "
               "searched; the rest is room. What connections hold comes on top: limits.memory.",
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
               "of delay; ja: with the English text below. Whoever has an account here is told in "
               "the account's language, which is this one when `hikyaku account add` is not told "
               "another (--language). Protocol replies and logs are always English.",
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
        .doc = "Added to every port number of the mail services below, also to those that the file "
               "names: with 8000, SMTP is on 8025 and IMAP on 8143. \"ADDRESS:PORT\" and "
               "listen.metrics are taken as they stand.",
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
               "number is opened on 127.0.0.1 only, without listen.port_base; \"ADDRESS:PORT\" "
               "exposes "
               "it elsewhere.",
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
        .doc =
            "After so many failed logins to one account from one network (an IPv4 address, an "
            "IPv6 /64), and ten times as many to any accounts, logins from there are answered "
            "\"try again later\" for the rest of 15 minutes; the latter not to accounts that have "
            "logged in from there within 30 days. The same wrong password again does not count "
            "again. Nobody is locked out by failures from elsewhere. Who is, and letting them in "
            "again: hikyaku throttle list, hikyaku throttle lift.",
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
};

}  // namespace

std::span<const Option> server_options() {
  return kOptions;
}

}  // namespace hikyaku::config
