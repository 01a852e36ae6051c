// Writing the messages that Hikyaku makes itself: bounces, notices, reports. Strict output: CRLF,
// lines of at most 76 characters where the content allows, ASCII headers (RFC 5322 §2, RFC 2045).
// Time and randomness are arguments.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace hikyaku::mime {

/// A mailbox to be written: a display name in UTF-8 (or empty) and an addr-spec.
struct NamedAddress {
  std::string name;
  std::string addr_spec;
};

/// Writes header fields one by one. CR, LF and NUL in values become spaces, so that no value can
/// begin a field of its own.
class HeaderWriter {
 public:
  /// Unstructured text in UTF-8 (Subject): encoded words where needed, folded.
  HeaderWriter& text(std::string_view name, std::string_view utf8);
  /// A list of mailboxes, one line each. Nothing for an empty list.
  HeaderWriter& addresses(std::string_view name, const std::vector<NamedAddress>& list);
  HeaderWriter& date(std::string_view name, Time time,
                     std::chrono::minutes offset = std::chrono::minutes(0));
  /// Message-IDs without brackets, one line each (Message-ID, In-Reply-To, References). Nothing for
  /// an empty list.
  HeaderWriter& message_ids(std::string_view name, const std::vector<std::string>& ids);
  /// A structured value that is well-formed already, folded at its spaces.
  HeaderWriter& structured(std::string_view name, std::string_view value);

  const std::string& fields() const& { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// A MIME part: its Content- fields, and its body as it goes onto the wire.
struct ComposedPart {
  std::string header;  ///< fields, each with CRLF; no empty line
  std::string body;
};

/// Text in UTF-8 as text/plain (or another subtype): us-ascii and 7bit when it can be, else utf-8
/// in quoted-printable or base64, whichever is shorter. LF and CRLF are taken as line ends.
ComposedPart compose_text(std::string_view utf8, std::string_view subtype = "plain");

/// The same in ISO-2022-JP and 7bit (RFC 1468), when all of it is in that charset and no line is
/// too long; otherwise as compose_text.
ComposedPart compose_japanese_text(std::string_view utf8);

/// A file: base64, Content-Disposition attachment with its name.
ComposedPart compose_attachment(std::string_view type, std::string_view bytes,
                                std::string_view utf8_file_name);

/// A part whose body is 7-bit or 8-bit text as it stands: message/delivery-status, message/rfc822,
/// text/rfc822-headers. The Content-Transfer-Encoding says which (RFC 2046 §5.2.1 allows messages
/// no other).
ComposedPart compose_verbatim(std::string_view type, std::string_view body);

/// multipart/`subtype` with `parameters` ("report-type=delivery-status", or empty). `unique` makes
/// the boundary: random text of the caller; it is lengthened if it should stand in a part.
ComposedPart compose_multipart(std::string_view subtype, std::string_view parameters,
                               const std::vector<ComposedPart>& parts, std::string_view unique);

/// The message: fields of its own, MIME-Version, those of the part, empty line, body.
std::string compose_message(std::string_view fields, const ComposedPart& part);

/// "20261121230257.UNIQUE@HOST": a Message-ID without brackets (RFC 5322 §3.6.4).
std::string make_message_id(Time now, std::string_view unique, std::string_view host);

}  // namespace hikyaku::mime
