#include "imap/fetch.h"

#include <algorithm>

#include "imap/characters.h"
#include "imap/quote.h"

namespace hikyaku::imap {
namespace {

void append_section(std::string& out, const Section& section) {
  out += '[';
  bool dot = false;
  for (auto number : section.part) {
    if (dot) out += '.';
    dot = true;
    out += std::to_string(number);
  }
  auto word = [&](std::string_view text) {
    if (dot) out += '.';
    out += text;
  };
  switch (section.text) {
    case Section::Text::Whole:
      break;
    case Section::Text::Header:
      word("HEADER");
      break;
    case Section::Text::Text:
      word("TEXT");
      break;
    case Section::Text::Mime:
      word("MIME");
      break;
    case Section::Text::HeaderFields:
    case Section::Text::HeaderFieldsNot:
      word(section.text == Section::Text::HeaderFields ? "HEADER.FIELDS (" : "HEADER.FIELDS.NOT (");
      for (auto& field : section.fields) {
        if (&field != &section.fields.front()) out += ' ';
        append_astring(out, field);
      }
      out += ')';
      break;
  }
  out += ']';
}

std::string label(const BodyItem& item, bool request) {
  switch (item.form) {
    case BodyItem::Form::Rfc822:
      return "RFC822";
    case BodyItem::Form::Rfc822Header:
      return "RFC822.HEADER";
    case BodyItem::Form::Rfc822Text:
      return "RFC822.TEXT";
    default:
      break;
  }
  std::string text = item.form == BodyItem::Form::Body     ? "BODY"
                     : item.form == BodyItem::Form::Binary ? "BINARY"
                                                           : "BINARY.SIZE";
  if (request && item.peek && item.form != BodyItem::Form::BinarySize) text += ".PEEK";
  append_section(text, item.section);
  if (item.partial) {
    text += '<' + std::to_string(item.partial->offset);
    if (request) text += '.' + std::to_string(item.partial->length);
    text += '>';
  }
  return text;
}

}  // namespace

std::string response_label(const BodyItem& item) {
  return label(item, false);
}

std::string request_label(const BodyItem& item) {
  return label(item, true);
}

mime::Section digest_section(const Section& section) {
  mime::Section place;
  place.path = section.part;
  switch (section.text) {
    case Section::Text::Whole:
      place.what = mime::Section::What::Content;
      break;
    case Section::Text::Header:
    case Section::Text::HeaderFields:
    case Section::Text::HeaderFieldsNot:
      place.what = mime::Section::What::Header;
      break;
    case Section::Text::Text:
      place.what = mime::Section::What::Text;
      break;
    case Section::Text::Mime:
      place.what = mime::Section::What::Mime;
      break;
  }
  return place;
}

bool FetchItems::sets_seen() const {
  return std::ranges::any_of(bodies, [](auto& item) {
    return !item.peek && item.form != BodyItem::Form::BinarySize &&
           item.form != BodyItem::Form::Rfc822Header;
  });
}

}  // namespace hikyaku::imap
