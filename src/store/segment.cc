#include "store/segment.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/codec.h"
#include "base/text.h"
#include "store/crc32c.h"

namespace hikyaku::store {
namespace {

constexpr std::string_view kMagic = "HIKYAKU\x01";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kHeaderSize = 128;
constexpr std::size_t kCopyAt = 2048;  // in another sector than the first

Result<SegmentHeader> decode_copy(std::string_view bytes) {
  if (bytes.size() < kHeaderSize) return fail(ErrorCode::Corrupt, "the header is cut off");
  bytes = bytes.substr(0, kHeaderSize);
  Decoder in(bytes);
  if (in.raw(kMagic.size()) != kMagic) return fail(ErrorCode::Corrupt, "not a journal segment");
  auto check = Decoder(bytes.substr(kHeaderSize - 4)).u32_be();
  if (crc32c(0, bytes.substr(0, kHeaderSize - 4)) != check)
    return fail(ErrorCode::Corrupt, "the header's checksum is wrong");
  if (auto format = in.u32_be(); format != kFormat)
    return fail(ErrorCode::Unsupported, "journal format {}", format);
  SegmentHeader header;
  header.kind = static_cast<SegmentKind>(in.u8());
  in.raw(3);
  header.store_id = in.raw(16);
  header.number = in.u32_be();
  header.mark = in.u64_be();
  header.seed = in.u32_be();
  header.first_lsn = in.u64_be();
  header.previous = in.u32_be();
  header.previous_end = in.u64_be();
  header.epoch = in.u32_be();
  header.created = Time(milliseconds(static_cast<std::int64_t>(in.u64_be())));
  if (header.kind != SegmentKind::Log && header.kind != SegmentKind::Bulk)
    return fail(ErrorCode::Corrupt, "a segment of no known kind");
  return header;
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  Encoder out;
  out.raw(kMagic);
  out.u32_be(kFormat);
  out.u8(static_cast<std::uint8_t>(header.kind));
  out.raw(std::string_view("\0\0\0", 3));
  out.raw(header.store_id);
  out.u32_be(header.number);
  out.u64_be(header.mark);
  out.u32_be(header.seed);
  out.u64_be(header.first_lsn);
  out.u32_be(header.previous);
  out.u64_be(header.previous_end);
  out.u32_be(header.epoch);
  out.u64_be(static_cast<std::uint64_t>(header.created.time_since_epoch().count()));
  auto bytes = out.take();
  bytes.resize(kHeaderSize - 4);
  Encoder check;
  check.u32_be(crc32c(0, bytes));
  bytes += check.bytes();

  std::string both = bytes;
  both.resize(kCopyAt);
  both += bytes;
  both.resize(kSegmentStart);
  return both;
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes) {
  auto first = decode_copy(bytes);
  if (first || bytes.size() < kCopyAt) return first;
  auto copy = decode_copy(bytes.substr(kCopyAt));
  return copy ? std::move(copy) : std::move(first);
}

namespace {

/// The two copies, and which of them are of the segment that is wanted.
struct HeaderCopies {
  Result<SegmentHeader> first, second;
  bool first_fits, second_fits, same;

  HeaderCopies(std::string_view bytes, const WantedSegment& wanted)
      : first(decode_copy(bytes)),
        second(decode_copy(bytes.substr(std::min(bytes.size(), kCopyAt)))),
        first_fits(first && wanted.is(*first)),
        second_fits(second && wanted.is(*second)),
        same(first && second &&
             bytes.substr(0, kHeaderSize) == bytes.substr(kCopyAt, kHeaderSize)) {}

