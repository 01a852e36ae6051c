// Mail from other servers.
#include "config/binding.h"
#include "config/option_tables.h"

namespace hikyaku::config {
namespace {

using C = Config;

constexpr Option kOptions[] = {
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
               "again. Once as many again were put off, each further one counts as an error "
               "(smtp.max_errors).",
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
        .doc = "After so many commands that move no mail (NOOP, RSET, VRFY, HELP, EHLO, BDAT 0), "
               "without "
               "a message accepted between them, a connection is closed with 421.",
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
        .doc = "Header bytes that are looked at when a message comes in. One with a longer header "
               "is refused: its sender could not be checked, and a forged result of our own "
               "checks may stand behind the limit.",
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
};

}  // namespace

std::span<const Option> smtp_options() {
  return kOptions;
}

}  // namespace hikyaku::config
