#include "imapd/searched_message.h"

#include "base/text.h"
#include "imapd/extensions.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/text.h"

namespace hikyaku::imapd {

imap::FlagBits SearchedRow::system_flags() const {
  auto flags = static_cast<imap::FlagBits>(row_.flags & imap::kSettableFlags);
  if (recent_) flags |= imap::bit(imap::Flag::Recent);
  return flags;
}

SearchedMessage::SearchedMessage(std::uint32_t number, const mailbox::MessageSummary& row,
                                 bool recent, mailbox::MessageRecord record)
    : SearchedRow(number, row, recent),
      record_(std::move(record)),
      email_id_(email_object_id(record_.email)),
      thread_id_(thread_object_id(record_.thread)) {}

void SearchedMessage::forget() {
  message_.reset();
  // An assignment would keep the memory: a search has many messages.
  std::string().swap(header_);
  std::string().swap(bytes_);
}

std::string_view SearchedMessage::header() const {
  if (!bytes_.empty()) return message().header(message().root());
  return header_.empty() ? std::string_view(record_.digest.header_fields) : header_;
}

const mime::Message& SearchedMessage::message() const {
  if (!message_) message_ = mime::parse_message(bytes_);
  return *message_;
}

imap::Day SearchedMessage::sent_day() const {
  if (auto date = mime::parse_date(mime::HeaderView(header()).value("Date")))
    return imap::Day(date->local_day());
  return imap::day_of(internal_date());
}

bool SearchedMessage::header_contains(std::string_view name, std::string_view needle) const {
  for (auto& field : mime::HeaderView(header())) {
    if (!field.is_junk() && field.is(name) &&
        mime::contains_folded(mime::field_text(field), needle))
      return true;
  }
  return false;
}

bool SearchedMessage::any_header_contains(std::string_view needle) const {
  for (auto& field : mime::HeaderView(header())) {
    auto text = std::string(field.name) + ": " + mime::field_text(field);
    if (mime::contains_folded(text, needle)) return true;
  }
  return false;
}

bool SearchedMessage::body_contains(std::string_view needle) const {
  return mime::search_message(message(), needle, false);
}

}  // namespace hikyaku::imapd