  bool is_in_doubt() const { return first_fits && second_fits && !same; }
  /// Why there is none to go by.
  Error refusal() const {
    if (is_in_doubt())
      return fail(ErrorCode::Corrupt, "the two copies of its header contradict each other").error();
    if (!first && !second) return first.error();
    return fail(ErrorCode::Corrupt, "its header is that of another segment").error();
  }
};

}  // namespace

bool WantedSegment::is(const SegmentHeader& header) const {
  return header.number == name.number && header.kind == name.kind &&
         (store_id.empty() || header.store_id == store_id);
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes, const WantedSegment& wanted) {
  HeaderCopies copies(bytes, wanted);
  if (!copies.first_fits && copies.second_fits) return std::move(copies.second);
  return copies.first ? std::move(copies.first) : decode_segment_header(bytes);
}

Result<void> check_header_copies(std::string_view bytes, const WantedSegment& wanted) {
  HeaderCopies copies(bytes, wanted);
  if (copies.is_in_doubt() || (!copies.first_fits && !copies.second_fits))
    return std::unexpected(copies.refusal());
  if (copies.same) return {};
  return fail(ErrorCode::Corrupt,
              "one of the two copies of its header is damaged, at byte {}; the other one is good",
              copies.first_fits ? kCopyAt : 0);
}

std::string segment_name(SegmentNumber number, SegmentKind kind) {
  return fmt::format("{:010}.{}", number, kind == SegmentKind::Log ? "log" : "bulk");
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  auto dot = name.find('.');
  if (dot != 10) return std::nullopt;
  auto number = parse_decimal(name.substr(0, dot), UINT32_MAX);
  if (!number || *number == 0) return std::nullopt;
  SegmentName parsed{static_cast<SegmentNumber>(*number), SegmentKind::Log};
  if (name.substr(dot) == ".bulk") {
    parsed.kind = SegmentKind::Bulk;
  } else if (name.substr(dot) != ".log") {
    return std::nullopt;
  }
  return parsed;
}

std::uint32_t Segment::checksum(std::uint64_t offset, std::string_view bytes) const {
  Encoder place;
  place.u64_be(offset);
  return crc32c(crc32c(header_.seed, place.bytes()), bytes);
}

namespace {

Result<std::string> read_header_bytes(File& file) {
  std::string bytes(kSegmentStart, '\0');
  TRY(auto got, file.read(0, bytes));
  bytes.resize(got);
  return bytes;
}

Result<SegmentHeader> read_header(File& file, const std::string& path,
                                  const std::optional<WantedSegment>& wanted) {
  TRY(auto bytes, read_header_bytes(file));
  auto header = wanted ? decode_segment_header(bytes, *wanted) : decode_segment_header(bytes);
  if (!header) return wrap(header.error(), "{}", path);
  return header;
}

}  // namespace

Result<SegmentHeader> read_segment_header(FileSystem& files, const std::string& path,
                                          const std::optional<WantedSegment>& wanted) {
  TRY(auto file, files.open(path, OpenMode::Read));
  return read_header(*file, path, wanted);
}

Result<void> check_header_copies(const Segment& segment) {
  const auto& header = segment.header();
  TRY(auto bytes, read_header_bytes(segment.file()));
  return check_header_copies(bytes, {{header.number, header.kind}, header.store_id});
}

namespace {

/// The header to go by, without doubt.
Result<SegmentHeader> sure_header(FileSystem& files, const std::string& path,
                                  const WantedSegment& wanted) {
  TRY(auto file, files.open(path, OpenMode::Read));
  TRY(auto bytes, read_header_bytes(*file));
  HeaderCopies copies(bytes, wanted);
  if (copies.is_in_doubt() || (!copies.first_fits && !copies.second_fits))
    return std::unexpected(copies.refusal());
  return copies.first_fits ? std::move(copies.first) : std::move(copies.second);
}

}  // namespace

Result<void> mend_header(FileSystem& files, const std::string& directory,
                         const WantedSegment& wanted) {
  auto path = directory + "/" + segment_name(wanted.name.number, wanted.name.kind);
  auto beside = path + ".new";
  TRY(auto header, sure_header(files, path, wanted));
  auto write = [&](const std::string& to) -> Result<void> {
    TRY(auto file, files.open(to, OpenMode::Write));
    TRY_DO(write_all(*file, 0, encode_segment_header(header)));
    return file->sync_data();
  };
  auto replace = [&]() -> Result<void> {
    TRY_DO(copy_file(files, path, beside));
    TRY_DO(write(beside));
    TRY_DO(files.rename(beside, path));
    return files.sync_directory(directory);
  };
  auto replaced = replace();
  if (replaced) return {};
  (void)files.unlink(beside);
  return replaced.error().code == ErrorCode::NoSpace ? write(path) : replaced;
}

Result<std::shared_ptr<Segment>> open_segment(FileSystem& files, const std::string& directory,
                                              const WantedSegment& wanted, OpenMode mode,
                                              std::string_view file_name) {
  const auto& name = wanted.name;
  auto own = segment_name(name.number, name.kind);
  auto path = fmt::format("{}/{}", directory, file_name.empty() ? own : file_name);
  TRY(auto file, files.open(path, mode));
  TRY(auto header, read_header(*file, path, wanted));
  if (header.number != name.number || header.kind != name.kind)
    return fail(ErrorCode::Corrupt, "{} is segment {} under a wrong name (its own is {})", path,
                header.number, segment_name(header.number, header.kind));
  if (!wanted.is(header))
    return fail(ErrorCode::Corrupt, "journal segment {} belongs to another store", name.number);
  return std::make_shared<Segment>(std::move(file), std::move(header));
}

Result<std::shared_ptr<Segment>> create_segment(FileSystem& files, const std::string& directory,
                                                SegmentHeader header, std::uint64_t size) {
  auto path = directory + "/" + segment_name(header.number, header.kind);
  auto beside = path + ".new";
  auto is_named = false;
  auto make = [&]() -> Result<std::unique_ptr<File>> {
    // Renaming would replace it, with all the mail in it; also one that cannot be opened now.
    auto there = files.open(path, OpenMode::Read);
    if (there)
      return fail(ErrorCode::Io, "there is one of that name, which the directory does not list");
    if (there.error().code != ErrorCode::NotFound) return std::unexpected(there.error());
    TRY(auto file, files.open(beside, OpenMode::Create));
    TRY_DO(file->preallocate(std::max(size, kSegmentStart)));
    TRY_DO(write_all(*file, 0, encode_segment_header(header)));
    TRY_DO(file->sync_data());
    TRY_DO(files.rename(beside, path));
    is_named = true;
    TRY_DO(files.sync_directory(directory));
    return file;
  };
  auto file = make();
  if (!file) {
    (void)files.unlink(beside);
    auto error = wrap(file.error(), "cannot begin {}", path).error();
    // Its name may be there after a crash, and says where the segment before it ends: that one must
    // not grow any more, as it may where there is no space for another.
    if (is_named) error.code = ErrorCode::Io;
    return std::unexpected(std::move(error));
  }
  return std::make_shared<Segment>(std::move(*file), std::move(header));
}

}  // namespace hikyaku::store
