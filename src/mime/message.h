// The structure of a message (RFC 5322, RFC 2045, RFC 2046): one flat table of parts with their
// places in the original bytes. Never fails, runs in linear time and without recursion; whatever
// exceeds a limit is left as one opaque body and flagged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mime/header.h"
#include "mime/parameter.h"
#include "mime/transfer.h"

namespace hikyaku::mime {

struct Limits {
  std::uint32_t depth = 64;                  ///< of parts within parts
  std::uint32_t parts = 10'000;              ///< of one message, nested ones counted
  std::uint32_t header_fields = 10'000;      ///< of one part that are looked at
  std::uint64_t header_bytes = 1024 * 1024;  ///< of one part that are looked at
  std::uint32_t boundary_bytes = 10'000;     ///< RFC 2046 allows 70; longer ones are met
  ParameterLimits parameters;
};

/// A place in the message's bytes.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  std::uint64_t end() const { return offset + size; }
  bool operator==(const Range&) const = default;
};

enum class PartKind : std::uint8_t {
  Leaf,       ///< a body without structure
  Multipart,  ///< children are its body parts
  Message,    ///< message/rfc822 or message/global whose only child is the message in it
};

/// What was odd about a part; the story and `hikyaku mime` name them.
enum class Defect : std::uint16_t {
  JunkInHeader = 1,        ///< lines that are no fields
  NoHeaderEnd = 2,         ///< the empty line between header and body is missing
  NoBoundary = 4,          ///< multipart without a usable boundary: taken as a leaf
  NoEndBoundary = 8,       ///< the multipart's closing delimiter is missing
  NoParts = 16,            ///< the boundary never begins a part: taken as a leaf
  DepthLimit = 32,         ///< too deep: taken as a leaf
  PartLimit = 64,          ///< parts after the last allowed one are not listed
  HeaderLimit = 128,       ///< fields beyond the limits were not looked at
  EncodedComposite = 256,  ///< multipart or message in base64 or quoted-printable: taken as a leaf
  BadContentType = 512,    ///< Content-Type that is no type
};

constexpr std::uint32_t kNoPart = 0xFFFFFFFF;

/// One part. Field values are views of the raw value (folds included) into the message's bytes and
/// empty when there is no such field; if a field stands there twice, the first counts.
struct Part {
  std::uint32_t parent = kNoPart;
  std::uint32_t first_child = kNoPart;
  std::uint32_t next_sibling = kNoPart;
  std::uint32_t depth = 0;
  PartKind kind = PartKind::Leaf;
  Encoding encoding = Encoding::SevenBit;
  std::uint16_t defects = 0;     ///< Defect bits
  bool is_message_root = false;  ///< the whole message, or what stands in a message/rfc822
  Range header;                  ///< with the empty line that ends it
  Range body;                    ///< of a multipart: preamble, delimiters and epilogue included
  std::uint64_t header_lines = 0;
  std::uint64_t body_lines = 0;  ///< a last line without line end counts

  /// The default where there is no field (also in multipart/digest). Without the parameters: a
  /// message may hold millions of them, and each takes many times its bytes.
  MediaType media_type;
  bool has_content_type = false;
  std::string_view content_type_field;
  std::string_view transfer_encoding;
  std::string_view disposition;
  std::string_view id;
  std::string_view description;
  std::string_view language;
  std::string_view location;
  std::string_view md5;

  bool has(Defect defect) const { return (defects & static_cast<std::uint16_t>(defect)) != 0; }
  /// Of content_type_field, parsed anew each time.
  std::vector<Parameter> parameters() const;
  /// One of them: its `value`, empty when there is none.
  std::string parameter(std::string_view name) const;
  /// What the part is to be shown as: media_type's type and subtype, but for a composite that was
  /// taken as a leaf. A multipart without parts is the text that stands in it; an encoded or too
  /// deep one is application/octet-stream.
  std::string_view shown_type() const;
  std::string_view shown_subtype() const;
  bool is_text() const { return kind == PartKind::Leaf && shown_type() == "text"; }
};

/// A parsed message. Part 0 is the message itself; parts stand in the order of their bytes. The
/// bytes must outlive it.
struct Message {
  std::string_view bytes;
  std::vector<Part> parts;

  const Part& root() const { return parts.front(); }
  std::string_view view(Range range) const { return bytes.substr(range.offset, range.size); }
  std::string_view header(const Part& part) const { return view(part.header); }
  std::string_view body(const Part& part) const { return view(part.body); }
  HeaderView fields(const Part& part) const { return HeaderView(header(part)); }
  HeaderView fields() const { return fields(root()); }
  /// The part's number as IMAP writes it ("1.2"); empty for a message root.
  std::string number(std::uint32_t index) const;
};

/// Parses the whole message. Always gives at least one part, and header + body of part 0 are all of
/// the bytes.
Message parse_message(std::string_view bytes, const Limits& limits = {});

/// The words for a defect, for people: "missing end boundary".
std::string_view describe(Defect defect);
/// Every defect, for loops over the bits.
const std::vector<Defect>& all_defects();

}  // namespace hikyaku::mime
