#include "receive/submission_header.h"

#include "mime/address.h"
#include "mime/date.h"
#include "mime/header.h"

namespace hikyaku::receive {

std::vector<std::string> author_addresses(std::string_view header) {
  std::vector<std::string> addresses;
  for (auto& field : mime::HeaderView(header)) {
    if (!field.is("From") && !field.is("Sender")) continue;
    for (auto& address : mime::parse_address_list(field.value, 100)) {
      if (address.kind == mime::Address::Kind::Mailbox) addresses.push_back(address.addr_spec());
    }
  }
  return addresses;
}

std::string complete_header(std::string_view header, const SubmissionFields& fields) {
  bool has_from = false;
  bool has_date = false;
  bool has_message_id = false;
  std::string kept;
  kept.reserve(header.size());
  std::size_t fields_end = 0;
  for (auto& field : mime::HeaderView(header)) {
    fields_end = static_cast<std::size_t>(field.raw.data() + field.raw.size() - header.data());
    if (field.is("Bcc") || field.is("Return-Path")) continue;
    has_from |= field.is("From");
    has_date |= field.is("Date");
    has_message_id |= field.is("Message-ID");
    kept += field.raw;
  }
  std::string added;
  if (!has_date) added += "Date: " + mime::format_date(fields.now) + "\r\n";
  if (!has_from) added += "From: <" + fields.from + ">\r\n";
  if (!has_message_id) added += "Message-ID: <" + fields.message_id + ">\r\n";
  auto rest = header.substr(fields_end);
  // A text without any header: the fields that we add need the empty line behind them.
  if (kept.empty() && rest.empty()) rest = "\r\n";
  return added + kept + std::string(rest);
}

}  // namespace hikyaku::receive
