// Mail of users, and its way out.
#include "config/binding.h"
#include "config/option_checks.h"
#include "config/option_tables.h"

namespace hikyaku::config {
namespace {

using C = Config;

constexpr std::string_view kMechanismsDoc =
    "The login mechanisms that are offered. PLAIN and LOGIN send the password itself and are "
    "offered under TLS only (see login.plaintext_on_loopback). SCRAM-SHA-256 and SCRAM-SHA-1 never "
    "send it and bind to the TLS connection with their -PLUS forms, which are offered with them. "
    "CRAM-MD5 needs passwords that can be read back, which are stored encrypted. A mechanism that "
    "is switched on works for an account from its next password change or login by PLAIN on.";

constexpr Option kOptions[] = {
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
    bind<&C::queue, &C::Queue::max_recipients>({
        .name = "queue.max_recipients",
        .fallback = "1000000",
        .why = "a newsletter to a million; each takes about 1 KB of the index",
        .doc =
            "Recipients that wait in the queue, held ones and bounces that cannot leave "
            "included. When there are so many, mail for other servers is put off with 452 4.3.1, "
            "at RCPT; mail for mailboxes here goes on, and bounces are always taken.",
        .least = 1,
        .most = 100'000'000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::queue, &C::Queue::max_bytes>({
        .name = "queue.max_bytes",
        .fallback = R"("20GB")",
        .why = "days of a busy server's mail to others; the disk has store.reserve besides",
        .doc = "The size of all messages in the queue, each counted once whatever its recipients; "
               "see queue.max_recipients.",
        .least = 1 * kMB,
        .most = 1000 * kTB,
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
};

}  // namespace

std::span<const Option> transfer_options() {
  return kOptions;
}

}  // namespace hikyaku::config
