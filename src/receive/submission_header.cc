#include "receive/submission_header.h"

#include <algorithm>

#include "dns/name.h"
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

std::vector<std::string> author_domains(std::string_view header, std::size_t limit) {
  std::vector<std::string> domains;
  for (auto& address : mime::parse_address_list(mime::HeaderView(header).value("From"), 100)) {
    auto domain = dns::to_ascii(address.domain);
    if (address.kind != mime::Address::Kind::Mailbox || !domain || domains.size() == limit)
      continue;
    if (std::ranges::find(domains, *domain) == domains.end()) domains.push_back(std::move(*domain));
  }
  return domains;
}

std::string complete_header(std::string_view header, const SubmissionFields& fields) {
  bool has_from = false;
  bool has_date = false;
  bool has_message_id = false;
  auto length = mime::header_length(header);
  auto section = header.substr(0, length);
  auto rest = header.substr(length);
  std::string kept;
  kept.reserve(header.size());
  std::size_t fields_end = 0;
  for (auto& field : mime::HeaderView(section)) {
    fields_end = static_cast<std::size_t>(field.raw.data() + field.raw.size() - section.data());
    if (field.is("Bcc") || field.is("Resent-Bcc") || field.is("Return-Path")) continue;
    has_from |= field.is("From");
    has_date |= field.is("Date");
    has_message_id |= field.is("Message-ID");
    kept += field.raw;
  }
  std::string added;
  if (!has_date) added += "Date: " + mime::format_date(fields.now) + "\r\n";
  if (!has_from) added += "From: <" + fields.from + ">\r\n";
  if (!has_message_id) added += "Message-ID: <" + fields.message_id + ">\r\n";
  std::string separator(section.substr(fields_end));
  // A text without (or behind) a header that no empty line ends.
  if (separator.empty() && (kept.empty() || !rest.empty())) separator = "\r\n";
  return added + kept + separator + std::string(rest);
}

}  // namespace hikyaku::receive
