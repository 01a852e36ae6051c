#include "mime/message.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

/// A multipart or nested message whose end has not been met.
struct Open {
  std::uint32_t part;
  std::uint32_t last_child = kNoPart;
  std::string boundary;     // empty: a nested message, or a multipart after its closing delimiter
  std::uint64_t body_line;  // line ends before the body
};

/// From so many parts on it is worth counting how many are to come.
constexpr std::size_t kCountFrom = 64;

/// A delimiter line that ends something (RFC 2046 §5.1.1).
struct Delimiter {
  std::size_t open = 0;  // index into the stack
  bool closing = false;
};

/// The delimiter may be followed by anything, if by white space first: RFC 2046 §5.1.1 asks only
/// that the boundary stands at the front of the line, and without that space a boundary that is the
/// beginning of another one would match it.
bool ends_delimiter(std::string_view rest) {
  return rest.empty() || is_ascii_space(rest.front()) || rest.front() == '\r';
}

class Parser {
 public:
  Parser(std::string_view bytes, const Limits& limits) : bytes_(bytes), limits_(limits) {
    message_.bytes = bytes;
    message_.parts.reserve(8);
  }

  Message run() {
    begin(kNoPart, true);
    while (at_ < bytes_.size() && !boundaries_.empty()) body_line();
    take_rest();
    while (!open_.empty()) close_top(bytes_.size(), line_);
    close_leaf(bytes_.size(), line_);
    return std::move(message_);
  }

 private:
  std::size_t line_length() const {
    auto* from = bytes_.data() + at_;
    auto* end = static_cast<const char*>(std::memchr(from, '\n', bytes_.size() - at_));
    return end ? static_cast<std::size_t>(end - from) + 1 : bytes_.size() - at_;
  }

  void take_line(std::size_t length) {
    at_ += length;
    if (bytes_[at_ - 1] == '\n') ++line_;
  }

  void take_rest() {
    auto rest = bytes_.substr(at_);
    line_ += static_cast<std::uint64_t>(std::ranges::count(rest, '\n'));
    at_ = bytes_.size();
  }

  /// Is the line of `length` at `at_` a delimiter of an open multipart? The innermost one counts.
  bool delimiter(std::size_t length, Delimiter& found) const {
    if (length < 3 || bytes_[at_] != '-' || bytes_[at_ + 1] != '-') return false;
    auto line = bytes_.substr(at_ + 2, length - 2);
    if (line.ends_with('\n')) line.remove_suffix(1);
    for (auto i = boundaries_.size(); i-- > 0;) {
      auto& boundary = open_[boundaries_[i]].boundary;
      if (!line.starts_with(boundary)) continue;
      auto rest = line.substr(boundary.size());
      auto closing = rest.starts_with("--") && ends_delimiter(rest.substr(2));
      if (!closing && !ends_delimiter(rest)) continue;
      found = {boundaries_[i], closing};
      return true;
    }
    return false;
  }

  void body_line() {
    auto length = line_length();
    Delimiter found;
    if (delimiter(length, found))
      take_delimiter(length, found);
    else
      take_line(length);
  }

  void take_delimiter(std::size_t length, Delimiter found) {
    // The line end before a delimiter is part of it (RFC 2046 §5.1.1).
    auto end = at_;
    auto end_line = line_;
    if (end > 0 && bytes_[end - 1] == '\n') {
      --end;
      --end_line;
      if (end > 0 && bytes_[end - 1] == '\r') --end;
    }
    while (open_.size() > found.open + 1) close_top(end, end_line);
    close_leaf(end, end_line);
    take_line(length);

    auto& open = open_[found.open];
    if (found.closing) {
      open.boundary.clear();
      boundaries_.pop_back();
      return;
    }
    if (message_.parts.size() >= limits_.parts) {
      flag(open.part, Defect::PartLimit);
      return;
    }
    begin(open.part, false);
  }

