#include "app/program_mail.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "mime/address.h"
#include "mime/compose.h"
#include "mime/header.h"

namespace hikyaku::app {
namespace {

constexpr std::string_view kAddressFields[] = {
    "From",        "Sender",        "Reply-To",  "To",        "Cc",        "Bcc",
    "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Bcc"};
constexpr std::string_view kRecipientFields[] = {"To", "Cc", "Bcc"};
constexpr std::string_view kResentFields[] = {"Resent-To", "Resent-Cc", "Resent-Bcc"};

bool is_one_of(const mime::Field& field, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](auto name) { return field.is(name); });
}

bool is_incomplete(const mime::Address& address) {
  return address.kind == mime::Address::Kind::Mailbox && address.domain.empty() &&
         !address.local.empty();
}

/// The field with a domain at every address. Others could not answer to "root".
std::string with_domains(const mime::Field& field, const std::vector<mime::Address>& list,
                         std::string_view domain) {
  std::vector<mime::NamedAddress> named;
  for (auto& address : list) {
    if (address.kind == mime::Address::Kind::Mailbox)
      named.push_back({address.display_name(), qualified(address.addr_spec(), domain)});
  }
  return mime::HeaderWriter().addresses(field.name, named).take();
}

bool has_8bit(std::string_view text) {
  return !is_ascii(text);
}

/// Without the line that an mbox puts in front.
std::string_view without_separator(std::string_view begin) {
  if (!begin.starts_with("From ")) return begin;
  auto end = begin.find("\r\n");
  return end == std::string_view::npos ? std::string_view() : begin.substr(end + 2);
}

}  // namespace

std::string LineEnds::feed(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 16);
  while (!bytes.empty()) {
    if (after_cr_) {
      // One line end, whether LF follows or not.
      if (bytes.front() == '\n') bytes.remove_prefix(1);
      after_cr_ = false;
      continue;
    }
    auto end = bytes.find_first_of("\r\n");
    out += bytes.substr(0, end);
    if (end != 0) at_start_ = false;
    if (end == std::string_view::npos) break;
    out += "\r\n";
    at_start_ = true;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
  }
  return out;
}

std::string LineEnds::finish() {
  auto complete = at_start_;
  *this = {};
  return complete ? "" : "\r\n";
}

bool has_whole_header(std::string_view begin, std::size_t searched) {
  return begin.starts_with("\r\n") ||
         begin.find("\r\n\r\n", searched < 3 ? 0 : searched - 3) != std::string_view::npos;
}

bool header_goes_on(std::string_view begin) {
  begin = without_separator(begin);
  // As many lines behind one that is no field may decide whether the header has ended there.
  constexpr auto kDeciding = 30;
  auto whole_lines = begin.rfind('\n') + 1;  // 0, if there are none
  if (whole_lines == 0) return mime::header_length(begin) != 0;
  auto lines = begin.substr(0, whole_lines);
  auto length = mime::header_length(lines);
  if (length == 0) return false;
  return std::ranges::count(lines.substr(length), '\n') < kDeciding;
}

std::string qualified(std::string_view address, std::string_view domain) {
  if (address.empty() || address.contains('@')) return std::string(address);
  return std::string(address) + '@' + std::string(domain);
}

ProgramHeader prepare_header(std::string_view begin, const ProgramSender& sender,
                             std::size_t most) {
  ProgramHeader made;
  auto whole = begin;
  begin = without_separator(begin);
  auto header = begin.substr(0, mime::header_length(begin));
  made.taken = whole.size() - begin.size() + header.size();
  made.has_8bit = has_8bit(header);

  bool has_from = false;
  std::vector<std::string> resent;
  for (auto& field : mime::HeaderView(header)) {
    has_from |= field.is("From");
    if (field.is("Content-Transfer-Encoding"))
      made.has_8bit |= iequals(mime::unfold(field.value), "8bit");
    if (!is_one_of(field, kAddressFields)) {
      made.text += field.raw;
      continue;
    }
    // The beginnings and ends of groups count as members, too.
    auto limit = 3 * most + 1;
    auto list = mime::parse_address_list(field.value, limit);
    bool cut = list.size() >= limit;
    auto into = is_one_of(field, kRecipientFields) ? &made.recipients
                : is_one_of(field, kResentFields)  ? &resent
                                                   : nullptr;
    std::size_t taken = 0;
    for (auto& address : list) {
      if (!into || address.kind != mime::Address::Kind::Mailbox || address.local.empty()) continue;
      if (taken == most) cut = true;
      if (taken++ < most) into->push_back(qualified(address.addr_spec(), sender.domain));
    }
    made.too_many |= into && cut;
    // One that is longer than was looked at stays as it is: nothing of it is left out.
    made.text += !cut && std::ranges::any_of(list, is_incomplete)
                     ? with_domains(field, list, sender.domain)
                     : std::string(field.raw);
  }
  // Somebody sends on what they got: the original recipients have it already (RFC 5322 §3.6.6).
  if (!resent.empty()) made.recipients = std::move(resent);
  if (!has_from)
    made.text =
        mime::HeaderWriter().addresses("From", {{sender.full_name, sender.address}}).take() +
        made.text;
  made.text += "\r\n";
  return made;
}

}  // namespace hikyaku::app
