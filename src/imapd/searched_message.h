// What a message says to a SEARCH, from as much of it as has been read. Private to imapd/.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imap/search.h"
#include "mailbox/messages.h"
#include "mime/message.h"
#include "mime/text.h"

namespace hikyaku::imapd {

/// A row alone: for keys of SearchCost::Row.
class SearchedRow : public imap::SearchMessage {
 public:
  /// `row` must outlive it.
  SearchedRow(std::uint32_t number, const mailbox::MessageSummary& row, bool recent)
      : number_(number), row_(row), recent_(recent) {}

  std::uint32_t number() const override { return number_; }
  std::uint32_t uid() const override { return row_.uid; }
  imap::FlagBits system_flags() const override;
  std::uint64_t keyword_bits() const override { return row_.flags >> mailbox::kFirstKeyword; }
  Time internal_date() const override { return row_.received; }
  std::optional<Time> save_date() const override { return std::nullopt; }
  std::uint64_t size() const override { return row_.size; }
  std::uint64_t modseq() const override { return row_.changed; }
  imap::Day sent_day() const override { return {}; }
  std::string_view email_id() const override { return {}; }
  std::string_view thread_id() const override { return {}; }
  bool header_contains(std::string_view, std::string_view) const override { return false; }
  bool any_header_contains(std::string_view) const override { return false; }
  bool body_contains(std::string_view) const override { return false; }

 private:
  std::uint32_t number_;
  const mailbox::MessageSummary& row_;
  bool recent_;
};

/// A message with its record and, once they have been read, its header or bytes.
class SearchedMessage final : public SearchedRow {
 public:
  /// `texts` must outlive it: nothing else is looked for.
  SearchedMessage(std::uint32_t number, const mailbox::MessageSummary& row, bool recent,
                  mailbox::MessageRecord record, const imap::SearchTexts& texts);
  SearchedMessage(const SearchedMessage&) = delete;

  const mailbox::MessageRecord& record() const { return record_; }
  /// The whole header. Without it the fields that the record keeps are all that there is.
  void set_header(std::string header) { header_ = std::move(header); }
  /// The whole message, or its beginning.
  void set_bytes(std::string bytes) { bytes_ = std::move(bytes); }
  /// Gives the memory of header and bytes back, and with them what was found in them.
  void forget();

  std::optional<Time> save_date() const override { return record_.saved; }
  imap::Day sent_day() const override;
  std::string_view email_id() const override { return email_id_; }
  std::string_view thread_id() const override { return thread_id_; }
  bool header_contains(std::string_view name, std::string_view needle) const override;
  bool any_header_contains(std::string_view needle) const override;
  bool body_contains(std::string_view needle) const override;

 private:
  using Found = mime::FoldedTexts::Found;

  std::string_view header() const;
  const mime::Message& message() const;
  void look_in_fields() const;
  Found look_in_headers() const;
  Found look_in_bodies() const;

  mailbox::MessageRecord record_;
  std::string email_id_;
  std::string thread_id_;
  std::string header_;
  std::string bytes_;
  const imap::SearchTexts& texts_;
  // Made when they are asked for, and kept: there may be a thousand keys that ask.
  mutable std::optional<mime::Message> message_;  ///< of bytes_
  mutable std::optional<imap::Day> sent_day_;
  mutable std::map<std::string_view, Found> in_fields_;  ///< empty, or for all of texts_
  mutable std::optional<Found> in_headers_;
  mutable std::optional<Found> in_bodies_;
};

}  // namespace hikyaku::imapd