  void close_range(std::uint32_t index, std::uint64_t end, std::uint64_t end_line,
                   std::uint64_t body_line) {
    auto& part = message_.parts[index];
    auto& body = part.body;
    body.size = end > body.offset ? end - body.offset : 0;
    if (body.size == 0) return;
    part.body_lines = end_line - body_line;
    if (bytes_[end - 1] != '\n') ++part.body_lines;
  }

  void close_leaf(std::uint64_t end, std::uint64_t end_line) {
    if (leaf_ != kNoPart) close_range(leaf_, end, end_line, leaf_line_);
    leaf_ = kNoPart;
  }

  void close_top(std::uint64_t end, std::uint64_t end_line) {
    close_leaf(end, end_line);
    auto& open = open_.back();
    if (open.last_child != kNoPart) {
      // The line end before the delimiter may be the empty line that ends the header of a part
      // without body: then it is that part's, and so the parent's.
      auto& last = message_.parts[open.last_child];
      if (last.body.end() > end) {
        end = last.body.end();
        ++end_line;
      }
    }
    close_range(open.part, end, end_line, open.body_line);
    auto& part = message_.parts[open.part];
    if (part.kind == PartKind::Multipart && !open.boundary.empty()) {
      flag(open.part, Defect::NoEndBoundary);
      boundaries_.pop_back();
    }
    if (part.first_child == kNoPart) {
      flag(open.part, Defect::NoParts);
      part.kind = PartKind::Leaf;
    }
    open_.pop_back();
  }

  void flag(std::uint32_t index, Defect defect) {
    message_.parts[index].defects |= static_cast<std::uint16_t>(defect);
  }

  /// A message of many parts gets a table of about their number at once: one that grows by doubling
  /// takes three times as much at its worst. Parts begin after lines with two hyphens, mostly.
  void make_room() {
    auto& parts = message_.parts;
    if (parts.size() != parts.capacity() || parts.size() < kCountFrom) return;
    std::size_t expected = parts.size() + parts.size() / 4;
    for (auto at = at_; expected < limits_.parts; ++expected) {
      at = bytes_.find("\n--", at);
      if (at == std::string_view::npos) break;
      at += 3;
    }
    parts.reserve(std::max(std::min<std::size_t>(expected, limits_.parts), parts.size() + 1));
  }

  std::uint32_t add(std::uint32_t parent, bool is_message_root) {
    make_room();
    auto index = static_cast<std::uint32_t>(message_.parts.size());
    auto& part = message_.parts.emplace_back();
    part.parent = parent;
    part.is_message_root = is_message_root;
    part.header.offset = at_;
    if (parent != kNoPart) {
      part.depth = message_.parts[parent].depth + 1;
      auto& last = open_.back().last_child;
      (last == kNoPart ? message_.parts[parent].first_child : message_.parts[last].next_sibling) =
          index;
      last = index;
    }
    return index;
  }

  /// Begins a part at `at_`, and the message in it if it is one, and so on down.
  void begin(std::uint32_t parent, bool is_message_root) {
    while (true) {
      auto index = add(parent, is_message_root);
      auto line = line_;
      header(index);
      auto& part = message_.parts[index];
      part.header.size = at_ - part.header.offset;
      part.header_lines = line_ - line;
      part.body.offset = at_;
      decide_kind(index);
      if (part.kind == PartKind::Leaf) {
        leaf_ = index;
        leaf_line_ = line_;
        return;
      }
      open_.push_back({index, kNoPart, {}, line_});
      if (part.kind == PartKind::Multipart) {
        open_.back().boundary = std::move(boundary_);
        boundaries_.push_back(open_.size() - 1);
        return;
      }
      parent = index;
      is_message_root = true;
    }
  }

