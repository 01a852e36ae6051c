// Reports that come in: found in a message and read (RFC 3464, RFC 6522).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dsn/status.h"
#include "mime/message.h"

namespace hikyaku::dsn {

/// A report and what it speaks of.
struct ReceivedReport {
  DeliveryStatus status;
  /// The header section of the returned message, as far as it came back; a view into the report's
  /// bytes, or empty when it was encoded or missing.
  std::string_view original_header;
  /// Its Message-ID without angle brackets; empty if unknown.
  std::string original_message_id;
};

/// The report in a message: its first delivery-status part, whatever the multipart around it calls
/// itself. nullopt if there is none, or none with a recipient. `message` and its bytes must outlive
/// the views.
std::optional<ReceivedReport> find_report(const mime::Message& message);

}  // namespace hikyaku::dsn
