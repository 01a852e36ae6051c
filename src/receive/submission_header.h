// What our users' mail gets before it is stored (RFC 6409 §8): mail clients forget fields, and Bcc
// is not for others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hikyaku::receive {

/// What is added where the header lacks it.
struct SubmissionFields {
  std::string from;  ///< address of the user who logged in
  Time now;
  std::string message_id;  ///< without angle brackets
};

/// The addresses of all From fields (and Sender, if there is one), as addr-specs: who the message
/// claims to be from.
std::vector<std::string> author_addresses(std::string_view header);
/// The domains of the From field, as A-labels, each once, at most `limit`.
std::vector<std::string> author_domains(std::string_view header, std::size_t limit);

/// `header` (CRLF lines, with the empty line that ends it if the message has a body) without Bcc,
/// Resent-Bcc and Return-Path fields and with Date, Message-ID and From where they are missing.
/// Everything else stays byte by byte.
std::string complete_header(std::string_view header, const SubmissionFields& fields);

}  // namespace hikyaku::receive
