// The fields that a server puts in front of what it takes: Received (RFC 5321 §4.4, RFC 3848) and
// those of final delivery.
#pragma once

#include <optional>
#include <string>

#include "base/ip.h"
#include "base/time.h"
#include "smtp/path.h"

namespace hikyaku::smtp {

/// What a Received field tells.
struct ReceivedField {
  std::string hello;              ///< as the client said it
  std::string reverse_name;       ///< of the client's address, when it was confirmed; may be empty
  std::optional<IpAddress> from;  ///< unset: the client is not told about (our users' privacy)
  std::string by;                 ///< our host name
  std::string with;               ///< with_protocol() of rules.h
  std::string tls;                ///< such as "TLSv1.3 TLS_AES_128_GCM_SHA256"; may be empty
  std::string id;                 ///< by which trace finds the message
  std::optional<Mailbox> recipient;  ///< only when there is one alone: the others are nobody's
                                     ///< business
  bool utf8 = false;                 ///< the message was sent with SMTPUTF8
  Time when;
};

/// The field, folded, with CRLF at its end. Whatever a client said is made harmless.
std::string format_received(const ReceivedField& field);

/// "Return-Path: <a@b>" CRLF (RFC 5321 §4.4): at final delivery, exactly once.
std::string format_return_path(const ReversePath& from);

/// "Delivered-To: a@b" CRLF (RFC 9228): at final delivery and when an alias sends a message on, so
/// that a circle is seen. `address`: checked by whoever made it.
std::string format_delivered_to(std::string_view address);

/// "Sat, 21 Nov 2026 22:44:10 +0000" (RFC 5322 §3.3), always UTC.
std::string format_message_date(Time when);

}  // namespace hikyaku::smtp