  void header(std::uint32_t index) {
    auto begin = at_;
    auto bytes = bytes_.substr(begin);
    std::uint32_t fields = 0;
    std::size_t field_at = 0, field_length = 0;  // relative to the header
    bool ended = false;
    auto finish_field = [&] {
      if (field_length > 0) take_field(index, bytes.substr(field_at, field_length));
      field_length = 0;
    };
    while (at_ < bytes_.size()) {
      auto length = line_length();
      Delimiter found;
      if (!boundaries_.empty() && delimiter(length, found)) break;
      auto at = at_ - begin;
      auto kind = classify_header_line(bytes, at, length, fields > 0);
      if (kind == HeaderLine::Body) break;
      take_line(length);
      if (kind == HeaderLine::End) {
        ended = true;
        break;
      }
      if (kind == HeaderLine::Folded) {
        if (field_length > 0) field_length += length;
        continue;
      }
      finish_field();
      if (kind == HeaderLine::Junk) {
        flag(index, Defect::JunkInHeader);
        continue;
      }
      ++fields;
      if (fields > limits_.header_fields || at > limits_.header_bytes) {
        flag(index, Defect::HeaderLimit);
        continue;
      }
      // Only these matter to the structure.
      auto first = ascii_lower(bytes[at]);
      if (first == 'c') {
        field_at = at;
        field_length = length;
      }
    }
    finish_field();
    if (!ended && at_ < bytes_.size()) flag(index, Defect::NoHeaderEnd);
  }

  void take_field(std::uint32_t index, std::string_view raw) {
    if (!istarts_with(raw, "content-")) return;
    if (raw.size() > limits_.header_bytes) {
      flag(index, Defect::HeaderLimit);
      raw = raw.substr(0, limits_.header_bytes);
    }
    auto field = HeaderView(raw).begin();
    auto name = field->name.substr(8);
    auto& part = message_.parts[index];
    struct Slot {
      std::string_view name;
      std::string_view Part::* member;
    };
    static constexpr Slot kSlots[] = {
        {"type", &Part::content_type_field}, {"transfer-encoding", &Part::transfer_encoding},
        {"disposition", &Part::disposition}, {"id", &Part::id},
        {"description", &Part::description}, {"language", &Part::language},
        {"location", &Part::location},       {"md5", &Part::md5},
    };
    for (auto& slot : kSlots) {
      if (!iequals(name, slot.name)) continue;
      auto& value = part.*slot.member;
      if (value.data() == nullptr) value = field->value;
      return;
    }
  }

  void decide_kind(std::uint32_t index) {
    auto& part = message_.parts[index];
    part.has_content_type = part.content_type_field.data() != nullptr;
    if (part.has_content_type) {
      part.media_type = parse_media_type(part.content_type_field, limits_.parameters);
      if (part.media_type.malformed) flag(index, Defect::BadContentType);
    } else if (in_digest(part)) {
      part.media_type.type = "message";  // RFC 2046 §5.1.5
      part.media_type.subtype = "rfc822";
    }
    part.encoding = parse_encoding(part.transfer_encoding);

    auto& type = part.media_type.type;
    auto& subtype = part.media_type.subtype;
    auto multipart = type == "multipart";
    auto message = type == "message" && (subtype == "rfc822" || subtype == "global");
    if (!multipart && !message) return;
    if (part.encoding == Encoding::Base64 || part.encoding == Encoding::Uuencode ||
        (message && part.encoding == Encoding::QuotedPrintable)) {
      // RFC 2045 §6.4 forbids it. Multiparts labelled quoted-printable are common and never
      // encoded.
      flag(index, Defect::EncodedComposite);
      return;
    }
    if (multipart) {
      boundary_ = parse_content_type(part.content_type_field, limits_.parameters).get("boundary");
      if (boundary_.empty() || boundary_.size() > limits_.boundary_bytes) {
        flag(index, Defect::NoBoundary);
        return;
      }
    }
    if (part.depth >= limits_.depth) {
      flag(index, Defect::DepthLimit);
      return;
    }
    if (message && message_.parts.size() >= limits_.parts) {
      flag(index, Defect::PartLimit);
      return;
    }
    part.kind = multipart ? PartKind::Multipart : PartKind::Message;
  }

