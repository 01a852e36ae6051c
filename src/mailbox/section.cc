#include "mailbox/section.h"

#include <algorithm>

#include "mailbox/digest.h"
#include "mime/header.h"

namespace hikyaku::mailbox {

namespace {

using Text = imap::Section::Text;

SectionBytes literal(std::string text, const std::optional<imap::Partial>& partial) {
  if (partial) {
    auto kept = mime::partial({0, text.size()}, partial->offset, partial->length);
    text = text.substr(kept.offset, kept.size);
  }
  SectionBytes bytes;
  bytes.size = text.size();
  if (!text.empty())
    bytes.pieces.push_back({Piece::From::Literal, 0, text.size(), std::move(text)});
  return bytes;
}

std::string selected(std::string_view header, const imap::Section& section) {
  return mime::select_fields(
      header, section.fields,
      section.text == Text::HeaderFields ? mime::Select::Named : mime::Select::Others);
}

}  // namespace

Sections::Sections(const MessageRecord& record) : record_(record) {
  auto digest = mime::Digest::decode(record.digest.parts);
  if (!digest) return;
  digest_ = digest->with_prefix(record.prefix.size());
  good_ = true;
}

SectionBytes Sections::bytes(mime::Range range) const {
  // Offsets come from stored bytes: never beyond the message.
  auto end = std::min(range.end(), record_.size);
  auto begin = std::min(range.offset, end);
  auto prefix = record_.prefix.size();
  SectionBytes bytes;
  bytes.size = end - begin;
  if (begin < std::min<std::uint64_t>(prefix, end))
    bytes.pieces.push_back(
        {Piece::From::Prefix, begin, std::min<std::uint64_t>(prefix, end) - begin, {}});
  if (end > prefix) {
    auto from = std::max<std::uint64_t>(begin, prefix);
    if (end > from) bytes.pieces.push_back({Piece::From::Body, from - prefix, end - from, {}});
  }
  return bytes;
}

mime::Range Sections::header() const {
  return good_ ? digest_.parts().front().header() : mime::Range{};
}

std::optional<SectionBytes> Sections::find(const imap::BodyItem& item) const {
  imap::Section section;
  switch (item.form) {
    case imap::BodyItem::Form::Rfc822:
      return find(section, item.partial);
    case imap::BodyItem::Form::Rfc822Header:
      section.text = Text::Header;
      return find(section, item.partial);
    case imap::BodyItem::Form::Rfc822Text:
      section.text = Text::Text;
      return find(section, item.partial);
    case imap::BodyItem::Form::Body:
      return find(item.section, item.partial);
    case imap::BodyItem::Form::Binary:
    case imap::BodyItem::Form::BinarySize:
      // The partial counts decoded octets (RFC 3516 §4.2): it is the reader's to apply.
      return find(item.section, std::nullopt);
  }
  return std::nullopt;
}

std::optional<SectionBytes> Sections::find(const imap::Section& section,
                                           const std::optional<imap::Partial>& partial) const {
  if (!good_) return std::nullopt;
  bool selects = section.text == Text::HeaderFields || section.text == Text::HeaderFieldsNot;
  // What lists of messages ask for is in the record.
  if (section.text == Text::HeaderFields && section.part.empty() &&
      std::all_of(section.fields.begin(), section.fields.end(), [&](const std::string& name) {
        return keeps_field(record_.digest.header_set, name);
      }))
    return literal(selected(record_.digest.header_fields, section), partial);

  auto range = digest_.find(imap::digest_section(section));
  if (!range) return std::nullopt;
  if (partial && !selects) *range = mime::partial(*range, partial->offset, partial->length);
  auto found = bytes(*range);
  found.to_select = selects;
  if (const auto* part = digest_.find_part(section.part)) found.encoding = part->encoding;
  return found;
}

SectionBytes Sections::select(std::string_view header, const imap::Section& section,
                              const std::optional<imap::Partial>& partial) {
  return literal(selected(header, section), partial);
}

}  // namespace hikyaku::mailbox
