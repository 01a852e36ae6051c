// What a FETCH asks for (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 7162, RFC 8474, RFC 8514).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mime/digest.h"

namespace hikyaku::imap {

/// A section of a message: "", "1.2", "HEADER", "2.HEADER.FIELDS (FROM TO)", "3.MIME" …
struct Section {
  enum class Text {
    Whole,            ///< the part itself, or without part numbers the whole message
    Header,           ///< header of the message, or of the message/rfc822 part
    HeaderFields,     ///< only these fields of it
    HeaderFieldsNot,  ///< all but these
    Text,             ///< the body without the header, as for Header
    Mime,             ///< the MIME header of the part (needs part numbers)
  };
  std::vector<std::uint32_t> part;  ///< numbers from 1; empty: the message
  Text text = Text::Whole;
  std::vector<std::string> fields;  ///< header field names as written
  friend bool operator==(const Section&, const Section&) = default;
};

/// Where to find it: the section of the message's digest. For HeaderFields and HeaderFieldsNot the
/// whole header, from which the fields are to be taken.
mime::Section digest_section(const Section& section);

/// "<offset.length>": only these octets, of those that there are.
struct Partial {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const Partial&, const Partial&) = default;
};

/// One piece of message content.
struct BodyItem {
  enum class Form {
    Body,          ///< BODY[…]
    Binary,        ///< BINARY[…]: decoded (RFC 3516)
    BinarySize,    ///< BINARY.SIZE[…]: how large that would be
    Rfc822,        ///< RFC822, as BODY[]
    Rfc822Header,  ///< RFC822.HEADER, as BODY.PEEK[HEADER]
    Rfc822Text,    ///< RFC822.TEXT, as BODY[TEXT]
  };
  Form form = Form::Body;
  Section section;
  std::optional<Partial> partial;
  bool peek = false;  ///< does not set \Seen
  friend bool operator==(const BodyItem&, const BodyItem&) = default;
};

/// The label of a body item in the response: "BODY[HEADER.FIELDS (FROM TO)]<0>" (the offset only),
/// "RFC822.HEADER". Made once per command, it serves every message.
std::string response_label(const BodyItem& item);

/// The same in a command, for our client: "BODY.PEEK[TEXT]<0.100>".
std::string request_label(const BodyItem& item);

/// Data that is there for every message, one bit each.
enum class FetchAtt : std::uint16_t {
  Envelope = 1,
  Flags = 2,
  InternalDate = 4,
  Rfc822Size = 8,
  Uid = 16,
  BodyStructure = 32,
  Body = 64,  ///< BODYSTRUCTURE without the extension data
  ModSeq = 128,
  EmailId = 256,
  ThreadId = 512,
  SaveDate = 1024,
};

/// All that one FETCH asks for; each thing once, however often it was written.
struct FetchItems {
  std::uint16_t attributes = 0;
  std::vector<BodyItem> bodies;

  bool has(FetchAtt attribute) const {
    return (attributes & static_cast<std::uint16_t>(attribute)) != 0;
  }
  void add(FetchAtt attribute) { attributes |= static_cast<std::uint16_t>(attribute); }
  /// Fetching these sets \Seen (unless the mailbox is read-only).
  bool sets_seen() const;
  friend bool operator==(const FetchItems&, const FetchItems&) = default;
};

/// (CHANGEDSINCE n VANISHED), RFC 7162 §3.1.4.1 and §3.2.6.
struct FetchModifiers {
  std::optional<std::uint64_t> changed_since;
  bool vanished = false;
  friend bool operator==(const FetchModifiers&, const FetchModifiers&) = default;
};

}  // namespace hikyaku::imap
