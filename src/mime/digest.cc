#include "mime/digest.h"

#include <algorithm>

#include "base/codec.h"

namespace hikyaku::mime {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

Digest::Digest(const Message& message) {
  parts_.reserve(message.parts.size());
  for (auto& part : message.parts)
    parts_.push_back({part.parent, part.kind, part.encoding, part.is_message_root,
                      part.header.offset, part.header.size, part.body.size, part.body_lines});
}

std::string Digest::encode() const {
  Encoder encoder;
  encoder.u8(kVersion);
  encoder.varint(parts_.size());
  std::uint64_t last_offset = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& part = parts_[i];
    // kind, root and encoding in one byte; the parent as the distance back; offsets only grow.
    encoder.u8(static_cast<std::uint8_t>(static_cast<unsigned>(part.kind) |
                                         (part.is_message_root ? 4u : 0u) |
                                         static_cast<unsigned>(part.encoding) << 3));
    if (i > 0) encoder.varint(i - part.parent);
    encoder.varint(part.offset - last_offset);
    last_offset = part.offset;
    encoder.varint(part.header_size);
    encoder.varint(part.body_size);
    encoder.varint(part.body_lines);
  }
  return encoder.take();
}

std::optional<Digest> Digest::decode(std::string_view bytes) {
  constexpr std::uint64_t kSmallestPart = 5;
  constexpr std::uint64_t kLargest = std::uint64_t(1) << 60;  // sums of three cannot overflow
  Decoder decoder(bytes);
  if (decoder.u8() != kVersion) return std::nullopt;
  auto count = decoder.varint();
  if (decoder.failed() || count == 0 || count > bytes.size() / kSmallestPart + 1)
    return std::nullopt;
  Digest digest;
  digest.parts_.reserve(count);
  std::uint64_t last_offset = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    DigestPart part;
    auto mixed = decoder.u8();
    if ((mixed & 3) > 2 || mixed >> 3 > static_cast<unsigned>(Encoding::Unknown))
      return std::nullopt;
    part.kind = static_cast<PartKind>(mixed & 3);
    part.is_message_root = (mixed & 4) != 0;
    part.encoding = static_cast<Encoding>(mixed >> 3);
    if (i > 0) {
      auto back = decoder.varint();
      if (back == 0 || back > i) return std::nullopt;
      part.parent = static_cast<std::uint32_t>(i - back);
    }
    part.offset = last_offset + decoder.varint();
    last_offset = part.offset;
    part.header_size = decoder.varint();
    part.body_size = decoder.varint();
    part.body_lines = decoder.varint();
    if (part.offset > kLargest || part.header_size > kLargest || part.body_size > kLargest)
      return std::nullopt;
    digest.parts_.push_back(part);
  }
  if (decoder.failed()) return std::nullopt;
  return digest;
}

Digest Digest::with_prefix(std::uint64_t prefix_bytes) const {
  auto result = *this;
  for (auto& part : result.parts_) {
    if (&part == &result.parts_.front())
      part.header_size += prefix_bytes;
    else
      part.offset += prefix_bytes;
  }
  return result;
}

std::uint64_t Digest::size() const {
  return parts_.empty() ? 0 : parts_.front().body().end();
}

std::optional<std::uint32_t> Digest::child(std::uint32_t parent, std::uint32_t number) const {
  std::uint32_t seen = 0;
  for (std::uint32_t i = parent + 1; i < parts_.size(); ++i) {
    if (parts_[i].parent == parent && ++seen == number) return i;
    if (parts_[i].offset >= parts_[parent].body().end() && parts_[i].parent < parent) break;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Digest::locate(const std::vector<std::uint32_t>& path) const {
  if (parts_.empty()) return std::nullopt;
  std::uint32_t at = 0;
  bool in_message = true;  // `at` is a message whose parts the next number counts
  for (auto number : path) {
    if (!in_message && parts_[at].kind == PartKind::Message) {
      auto inner = child(at, 1);
      if (!inner) return std::nullopt;
      at = *inner;
      in_message = true;
    }
    if (parts_[at].kind == PartKind::Multipart) {
      auto found = child(at, number);
      if (!found) return std::nullopt;
      at = *found;
    } else if (!in_message || number != 1) {
      // Every message has part 1, if only its text (RFC 9051 §6.4.5.1); other leaves have none.
      return std::nullopt;
    }
    in_message = false;
  }
  return at;
}

const DigestPart* Digest::find_part(const std::vector<std::uint32_t>& path) const {
  auto index = locate(path);
  return index ? &parts_[*index] : nullptr;
}

std::optional<Range> Digest::find(const Section& section) const {
  auto index = locate(section.path);
  if (!index) return std::nullopt;
  auto& part = parts_[*index];
  auto whole = section.path.empty();
  switch (section.what) {
    case Section::What::Content:
      return whole ? Range{part.offset, part.header_size + part.body_size} : part.body();
    case Section::What::Mime:
      return whole ? std::nullopt : std::optional(part.header());
    case Section::What::Header:
    case Section::What::Text:
      break;
  }
  auto* message = &part;
  if (!whole) {
    if (part.kind != PartKind::Message) return std::nullopt;
    auto inner = child(*index, 1);
    if (!inner) return std::nullopt;
    message = &parts_[*inner];
  }
  return section.what == Section::What::Header ? message->header() : message->body();
}

Range partial(Range range, std::uint64_t offset, std::uint64_t count) {
  auto skip = std::min(offset, range.size);
  return {range.offset + skip, std::min(count, range.size - skip)};
}

}  // namespace hikyaku::mime
