// Access to mailboxes, the store, limits, the log.
#include "config/binding.h"
#include "config/option_checks.h"
#include "config/option_tables.h"

namespace hikyaku::config {
namespace {

using C = Config;

constexpr std::string_view kLogLevels[] = {"error", "warn", "info", "debug", "trace"};  // LogLevel
constexpr std::string_view kLogFormats[] = {"text", "json"};                            // LogFormat
constexpr std::string_view kPop3Mechanisms[] = {"PLAIN",       "LOGIN",    "SCRAM-SHA-256",
                                                "SCRAM-SHA-1", "CRAM-MD5", "APOP"};

constexpr Option kOptions[] = {
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
    bind<&C::store, &C::Store::scrub_every>({
        .name = "store.scrub_every",
        .fallback = R"("30d")",
        .why = "disks turn over bits in years; a month leaves time to mend it from backups, which "
               "are rarely kept for less, and reads a terabyte with 400 KB/s",
        .doc = "How often all mail and the index are read through, also what nobody asks for, so "
               "that damage is told (as by `hikyaku check` and /health) while there is a backup "
               "that is whole. It goes on slowly beside all else: as fast as this time asks for, "
               "at least 4 MB/s (a small store is done soon, and rests until the next time), at "
               "most a fifth of the disk's time. 0s: never.",
        .least = 0,
        .most = 3650 * kDay,
    }),
    // ------------------------------------------------------------------ limits
    bind<&C::limits, &C::Limits::connections>({
        .name = "limits.connections",
        .fallback = "10000",
        .why = "an idle connection costs 15 KB, 30 KB with TLS",
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
        .doc = "How many programs of one user of this machine are served at the same time at the "
               "sockets for commands and for handing in mail. More wait for their turn, up to "
               "twenty seconds; ten times as many may be connected.",
        .least = 5,
        .most = 100000,
    }),
    bind<&C::limits, &C::Limits::memory>({
        .name = "limits.memory",
        .fallback = "0",
        .why = "0: half of the machine's memory, or of the cgroup's limit; a quarter is what "
               "server.memory plans with, and the rest for peaks and the page cache",
        .doc =
            "What all connections together may make the server hold: their buffers, commands, "
            "envelopes, headers and answers under way; TLS is estimated. When so much is held, "
            "new connections are told to try again later. From three quarters on, those give way "
            "that have not logged in: of the address that holds most, and those that say "
            "nothing; and an address may have eight connections, those of its users who have "
            "logged in among them (a house behind one address notices: then this is too little "
            "for those who use the server). From seven eighths on also those are ended that hold "
            "more than their part (and more than 64 KB).",
        .least = 0,
        .most = 4 * kTB,
        .check = [](const Value& value) -> std::string {
          auto size = std::get<Bytes>(value);
          return size.count != 0 && size.count < 1 * kMB ? "it is 0 or at least 1MB" : "";
        },
    }),
    bind<&C::limits, &C::Limits::memory_per_connection>({
        .name = "limits.memory_per_connection",
        .fallback = R"("16MB")",
        .why = "the largest thing that clients do, to have a search find a million messages, takes "
               "8 MB",
        .doc =
            "The same for one connection. One that holds more is ended, with words that say so. "
            "A POP3 session holds 8.25 bytes for each message of the inbox: 16MB are enough for "
            "1.9 million. Who has more is refused the login, with -ERR [SYS/PERM], and can use "
            "IMAP, whose sessions share one list. While an IMAP client does not read its answers "
            "and others change the mailbox, the older list is kept for it alone: that counts "
            "among the memory of all (limits.memory), and not here.",
        .least = 64 * kKB,
        .most = 4 * kGB,
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

std::span<const Option> mailbox_options() {
  return kOptions;
}

}  // namespace hikyaku::config
