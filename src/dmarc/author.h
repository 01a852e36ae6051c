// The Author Domain: the domain of the address that a reader is shown (RFC 9989 §4.7, RFC 5322
// §3.6.2).
//
// Programs disagree about malformed From fields, and forgers live on it: one program verifies this
// address, another shows that one. So the field is read strictly here, and whatever another program
// may read otherwise is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"

namespace hikyaku::dmarc {

/// Why a From field cannot be relied upon.
enum class AuthorProblem : std::uint8_t {
  Missing,        ///< no From field
  SeveralFields,  ///< two or more From fields (RFC 5322 §3.6 allows one)
  FieldName,   ///< a From field with space before its colon, folded, or with odd bytes in its name
  JunkBefore,  ///< a line that is no field stands before From: some programs end the header there
  Control,     ///< NUL or other control characters, or a bare CR that hides a line
  Empty,       ///< no address at all
  Group,       ///< group syntax
  Route,       ///< a source route inside the angle brackets
  TextAround,  ///< words that are no name, or text after the address
  Comment,     ///< a comment inside or around the address that hides something
  Quoting,     ///< quotes or backslashes that other programs read otherwise
  Direction,   ///< characters by which the address is drawn in another order
  EncodedAddress,  ///< an encoded word in the address, or words that are an address when decoded
  Syntax,          ///< no mailbox by the grammar
  Literal,         ///< an address literal: no domain
  Domain,          ///< the domain is no valid domain name
  TooMany,         ///< more addresses than looked at
  HeaderTooLong,   ///< the header is longer than what was looked at: the caller's finding
};
std::string_view to_string(AuthorProblem problem);
std::optional<AuthorProblem> parse_author_problem(std::string_view name);
const Phrase& explain(AuthorProblem problem);

struct AuthorFinding {
  AuthorProblem problem;
  std::string text;  ///< what stands there, printable; may be empty
};

struct Author {
  /// The domains of the addresses by the strict grammar: A-labels, lower case, each once, in their
  /// order.
  std::vector<std::string> domains;
  /// Domains that another program may show instead; only filled when there are findings.
  std::vector<std::string> other_domains;
  std::vector<std::string> addresses;  ///< as they stand there, for people, printable
  /// What programs take for addresses too that decode encoded words before they parse; while there
  /// are no findings, all within `domains`.
  std::vector<std::string> decoded_addresses;
  /// Whatever another program may take for an address; only filled when there are findings. When
  /// there is more than looked at, one of them is TooMany.
  std::vector<std::string> other_addresses;
  std::vector<AuthorFinding> findings;
  /// Another program may read what nobody here can: an encoded word in a charset that is not known.
  /// There is a finding then, too.
  bool unclear = false;
  /// The display name looks like an address of another domain: allowed, and worth a word.
  std::string name_like_address;

  /// True if every program reads the same.
  bool is_plain() const { return findings.empty(); }
};

struct AuthorLimits {
  std::size_t value_bytes = 64 * 1024;  ///< of one From field
  std::size_t addresses = 100;
  std::size_t domains = 8;  ///< distinct ones; also of other_domains
};

/// Reads the header section of a message (mime::header_length tells where it ends).
Author find_author(std::string_view header, const AuthorLimits& limits = {});
/// One From field's value.
Author read_author(std::string_view value, const AuthorLimits& limits = {});

}  // namespace hikyaku::dmarc