  bool in_digest(const Part& part) const {
    if (part.parent == kNoPart || part.is_message_root) return false;
    auto& parent = message_.parts[part.parent].media_type;
    return parent.type == "multipart" && parent.subtype == "digest";
  }

  std::string_view bytes_;
  const Limits& limits_;
  Message message_;
  std::string boundary_;  // of the multipart that decide_kind has just found
  std::vector<Open> open_;
  std::vector<std::size_t> boundaries_;  // those of open_ that wait for a delimiter
  std::size_t at_ = 0;
  std::uint64_t line_ = 0;  // line ends before at_
  std::uint32_t leaf_ = kNoPart;
  std::uint64_t leaf_line_ = 0;
};

}  // namespace

std::string_view Part::shown_type() const {
  if (kind != PartKind::Leaf) return media_type.type;
  if (media_type.type == "multipart")
    return has(Defect::NoBoundary) || has(Defect::NoParts) ? "text" : "application";
  auto message = media_type.type == "message" &&
                 (media_type.subtype == "rfc822" || media_type.subtype == "global");
  return message ? "application" : std::string_view(media_type.type);
}

std::string_view Part::shown_subtype() const {
  auto type = shown_type();
  if (type == media_type.type) return media_type.subtype;
  return type == "text" ? "plain" : "octet-stream";
}

std::vector<Parameter> Part::parameters() const {
  return parse_content_type(content_type_field).parameters;
}

std::string Part::parameter(std::string_view name) const {
  return std::string(parse_content_type(content_type_field).get(name));
}

Message parse_message(std::string_view bytes, const Limits& limits) {
  return Parser(bytes, limits).run();
}

std::string Message::number(std::uint32_t index) const {
  // From the part up to the root; a message root has no number of its own unless it is a leaf.
  std::vector<std::uint32_t> numbers;
  for (auto at = index; at != kNoPart; at = parts[at].parent) {
    auto& part = parts[at];
    if (part.is_message_root) {
      if (at == index && part.kind != PartKind::Multipart) numbers.push_back(1);
      if (at != index && part.kind != PartKind::Multipart) numbers.push_back(1);
      continue;
    }
    std::uint32_t number = 1;
    for (auto sibling = parts[part.parent].first_child; sibling != at;
         sibling = parts[sibling].next_sibling)
      ++number;
    numbers.push_back(number);
  }
  std::string result;
  for (auto i = numbers.size(); i-- > 0;) {
    if (!result.empty()) result += '.';
    result += std::to_string(numbers[i]);
  }
  return result;
}

const std::vector<Defect>& all_defects() {
  static const std::vector<Defect> kAll = {
      Defect::JunkInHeader,     Defect::NoHeaderEnd,   Defect::NoBoundary, Defect::NoEndBoundary,
      Defect::NoParts,          Defect::DepthLimit,    Defect::PartLimit,  Defect::HeaderLimit,
      Defect::EncodedComposite, Defect::BadContentType};
  return kAll;
}

std::string_view describe(Defect defect) {
  switch (defect) {
    case Defect::JunkInHeader:
      return "junk in the header";
    case Defect::NoHeaderEnd:
      return "no empty line after the header";
    case Defect::NoBoundary:
      return "multipart without a boundary";
    case Defect::NoEndBoundary:
      return "missing end boundary";
    case Defect::NoParts:
      return "multipart without parts";
    case Defect::DepthLimit:
      return "nested too deeply";
    case Defect::PartLimit:
      return "too many parts";
    case Defect::HeaderLimit:
      return "header too large";
    case Defect::EncodedComposite:
      return "encoded multipart or message";
    case Defect::BadContentType:
      return "malformed Content-Type";
  }
  return "";
}

}  // namespace hikyaku::mime
