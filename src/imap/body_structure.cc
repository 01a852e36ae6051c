#include "imap/body_structure.h"

#include <string_view>
#include <vector>

#include "base/text.h"
#include "imap/envelope.h"
#include "imap/quote.h"
#include "mime/parameter.h"

namespace hikyaku::imap {
namespace {

using mime::Part;
using mime::PartKind;

constexpr std::size_t kMaxText = 4096;  // of a field; the structure is stored with every message
/// Beyond so many bytes parts are told without what their fields say: one byte of an address list
/// becomes sixty in the envelopes of nested messages, so that without a bound a message of 20 MB
/// would have a structure of 450 MB. Mail as it is met stays below a tenth of this.
constexpr std::size_t kDetailed = 1024 * 1024;
constexpr std::string_view kNoEnvelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

std::string string(std::string_view text) {
  std::string result;
  append_string(result, text);
  return result;
}

std::string nstring(std::string_view text) {
  return text.empty() ? "NIL" : string(text);
}

std::string extended_value(const mime::Parameter& parameter) {
  std::string result = "utf-8'" + parameter.language + '\'';
  for (char c : parameter.text()) {
    if (is_ascii_alnum(c) || c == '-' || c == '.' || c == '_')
      result += c;
    else
      result += '%' + to_upper(to_hex({&c, 1}));
  }
  return result;
}

std::string parameter_list(const std::vector<mime::Parameter>& parameters) {
  std::string result;
  for (auto& parameter : parameters) {
    result += result.empty() ? '(' : ' ';
    if (parameter.extended && !parameter.charset.empty())
      result += string(parameter.name + '*') + ' ' + string(extended_value(parameter));
    else
      result += string(parameter.name) + ' ' + string(parameter.value);
  }
  return result.empty() ? "NIL" : result + ')';
}

std::string field_nstring(std::string_view raw) {
  return raw.data() == nullptr ? "NIL" : nstring(mime::unfold(raw.substr(0, kMaxText)));
}

std::string disposition(std::string_view raw) {
  if (raw.data() == nullptr) return "NIL";
  auto parsed = mime::parse_parameterized(raw);
  // The type string is not optional in the grammar (body-fld-dsp).
  if (parsed.value.empty()) parsed.value = "attachment";
  return '(' + string(parsed.value) + ' ' + parameter_list(parsed.parameters) + ')';
}

/// RFC 3282: one tag as a string, several as a list.
std::string language(std::string_view raw) {
  std::string result;
  std::size_t count = 0;
  auto value = mime::unfold(raw.substr(0, kMaxText));
  for (auto tag : split(value, ',')) {
    tag = trim_space(tag.substr(0, tag.find('(')));
    if (tag.empty()) continue;
    if (count++ > 0) result += ' ';
    result += string(tag);
  }
  if (count == 0) return "NIL";
  return count == 1 ? result : '(' + result + ')';
}

class Writer {
 public:
  Writer(const mime::Message& message, BodyForm form) : message_(message), form_(form) {}

  /// Recursion is bounded by mime::Limits::depth.
  void write(const Part& part) {
    out_ += '(';
    if (part.kind == PartKind::Multipart)
      multipart(part);
    else
      single(part);
    out_ += ')';
  }

  std::string take() { return std::move(out_); }

 private:
  void multipart(const Part& part) {
    for (auto child = part.first_child; child != mime::kNoPart;
         child = message_.parts[child].next_sibling)
      write(message_.parts[child]);
    out_ += ' ' + string(part.media_type.subtype);
    if (form_ == BodyForm::Body) return;
    out_ += ' ' + (detailed() ? parameter_list(part.parameters()) : "NIL");
    extension(part);
  }

  bool detailed() const { return out_.size() < kDetailed; }

  void single(const Part& part) {
    out_ += string(part.shown_type()) + ' ' + string(part.shown_subtype());
    if (detailed())
      out_ += ' ' + parameters(part) + ' ' + field_nstring(part.id) + ' ' +
              field_nstring(part.description) + ' ' + encoding(part);
    else
      out_ += " NIL NIL NIL " + string(mime::to_string(part.encoding));
    out_ += ' ' + std::to_string(part.body.size);
    if (part.kind == PartKind::Message) {
      auto& inner = message_.parts[part.first_child];
      out_ += ' ';
      out_ += detailed() ? envelope(message_.fields(inner)) : std::string(kNoEnvelope);
      out_ += ' ';
      write(inner);
      out_ += ' ' + std::to_string(part.body_lines);
    } else if (part.is_text()) {
      out_ += ' ' + std::to_string(part.body_lines);
    }
    if (form_ == BodyForm::Body) return;
    out_ += ' ' + (detailed() ? field_nstring(part.md5) : "NIL");
    extension(part);
  }

  void extension(const Part& part) {
    if (!detailed()) {
      out_ += " NIL NIL NIL";
      return;
    }
    out_ += ' ' + disposition(part.disposition) + ' ' + language(part.language) + ' ' +
            field_nstring(part.location);
  }

  static std::string parameters(const Part& part) {
    if (part.shown_type() != part.media_type.type) return "NIL";
    // RFC 2045 §5.2: the default type has its charset.
    if (!part.has_content_type && part.is_text()) return "(\"charset\" \"us-ascii\")";
    return parameter_list(part.parameters());
  }

  static std::string encoding(const Part& part) {
    if (part.encoding != mime::Encoding::Unknown) return string(mime::to_string(part.encoding));
    auto raw = mime::unfold(part.transfer_encoding.substr(0, kMaxText));
    return string(raw.empty() ? std::string("7bit") : raw);
  }

  const mime::Message& message_;
  BodyForm form_;
  std::string out_;
};

}  // namespace

std::string body_structure(const mime::Message& message, BodyForm form) {
  Writer writer(message, form);
  writer.write(message.root());
  return writer.take();
}

}  // namespace hikyaku::imap
