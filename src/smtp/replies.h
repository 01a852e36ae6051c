// Every reply that our servers give on their own account, by name. Refusals tell the remedy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "smtp/data.h"
#include "smtp/reply.h"

namespace hikyaku::smtp::replies {

// The course of a session.
Reply greeting(std::string_view host_name);
Reply ok();
Reply sender_ok();
Reply recipient_ok();
Reply start_data();  ///< 354
Reply chunk_ok(std::uint64_t octets);
Reply accepted(
    std::string_view id);  ///< 250 after the end of data; `id` as the trace command knows it
Reply ready_for_tls();
Reply logged_in();
Reply auth_challenge(std::string_view base64);  ///< 334
Reply bye(std::string_view host_name);
Reply cannot_verify();  ///< VRFY: 252
Reply no_expansion();   ///< EXPN
Reply help();

// The connection ends (421, 554 as greeting).
Reply shutting_down(std::string_view host_name);
Reply kicked(std::string_view host_name);         ///< whoever runs the server ends the session
Reply login_revoked(std::string_view host_name);  ///< account or password are gone since
Reply timed_out(std::string_view host_name);
Reply too_many_errors(std::string_view host_name);
Reply too_much_junk(std::string_view host_name);
Reply too_many_connections(std::string_view host_name);
Reply busy(std::string_view host_name);             ///< 421 in place of a greeting
Reply too_much_memory(std::string_view host_name);  ///< 421: what this connection makes us keep
Reply foreign_protocol();
Reply endless_line();
Reply internal_error();  ///< 451: a defect of ours

// The line is wrong (500, 501, 555).
Reply bare_cr_or_lf_in_command();
Reply nul_in_command();
Reply line_too_long();
Reply auth_line_too_long();
Reply unknown_command(std::string_view verb);
Reply obsolete_command(std::string_view verb);
Reply not_implemented(std::string_view verb);
Reply takes_no_argument(std::string_view verb);
Reply helo_without_brackets(std::string_view verb);
Reply helo_syntax(std::string_view verb);
Reply mail_syntax();
Reply mail_needs_brackets();
Reply rcpt_syntax();
Reply rcpt_needs_brackets();
Reply bdat_syntax();
Reply auth_syntax();
Reply vrfy_syntax(std::string_view verb);
Reply bad_sender(const Error& why);     ///< 501 5.1.7; 553 5.6.7 when it needs SMTPUTF8
Reply bad_recipient(const Error& why);  ///< 501 5.1.3; likewise
Reply unknown_parameter(std::string_view name, std::string_view command);
Reply repeated_parameter(std::string_view name);
Reply bad_parameter(std::string_view name, std::string_view right_form);
Reply parameter_not_offered(std::string_view what);

// The order is wrong (503), or something must come first (530, 538).
Reply hello_first();
Reply nested_mail();
Reply mail_first();
Reply rcpt_first();
Reply no_valid_recipients();  ///< DATA after nothing but refused recipients
Reply no_recipients_now();    ///< the same when one of them may be taken later
Reply not_between_chunks(std::string_view verb);
Reply bdat_for_binary();
Reply transaction_failed();
Reply not_in_transaction(std::string_view verb);
Reply already_tls();
Reply tls_first();
Reply tls_and_login_first();
Reply login_first();
Reply already_logged_in();
Reply auth_not_offered();
Reply auth_needs_tls();
Reply auth_unknown_mechanism(std::string_view offered);
Reply auth_cancelled();
Reply auth_bad_base64();
Reply auth_failed();
Reply auth_throttled();
Reply auth_unavailable();
Reply auth_crowded();
Reply needs_smtputf8(bool sender);

// Policy and limits.
Reply relaying_denied();
Reply unknown_recipient(std::string_view address);
Reply too_many_recipients(std::size_t limit);
Reply too_large(std::uint64_t limit);  ///< 552 5.3.4
Reply no_space();
Reply queue_full();
/// Of those about our domains, in one day.
Reply too_many_reports();
Reply mailbox_full(std::string_view address);
/// 451 4.3.0: nobody can say now who is one of ours.
Reply mailboxes_unavailable();
/// 452 at the end of the data: others could have the message, this recipient could not any more,
/// and nobody could be told.
Reply would_be_left_out(std::string_view address);
/// To content with this problem; `limit`: of its size.
Reply content_refused(DataProblem problem, std::uint64_t limit);
/// The first line of the header is a continuation of nothing (RFC 5322 2.2.3).
Reply header_begins_folded();
Reply mail_loop();
/// 554 5.4.6: the message was here before for this address.
Reply forwarding_loop(std::string_view address);

}  // namespace hikyaku::smtp::replies
