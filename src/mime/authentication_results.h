// The Authentication-Results field (RFC 8601): what a server found out about a message, for those
// who read it later.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mime/header.h"

namespace hikyaku::mime {

/// "header.d=example.org"
struct AuthenticationProperty {
  std::string type;   ///< "smtp", "header", "body", "policy"; small letters when read
  std::string name;   ///< "mailfrom", "d"; small letters when read
  std::string value;  ///< without quotes
  bool operator==(const AuthenticationProperty&) const = default;
};

/// "dkim=pass (2048-bit key) reason=\"…\" header.d=example.org"
struct AuthenticationMethod {
  std::string name;    ///< "spf", "dkim", "dmarc", "arc", "iprev", "auth"; small letters when read
  std::string result;  ///< "pass"; small letters when read
  std::string reason = {};
  std::string comment = {};  ///< the first comment behind the result, for people
  std::vector<AuthenticationProperty> properties = {};
  unsigned version = 1;
  bool operator==(const AuthenticationMethod&) const = default;

  /// The first property of this type and name, or an empty text.
  std::string_view property(std::string_view type, std::string_view property_name) const;
};

struct AuthenticationResults {
  std::string authserv_id;                         ///< who says so
  std::vector<AuthenticationMethod> methods = {};  ///< none: "none", nothing was tried
  unsigned version = 1;
  bool operator==(const AuthenticationResults&) const = default;

  /// The first method of this name, or null.
  const AuthenticationMethod* find(std::string_view method) const;
};

struct AuthenticationResultsLimits {
  std::size_t bytes = 32 * 1024;
  std::size_t methods = 100;
  std::size_t properties = 50;  ///< of one method
};

/// Reads the field's value. Comments and folds are passed over wherever they are allowed. Invalid,
/// with the reason, for what the grammar of RFC 8601 §2.2 does not allow; values that lack quotes
/// they should have are taken, as they are common. TooLarge beyond the limits.
Result<AuthenticationResults> parse_authentication_results(std::string_view value,
                                                           AuthenticationResultsLimits limits = {});

/// The field's value, each method on a line of its own, without a line end behind. Values are
/// quoted where they must be; what may not stand in a field at all becomes "?"; values longer than
/// 255 bytes are cut.
std::string write_authentication_results(const AuthenticationResults& results);

/// True if a field with this value claims to be from `authserv_id` (any case), also to a reader who
/// takes blanks, controls, comments, quotes and semicolons lightly, or decodes encoded words and
/// Unicode's other forms of the name first: any mention in the first part that is neither empty nor
/// an instance ("i=1").
bool claims_authserv_id(std::string_view value, std::string_view authserv_id);

/// True if a lenient reader may take this, a field or a line that is none for us, for an
/// Authentication-Results field of `authserv_id`.
bool is_claimed_results(const Field& field, std::string_view authserv_id);

}  // namespace hikyaku::mime
