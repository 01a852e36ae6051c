// What is worked out of a message's bytes once, at arrival, so that no metadata FETCH, header
// SEARCH or section lookup ever parses it again.
//
// A message is prefix + body: our own header fields in front of what was received. The prefix holds
// whole fields and none of MIME (Content-…); then the structure is that of the body alone, and many
// recipients with prefixes of their own share the work on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/messages.h"

namespace hikyaku::mailbox {

/// The most that the texts of a stored digest take together. Beyond it (thousands of addresses or
/// parts) they are left out: rows are copied with every COPY.
inline constexpr std::size_t kMaxDigestBytes = 64 * 1024;

/// The parsed body, for one prefix after the other. It keeps a copy of the header, and texts that
/// can be stored; of the body nothing is needed any more.
class BodyDigest {
 public:
  explicit BodyDigest(std::string_view body);
  Digest with_prefix(std::string_view prefix) const;
  /// Bytes of memory that a digest with a prefix takes, about.
  std::size_t memory() const { return header_.size() + body_structure_.size() + parts_.size(); }

 private:
  std::string header_;
  bool storable_ = true;  ///< false: the texts would take more than kMaxDigestBytes, and are empty
  std::string body_structure_;
  std::string parts_;
};

/// The digest of prefix + body. Linear; large messages belong on a worker (about 10 ms for 25 MB).
/// With `max_bytes` SIZE_MAX it is complete whatever it takes.
Digest make_digest(std::string_view prefix, std::string_view body,
                   std::size_t max_bytes = kMaxDigestBytes);

/// FETCH BODY: BODYSTRUCTURE without its extension data. "" when that is not what we write.
std::string body_form(std::string_view body_structure);

/// The set of fields that new digests keep: those that mail programs ask for in lists.
inline constexpr std::uint8_t kHeaderSet = 1;
/// True if a digest's header_fields hold every field of that name (in any case) that there is.
bool keeps_field(std::uint8_t header_set, std::string_view name);

/// The hash of a Message-ID (without brackets) for threads.
std::uint64_t message_id_hash(std::string_view message_id);

}  // namespace hikyaku::mailbox
