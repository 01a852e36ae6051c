#include "receive/submission_header.h"

#include <algorithm>

#include "dns/name.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/header.h"

namespace hikyaku::receive {

namespace {

/// People write as one, sometimes as two. (RFC 5322 §3.6.2 has no limit.)
constexpr std::size_t kMostAuthors = 100;
/// Members of a list that are looked at: groups count too.
constexpr std::size_t kMostMembers = 1000;

bool hides_authors(dmarc::AuthorProblem problem) {
  return problem == dmarc::AuthorProblem::TooMany || problem == dmarc::AuthorProblem::Control ||
         problem == dmarc::AuthorProblem::FieldName || problem == dmarc::AuthorProblem::Direction;
}

class AuthorCollector {
 public:
  void look_at(const dmarc::Author& author) {
    for (auto& finding : author.findings)
      if (hides_authors(finding.problem) && !found_.problem) found_.problem = finding.problem;
    if (author.unclear && !found_.problem) found_.problem = dmarc::AuthorProblem::EncodedAddress;
    for (auto& address : author.decoded_addresses) add(address);
    for (auto& address : author.other_addresses) add(address);
  }

  /// As mail clients read it, forgiving; and whatever else stands in a value that is not plain.
  void add_value(std::string_view value) {
    auto members = mime::parse_address_list(value, kMostMembers);
    if (members.size() == kMostMembers) found_.problem = dmarc::AuthorProblem::TooMany;
    for (auto& member : members)
      if (member.kind == mime::Address::Kind::Mailbox) add(member.addr_spec());
    if (!mime::unfold(value).empty()) look_at(dmarc::read_author(value));
  }

  ClaimedAuthors take() {
    if (found_.addresses.size() > kMostAuthors) found_.problem = dmarc::AuthorProblem::TooMany;
    return std::move(found_);
  }

 private:
  void add(std::string address) {
    auto& list = found_.addresses;
    if (list.size() <= kMostAuthors && std::ranges::find(list, address) == list.end())
      list.push_back(std::move(address));
  }

  ClaimedAuthors found_;
};

}  // namespace

ClaimedAuthors claimed_authors(std::string_view header) {
  AuthorCollector collector;
  for (auto& field : mime::HeaderView(header))
    if (field.is("From") || field.is("Sender")) collector.add_value(field.value);
  collector.look_at(dmarc::find_author(header));
  return collector.take();
}

std::vector<std::string> author_domains(std::string_view header, std::size_t limit) {
  std::vector<std::string> domains;
  for (auto& address :
       mime::parse_address_list(mime::HeaderView(header).value("From"), kMostMembers)) {
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
