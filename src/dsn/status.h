// The delivery-status part of reports from elsewhere (RFC 3464 §2), read as the wild writes it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsn/report.h"
#include "smtp/reply.h"

namespace hikyaku::dsn {

/// "rfc822; a@b", "smtp; 550 no": a type in small letters and a value. Without a semicolon the
/// whole is the value.
struct Typed {
  std::string type;
  std::string value;
  bool operator==(const Typed&) const = default;
};
/// An address loses angle brackets and xtext of type utf-8.
Typed parse_typed(std::string_view text);

/// One recipient as a report tells it. Texts are empty where nothing was told.
struct RecipientStatus {
  Typed original;                ///< Original-Recipient
  Typed final;                   ///< Final-Recipient; if missing, what X-Actual-Recipient or
                                 ///< Original-Recipient say
  std::optional<Action> action;  ///< unset: missing or unknown
  std::optional<smtp::EnhancedStatus> status;
  std::string remote_mta;        ///< host name
  Typed diagnostic;              ///< Diagnostic-Code
  std::string last_attempt;      ///< as given
  std::string will_retry_until;  ///< as given
};

/// The whole part.
struct DeliveryStatus {
  std::string envelope_id;
  std::string reporting_mta;
  std::string arrival;  ///< as given
  std::vector<RecipientStatus> recipients;
};

/// Reads the content of a message/delivery-status or message/global-delivery-status part (transfer
/// encoding removed). At most `most` recipients. Tolerates: recipient fields in the first group,
/// empty lines inside a recipient's group, a status with words behind it or missing (then taken
/// from the diagnostic), no final address.
DeliveryStatus parse_delivery_status(std::string_view body, std::size_t most = 1000);

}  // namespace hikyaku::dsn
