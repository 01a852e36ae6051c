#include "dmarc/unpack.h"

#include <algorithm>
#include <zlib.h>

#include "base/text.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
/// Deflate packs no better (258 bytes in two bits).
constexpr std::size_t kMostRatio = 1032;

/// An inflate stream that ends with its scope.
class Inflater {
 public:
  /// `window`: zlib's windowBits: -15 raw deflate (zip), 31 gzip.
  explicit Inflater(int window) { ready_ = inflateInit2(&stream_, window) == Z_OK; }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Appends one whole stream from the front of `bytes`, which is moved behind it.
  hikyaku::Result<void> run(std::string_view& bytes, std::string& out, std::size_t limit) {
    if (!ready_) return fail(ErrorCode::NoSpace, "no memory to unpack");
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    int status = Z_OK;
    // Once, and never copied while it grows: pages that nothing is written to cost nothing.
    out.reserve(out.size() + std::min(limit, bytes.size() * kMostRatio) + 2 * kPiece);
    while (status == Z_OK) {
      auto before = out.size();
      if (before > limit) return fail(ErrorCode::TooLarge, "unpacked more than {} bytes", limit);
      out.resize(before + kPiece);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kPiece;
      status = inflate(&stream_, Z_NO_FLUSH);
      out.resize(before + kPiece - stream_.avail_out);
    }
    bytes.remove_prefix(bytes.size() - stream_.avail_in);
    if (out.size() > limit) return fail(ErrorCode::TooLarge, "unpacked more than {} bytes", limit);
    if (status == Z_STREAM_END) return {};
    return fail(ErrorCode::Invalid, "the compressed data are {}",
                status == Z_BUF_ERROR ? "cut off" : "damaged");
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

hikyaku::Result<std::string> unpack_gzip(std::string_view bytes, std::size_t limit) {
  std::string out;
  // Several members in a row are one file (RFC 1952 §2.2); what else follows is padding.
  while (packing_of(bytes) == Packing::Gzip) {
    Inflater inflater(31);
    TRY_DO(inflater.run(bytes, out, limit));
  }
  return out;
}

std::uint32_t little(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

/// An entry of the central directory (APPNOTE 4.3.12).
struct ZipEntry {
  std::string_view name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0, packed = 0, size = 0, offset = 0;

  bool is_file() const { return !name.ends_with('/') && !name.starts_with("__MACOSX/"); }
};

/// The end of central directory record: the last one in the last 64 KB.
std::size_t find_directory_end(std::string_view bytes) {
  constexpr std::size_t kRecord = 22, kComment = 65'535;
  if (bytes.size() < kRecord) return bytes.npos;
  auto last = bytes.size() - kRecord;
  auto first = last > kComment ? last - kComment : 0;
  auto found = bytes.rfind("PK\x05\x06", last);
  return found == bytes.npos || found < first ? bytes.npos : found;
}

hikyaku::Result<ZipEntry> choose_entry(std::string_view bytes, std::size_t limit) {
  auto end = find_directory_end(bytes);
  if (end == bytes.npos) return fail(ErrorCode::Invalid, "the zip archive has no directory");
  std::size_t count = little(bytes, end + 10, 2), at = little(bytes, end + 16, 4);
  if (count > limit) return fail(ErrorCode::TooLarge, "the zip archive has {} entries", count);
  ZipEntry chosen;
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::size_t kFixed = 46;
    if (at > end || end - at < kFixed || bytes.substr(at, 4) != "PK\x01\x02")
      return fail(ErrorCode::Invalid, "the directory of the zip archive is damaged");
    ZipEntry entry;
    entry.flags = static_cast<std::uint16_t>(little(bytes, at + 8, 2));
    entry.method = static_cast<std::uint16_t>(little(bytes, at + 10, 2));
    entry.crc = little(bytes, at + 16, 4);
    entry.packed = little(bytes, at + 20, 4);
    entry.size = little(bytes, at + 24, 4);
    entry.offset = little(bytes, at + 42, 4);
    std::size_t name = little(bytes, at + 28, 2);
    std::size_t rest = name + little(bytes, at + 30, 2) + little(bytes, at + 32, 2);
    if (end - at - kFixed < rest)
      return fail(ErrorCode::Invalid, "the directory of the zip archive is damaged");
    entry.name = bytes.substr(at + kFixed, name);
    at += kFixed + rest;
    bool better =
        chosen.name.empty() || (iends_with(entry.name, ".xml") && !iends_with(chosen.name, ".xml"));
    if (entry.is_file() && better) chosen = entry;
  }
  if (chosen.name.empty()) return fail(ErrorCode::Invalid, "the zip archive is empty");
  return chosen;
}

hikyaku::Result<std::string> unpack_zip(std::string_view bytes, const UnpackLimits& limits) {
  TRY(auto entry, choose_entry(bytes, limits.entries));
  constexpr std::size_t kLocal = 30;
  if (entry.offset > bytes.size() || bytes.size() - entry.offset < kLocal ||
      bytes.substr(entry.offset, 4) != "PK\x03\x04")
    return fail(ErrorCode::Invalid, "the file is not where the zip archive says");
  if (entry.flags & 1) return fail(ErrorCode::Unsupported, "the zip archive is encrypted");
  std::size_t begin = entry.offset + kLocal + little(bytes, entry.offset + 26, 2) +
                      little(bytes, entry.offset + 28, 2);
  if (begin > bytes.size() || bytes.size() - begin < entry.packed)
    return fail(ErrorCode::Invalid, "the zip archive is cut off");
  auto packed = bytes.substr(begin, entry.packed);
  std::string out;
  if (entry.method == 0) {
    if (packed.size() > limits.bytes)
      return fail(ErrorCode::TooLarge, "unpacked more than {} bytes", limits.bytes);
    out = packed;
  } else if (entry.method == 8) {
    Inflater inflater(-15);
    TRY_DO(inflater.run(packed, out, limits.bytes));
  } else {
    return fail(ErrorCode::Unsupported, "the zip archive uses method {}", entry.method);
  }
  auto sum = crc32(0, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size()));
  if (sum != entry.crc || out.size() != entry.size)
    return fail(ErrorCode::Invalid, "the file in the zip archive is damaged");
  return out;
}

}  // namespace

Packing packing_of(std::string_view bytes) {
  if (bytes.starts_with("\x1F\x8B")) return Packing::Gzip;
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06")) return Packing::Zip;
  return Packing::Plain;
}

hikyaku::Result<std::string> unpack(std::string_view bytes, const UnpackLimits& limits) {
  if (bytes.size() > limits.packed_bytes)
    return fail(ErrorCode::TooLarge, "packed it has more than {} bytes", limits.packed_bytes);
  std::string out;
  switch (packing_of(bytes)) {
    case Packing::Plain:
      return std::string(bytes);
    case Packing::Gzip: {
      TRY(out, unpack_gzip(bytes, limits.bytes));
      break;
    }
    case Packing::Zip: {
      TRY(out, unpack_zip(bytes, limits));
      break;
    }
  }
  if (packing_of(out) != Packing::Plain)
    return fail(ErrorCode::Denied, "it is an archive inside of an archive");
  return out;
}

}  // namespace hikyaku::dmarc
