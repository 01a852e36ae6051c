// Who really sent a message.
#include "config/binding.h"
#include "config/option_checks.h"
#include "config/option_tables.h"

namespace hikyaku::config {
namespace {

using C = Config;

constexpr std::string_view kFailureReports[] = {"off", "minimal", "redacted"};
constexpr std::string_view kUnreadableAuthor[] = {"deliver", "junk", "refuse"};
constexpr std::string_view kSpeaksFor[] = {"spf-fail-mail-from", "spf-fail-helo", "no-reverse-name",
                                           "blocklisted", "trust-reject"};
constexpr std::string_view kSpeaksAgainst[] = {"trusted-arc", "known-list", "known-forwarder",
                                               "local-exception"};

constexpr Option kOptions[] = {
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
        .doc = "How many signatures of one message are looked at: those that can speak for its "
               "author, then from the top.",
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
               "different programs, so that nothing can be verified. Mail in which nobody is "
               "named, as typed by hand (neither From nor Sender nor a Resent field), is "
               "delivered, unless SPF says that it does not come from its MAIL FROM.",
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
    bind<&C::dmarc, &C::Dmarc::failure_reports>({
        .name = "dmarc.failure_reports",
        .fallback = R"("off")",
        .why = "each tells somebody elsewhere of one message to one of our users; most large "
               "receivers send none",
        .doc = "Send a report (RFC 9991) about each message that fails DMARC to the domain that "
               "it claims to be from, when its record asks for that (ruf, fo). No recipient and "
               "nothing of the content, the subject included, is ever in it, and local parts of "
               "addresses are replaced by digests; so is a Message-ID that names a recipient. "
               "minimal: the findings, the author, date and Message-ID; redacted: also the "
               "signatures (without z=), Sender, Reply-To, List-Id, Precedence, the content type "
               "(without names of files) and the sending program. There are none about bounces, "
               "reports and automatic replies.",
        .choices = kFailureReports,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::failure_reports_per_domain>({
        .name = "dmarc.failure_reports_per_domain",
        .fallback = "12",
        .why = "enough to find a fault by; a forger may send thousands an hour",
        .doc = "How many of them the mail servers of one domain get in an hour, each address "
               "counted; about the mail of one domain four times as many leave. What was left out "
               "is counted in the next one (Incidents).",
        .least = 1,
        .most = 100'000,
        .applies = Applies::OnRestart,
    }),
    bind<&C::dmarc, &C::Dmarc::failure_reports_total>({
        .name = "dmarc.failure_reports_total",
        .fallback = "120",
        .why = "the queue is for people's mail",
        .doc = "How many of them leave in an hour in all, each address counted.",
        .least = 1,
        .most = 1'000'000,
        .applies = Applies::OnRestart,
    }),
};

}  // namespace

std::span<const Option> authentication_options() {
  return kOptions;
}

}  // namespace hikyaku::config
