// Answers to FETCH BODY[…] as lists of pieces of prefix and body, so that they can be streamed
// without parsing, and to POP3's TOP and RETR in the same way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imap/fetch.h"
#include "mailbox/messages.h"
#include "mime/digest.h"

namespace hikyaku::mailbox {

/// Some bytes of an answer.
struct Piece {
  enum class From {
    Prefix,   ///< [offset, offset + length) of the record's prefix
    Body,     ///< [offset, offset + length) of the blob
    Literal,  ///< `text`
  };
  From from = From::Body;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string text;
  bool operator==(const Piece&) const = default;
};

/// The bytes of a section.
struct SectionBytes {
  std::vector<Piece> pieces;  ///< in order; none of them empty
  std::uint64_t size = 0;     ///< of all together: the literal's length
  /// The pieces are a whole header, from which fields are to be taken: read them (they are bounded
  /// by the size of that header) and call select().
  bool to_select = false;
  /// The transfer encoding of the content, for BINARY (RFC 3516).
  mime::Encoding encoding = mime::Encoding::SevenBit;
  bool operator==(const SectionBytes&) const = default;
};

/// The sections of one message. `record` must outlive it and have a complete digest (see
/// Digest::complete).
class Sections {
 public:
  explicit Sections(const MessageRecord& record);
  /// False when the stored offsets are damaged: no section is found.
  bool good() const { return good_; }

  /// RFC822 forms are taken as the sections they stand for. nullopt: there is no such part, answer
  /// NIL. A partial that begins beyond the end gives no pieces, answer "".
  std::optional<SectionBytes> find(const imap::BodyItem& item) const;
  std::optional<SectionBytes> find(const imap::Section& section,
                                   const std::optional<imap::Partial>& partial = {}) const;
  /// All octets [offset, offset + length) of prefix + body.
  SectionBytes bytes(mime::Range range) const;
  /// The message's header with the empty line: what POP3's TOP sends first.
  mime::Range header() const;

  /// The answer to a section with to_select, from the bytes of its pieces.
  static SectionBytes select(std::string_view header, const imap::Section& section,
                             const std::optional<imap::Partial>& partial = {});

 private:
  const MessageRecord& record_;
  mime::Digest digest_;  ///< offsets in prefix + body
  bool good_ = false;
};

}  // namespace hikyaku::mailbox
