#include "dsn/parse.h"

#include "base/text.h"
#include "mime/text.h"

namespace hikyaku::dsn {
namespace {

constexpr std::size_t kMaxStatusPart = 1024 * 1024;

bool is_status_part(const mime::Part& part) {
  auto subtype = part.shown_subtype();
  return iequals(part.shown_type(), "message") &&
         (iequals(subtype, "delivery-status") || iequals(subtype, "global-delivery-status"));
}

/// The header of the returned message, if this part carries it.
std::string_view returned_header(const mime::Message& message, const mime::Part& part) {
  if (part.kind == mime::PartKind::Message) {
    if (part.first_child == mime::kNoPart) return {};
    return message.header(message.parts[part.first_child]);
  }
  auto subtype = part.shown_subtype();
  bool headers = iequals(subtype, "rfc822-headers") || iequals(subtype, "global-headers");
  if (!headers || !mime::is_identity(part.encoding)) return {};
  auto body = message.body(part);
  return body.substr(0, mime::header_length(body));
}

/// The place of the first line of `body` that begins with `name`; npos if there is none.
std::size_t find_line(std::string_view body, std::string_view name) {
  for (std::size_t at = 0; at < body.size();) {
    if (istarts_with(body.substr(at), name)) return at;
    auto end = body.find('\n', at);
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return std::string_view::npos;
}

/// Some reports spoil the delimiter in front of the status part, so that its fields stand in the
/// text before it. They are read up to the next delimiter.
DeliveryStatus status_without_part(const mime::Message& message) {
  const auto& root = message.root();
  // Not shown_type: without any delimiter, such a message is shown as the text it is.
  const auto& type = root.media_type;
  bool report = iequals(type.type, "multipart") && iequals(type.subtype, "report");
  if (!report) return {};
  auto body = message.body(root).substr(0, kMaxStatusPart);
  auto begin = find_line(body, "Reporting-MTA:");
  if (begin == std::string_view::npos) begin = find_line(body, "Final-Recipient:");
  if (begin == std::string_view::npos) return {};
  body.remove_prefix(begin);
  return parse_delivery_status(body.substr(0, find_line(body, "--")));
}

}  // namespace

std::optional<ReceivedReport> find_report(const mime::Message& message) {
  ReceivedReport report;
  bool found = false;
  for (const auto& part : message.parts) {
    if (!found && is_status_part(part)) {
      report.status = parse_delivery_status(mime::decoded_body(message, part, kMaxStatusPart));
      found = !report.status.recipients.empty();
    }
    // The returned message stands behind the status (RFC 6522 §3 (c)); parts inside it are not
    // ours.
    if (found && report.original_header.empty())
      report.original_header = returned_header(message, part);
  }
  if (!found) report.status = status_without_part(message);
  if (report.status.recipients.empty()) return std::nullopt;
  auto ids = mime::message_ids(mime::HeaderView(report.original_header).value("Message-ID"), 1);
  if (!ids.empty()) report.original_message_id = ids.front();
  return report;
}

}  // namespace hikyaku::dsn
