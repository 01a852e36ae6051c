#include "imap/envelope.h"

#include <array>
#include <optional>
#include <vector>

#include "imap/quote.h"
#include "mime/address.h"

namespace hikyaku::imap {
namespace {

constexpr std::size_t kMaxText = 64 * 1024;
constexpr std::size_t kMaxList = 256 * 1024;
constexpr std::size_t kMaxAddresses = 5000;

/// The fields of an envelope in the order of the response.
enum Slot { kDate, kSubject, kFrom, kSender, kReplyTo, kTo, kCc, kBcc, kInReplyTo, kMessageId };
constexpr std::array<std::string_view, 10> kNames = {"date",        "subject",   "from", "sender",
                                                     "reply-to",    "to",        "cc",   "bcc",
                                                     "in-reply-to", "message-id"};

std::string string(std::string_view text) {
  std::string result;
  append_string(result, text);
  return result;
}

std::string nstring(std::string_view text) {
  return text.empty() ? "NIL" : string(text);
}

std::string address_list(std::string_view value) {
  std::string result;
  for (auto& address : mime::parse_address_list(value.substr(0, kMaxList), kMaxAddresses)) {
    result += result.empty() ? "((" : "(";
    switch (address.kind) {
      case mime::Address::Kind::GroupStart:
        // A group without a name would look like its end.
        result += "NIL NIL " + string(address.name) + " NIL)";
        break;
      case mime::Address::Kind::GroupEnd:
        result += "NIL NIL NIL NIL)";
        break;
      case mime::Address::Kind::Mailbox:
        // A NIL host would begin a group: what is no address has an empty one, as a name alone
        // has an empty mailbox.
        result += nstring(address.name) + ' ' + nstring(address.route) + ' ' +
                  string(address.local) + ' ' + string(address.domain) + ')';
    }
  }
  return result.empty() ? "NIL" : result + ')';
}

}  // namespace

std::string envelope(mime::HeaderView header) {
  std::array<std::optional<std::string_view>, 10> values;
  for (auto& field : header) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (!values[i] && field.is(kNames[i])) values[i] = field.value;
    }
  }
  auto text = [&](Slot slot) -> std::string {
    // A field that is there but empty is "" and not NIL (RFC 9051 §7.5.2).
    return values[slot] ? string(mime::unfold(values[slot]->substr(0, kMaxText))) : "NIL";
  };
  auto addresses = [&](Slot slot) { return address_list(values[slot].value_or("")); };
  auto from = addresses(kFrom);
  auto or_from = [&](Slot slot) {
    auto list = addresses(slot);
    return list == "NIL" ? from : list;
  };
  return '(' + text(kDate) + ' ' + text(kSubject) + ' ' + from + ' ' + or_from(kSender) + ' ' +
         or_from(kReplyTo) + ' ' + addresses(kTo) + ' ' + addresses(kCc) + ' ' + addresses(kBcc) +
         ' ' + text(kInReplyTo) + ' ' + text(kMessageId) + ')';
}

std::string envelope(std::string_view header) {
  return envelope(mime::HeaderView(header));
}

}  // namespace hikyaku::imap
