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
                                 bool recent, mailbox::MessageRecord record,
                                 const imap::SearchTexts& texts)
    : SearchedRow(number, row, recent),
      record_(std::move(record)),
      email_id_(email_object_id(record_.email)),
      thread_id_(thread_object_id(record_.thread)),
      texts_(texts) {}

void SearchedMessage::forget() {
  message_.reset();
  sent_day_.reset();
  in_fields_.clear();
  in_headers_.reset();
  in_bodies_.reset();
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
  if (!sent_day_) {
    auto date = mime::parse_date(mime::HeaderView(header()).value("Date"));
    sent_day_ = date ? imap::Day(date->local_day()) : imap::day_of(internal_date());
  }
  return *sent_day_;
}

void SearchedMessage::look_in_fields() const {
  for (auto& [name, texts] : texts_.fields) in_fields_.emplace(name, texts);
  for (auto& field : mime::HeaderView(header())) {
    if (field.is_junk()) continue;
    auto found = in_fields_.find(to_lower(field.name));
    if (found != in_fields_.end()) found->second.look_in(mime::field_text(field));
  }
}

SearchedMessage::Found SearchedMessage::look_in_headers() const {
  Found found(texts_.headers);
  for (auto& part : message().parts)
    for (auto& field : message().fields(part))
      if (found.look_in(std::string(field.name) + ": " + mime::field_text(field))) return found;
  return found;
}

SearchedMessage::Found SearchedMessage::look_in_bodies() const {
  Found found(texts_.bodies);
  mime::look_in_bodies(message(), found);
  return found;
}

bool SearchedMessage::header_contains(std::string_view name, std::string_view needle) const {
  if (in_fields_.empty()) look_in_fields();
  auto found = in_fields_.find(to_lower(name));
  return found != in_fields_.end() && found->second.contains(needle);
}

bool SearchedMessage::any_header_contains(std::string_view needle) const {
  if (!in_headers_) in_headers_ = look_in_headers();
  return in_headers_->contains(needle);
}

bool SearchedMessage::body_contains(std::string_view needle) const {
  if (!in_bodies_) in_bodies_ = look_in_bodies();
  return in_bodies_->contains(needle);
}

}  // namespace hikyaku::imapd
