// What a mailbox keeps of a message's structure: enough to find any section that IMAP can ask for
// from offsets alone, without parsing the message again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mime/message.h"

namespace hikyaku::mime {

/// Which bytes of a message: IMAP's section specification (RFC 9051 §6.4.5.1).
struct Section {
  enum class What : std::uint8_t {
    Content,  ///< BODY[] or BODY[1.2]
    Header,   ///< BODY[HEADER], BODY[1.HEADER]; HEADER.FIELDS selects from it
    Text,     ///< BODY[TEXT], BODY[1.TEXT]
    Mime,     ///< BODY[1.2.MIME]
  };
  std::vector<std::uint32_t> path;
  What what = What::Content;
};

/// A part in a digest.
struct DigestPart {
  std::uint32_t parent = kNoPart;
  PartKind kind = PartKind::Leaf;
  Encoding encoding = Encoding::SevenBit;
  bool is_message_root = false;
  std::uint64_t offset = 0;  ///< of the header
  std::uint64_t header_size = 0;
  std::uint64_t body_size = 0;
  std::uint64_t body_lines = 0;

  Range header() const { return {offset, header_size}; }
  Range body() const { return {offset + header_size, body_size}; }
  bool operator==(const DigestPart&) const = default;
};

/// The parts' places. A message without attachments takes about 10 bytes encoded, every part more
/// about 8.
class Digest {
 public:
  Digest() = default;
  explicit Digest(const Message& message);

  /// The stored form; grows only at its end (base/codec.h).
  std::string encode() const;
  /// nullopt when the bytes are not a digest.
  static std::optional<Digest> decode(std::string_view bytes);

  /// The same message with header fields of `prefix_bytes` put in front of it.
  Digest with_prefix(std::uint64_t prefix_bytes) const;

  const std::vector<DigestPart>& parts() const { return parts_; }
  /// All of the message.
  std::uint64_t size() const;

  /// The section's place; nullopt when the message has no such part (IMAP answers NIL): a number
  /// that does not exist, HEADER or TEXT of what is no message.
  std::optional<Range> find(const Section& section) const;
  /// The part that a section number names; nullptr when there is none.
  const DigestPart* find_part(const std::vector<std::uint32_t>& path) const;

  bool operator==(const Digest&) const = default;

 private:
  std::optional<std::uint32_t> locate(const std::vector<std::uint32_t>& path) const;
  std::optional<std::uint32_t> child(std::uint32_t parent, std::uint32_t number) const;

  std::vector<DigestPart> parts_;
};

/// What of `range` an IMAP partial `<offset.count>` leaves (RFC 9051 §6.4.5): beyond the end
/// nothing.
Range partial(Range range, std::uint64_t offset, std::uint64_t count);

}  // namespace hikyaku::mime
