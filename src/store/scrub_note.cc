#include "store/scrub_note.h"

#include "base/codec.h"
#include "store/crc32c.h"

namespace hikyaku::store {
namespace {

constexpr const char* kScrubFile = "SCRUB";
constexpr std::string_view kScrubMagic = "HIKYAKU SCRUB 1\n";
/// More than all that is ever noted takes.
constexpr std::size_t kMostBytes = 1 << 20;

void put_time(Encoder& out, Time time) {
  out.u64_be(static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

Time take_time(Decoder& in) {
  return Time(milliseconds(static_cast<std::int64_t>(in.u64_be())));
}

}  // namespace

std::string encode_scrub_note(const ScrubNote& note) {
  Encoder out;
  out.raw(kScrubMagic);
  put_time(out, note.began);
  put_time(out, note.ended);
  out.u8(note.in_round ? 1 : 0);
  out.u32_be(note.next);
  out.u32_be(note.last);
  out.varint(note.bodies.size());
  for (auto body : note.bodies) out.varint(body);
  out.varint(note.records.size());
  for (auto record : note.records) {
    out.varint(record.segment);
    out.varint(record.offset);
  }
  auto crc = crc32c(0, out.bytes());
  out.u32_be(crc);
  return out.take();
}

std::optional<ScrubNote> decode_scrub_note(std::string_view bytes) {
  if (!bytes.starts_with(kScrubMagic) || bytes.size() < kScrubMagic.size() + 4) return std::nullopt;
  auto body = bytes.substr(0, bytes.size() - 4);
  if (Decoder(bytes.substr(body.size())).u32_be() != crc32c(0, body)) return std::nullopt;
  Decoder in(body.substr(kScrubMagic.size()));
  ScrubNote note;
  note.began = take_time(in);
  note.ended = take_time(in);
  note.in_round = in.u8() != 0;
  note.next = in.u32_be();
  note.last = in.u32_be();
  for (auto left = in.varint(); left != 0 && !in.failed(); --left)
    note.bodies.push_back(in.varint());
  for (auto left = in.varint(); left != 0 && !in.failed(); --left) {
    auto segment = static_cast<SegmentNumber>(in.varint());
    note.records.push_back({segment, in.varint()});
  }
  if (in.failed()) return std::nullopt;
  return note;
}

Result<void> write_scrub_note(FileSystem& files, const std::string& directory,
                              const ScrubNote& note) {
  return replace_file(files, directory, kScrubFile, encode_scrub_note(note));
}

Result<void> forget_damage(FileSystem& files, const std::string& directory) {
  auto note = read_scrub_note(files, directory);
  if (note.bodies.empty() && note.records.empty()) return {};
  note.bodies.clear();
  note.records.clear();
  return write_scrub_note(files, directory, note);
}

ScrubNote read_scrub_note(FileSystem& files, const std::string& directory) {
  auto bytes = read_file(files, directory + "/" + kScrubFile, kMostBytes);
  if (!bytes) return {};
  return decode_scrub_note(*bytes).value_or(ScrubNote{});
}

}  // namespace hikyaku::store
