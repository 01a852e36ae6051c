// What our users' mail gets before it is stored (RFC 6409 §8): mail clients forget fields, and Bcc
// is not for others.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "dmarc/author.h"

namespace hikyaku::receive {

/// What is added where the header lacks it.
struct SubmissionFields {
  std::string from;  ///< address of the user who logged in
  Time now;
  std::string message_id;  ///< without angle brackets
};

/// Who a message claims to be from, by all its From fields (and Sender, if there is one).
struct ClaimedAuthors {
  /// Every address that our IMAP server or any other program may show, as addr-specs.
  std::vector<std::string> addresses;
  /// Why nobody can say who else may be shown: too many of them, or a From field that some programs
  /// see and some do not.
  std::optional<dmarc::AuthorProblem> problem;
};
ClaimedAuthors claimed_authors(std::string_view header);
/// The domains of the From field, as A-labels, each once, at most `limit`.
std::vector<std::string> author_domains(std::string_view header, std::size_t limit);

/// `header` (CRLF lines, with the empty line that ends it if the message has a body) without Bcc,
/// Resent-Bcc and Return-Path fields and with Date, Message-ID and From where they are missing.
/// Everything else stays byte by byte.
std::string complete_header(std::string_view header, const SubmissionFields& fields);

}  // namespace hikyaku::receive
