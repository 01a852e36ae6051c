// The parameters of MAIL FROM and RCPT TO (RFC 5321 §4.1.1.11).
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "smtp/command.h"

namespace hikyaku::smtp {

/// " KEYWORD=value KEYWORD". The reply: 555 for unknown keywords, 501 for bad values and
/// repetitions.
std::expected<MailParameters, Reply> parse_mail_parameters(std::string_view text);
std::expected<RcptParameters, Reply> parse_rcpt_parameters(std::string_view text);

/// NEVER, or a list of SUCCESS, FAILURE, DELAY (RFC 3461 §4.1).
std::optional<Notify> parse_notify(std::string_view value);
std::string to_string(const Notify& notify);

/// An ENVID before xtext (RFC 3461 §4.4): printable ASCII, at most 100 characters as xtext.
std::optional<std::string> check_envid(std::string_view text);

/// "rfc822;Ann+2Bx@example.org" (RFC 3461 §4.2); utf-8;… with \x{…} or UTF-8 (RFC 6533 §3).
std::optional<OriginalRecipient> parse_orcpt(std::string_view value);
/// The same back; `utf8`: the peer speaks SMTPUTF8, so nothing but xtext's own needs escapes.
std::string format_orcpt(const OriginalRecipient& orcpt, bool utf8);

/// xtext (RFC 3461 §4): "+3D" is "=". nullopt if it is none.
std::optional<std::string> decode_xtext(std::string_view text);
std::string encode_xtext(std::string_view text);

}  // namespace hikyaku::smtp
