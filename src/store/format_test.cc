// The forms on disk: what is written is read back, and anything else is refused.
#include <algorithm>
#include <doctest/doctest.h>

#include "base/text.h"
#include "store/crc32c.h"
#include "store/operations.h"
#include "store/record.h"
#include "store/rows.h"
#include "store/segment.h"
#include "store/simulated_file_system.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

SegmentHeader some_header() {
  SegmentHeader header;
  header.kind = SegmentKind::Log;
  header.store_id = "0123456789abcdef";
  header.number = 7;
  header.mark = 0x1122334455667788;
  header.seed = 99;
  header.first_lsn = 1000;
  header.previous = 6;
  header.previous_end = 123'456;
  header.epoch = 3;
  header.created = Time(milliseconds(1'700'000'000'123));
  return header;
}

}  // namespace

TEST_CASE("crc32c: known values, both ways of computing, going on") {
  // RFC 3720 Appendix B.4
  const std::pair<std::string, std::uint32_t> cases[] = {
      {"", 0},
      {"123456789", 0xE3069283},
      {std::string(32, '\0'), 0x8A9136AA},
      {std::string(32, '\xFF'), 0x62A8AB43},
  };
  for (const auto& [bytes, crc] : cases) {
    CHECK(crc32c(0, bytes) == crc);
    CHECK(crc32c_table(0, bytes) == crc);
  }
  std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    CHECK(crc32c(crc32c(5, text.substr(0, cut)), text.substr(cut)) == crc32c_table(5, text));
}

TEST_CASE("segment header: read back; any one damaged copy is made good, both are not") {
  auto bytes = encode_segment_header(some_header());
  REQUIRE(bytes.size() == kSegmentStart);
  auto read = decode_segment_header(bytes);
  REQUIRE(read);
  CHECK(read->number == 7);
  CHECK(read->mark == 0x1122334455667788);
  CHECK(read->previous_end == 123'456);
  CHECK(read->epoch == 3);
  CHECK(read->created == some_header().created);
  for (std::size_t at = 0; at < 128; ++at) {
    auto damaged = bytes;
    damaged[at] ^= 1;
    CHECK(decode_segment_header(damaged)->number == 7);
    damaged[2048 + at] ^= 1;
    CHECK_FALSE(decode_segment_header(damaged));
  }
  CHECK_FALSE(decode_segment_header(bytes.substr(0, 127)));
  CHECK_FALSE(decode_segment_header(""));
}

TEST_CASE("segment names") {
  CHECK(segment_name(7, SegmentKind::Log) == "0000000007.log");
  CHECK(parse_segment_name("0000000007.log")->number == 7);
  CHECK(parse_segment_name("4294967295.bulk")->kind == SegmentKind::Bulk);
  for (auto bad : {"", "7.log", "0000000000.log", "0000000007.log.new", "9999999999.log",
                   "000000000x.log", "0000000007.txt"})
    CHECK_FALSE(parse_segment_name(bad));
}

TEST_CASE("group and body headers: read back at their place; no other bytes, no other place") {
  Segment segment(nullptr, some_header());
  GroupHeader group{5, 600, 7, 8, 90'000, Time(milliseconds(11))};
  auto bytes = encode_group_header(group, segment, 4096);
  REQUIRE(bytes.size() == GroupHeader::kSize);
  auto read = decode_group_header(bytes, segment, 4096);
  REQUIRE(read);
  CHECK(read->lsn == 5);
  CHECK(read->length() == 64 + 600 + 90'000);
  CHECK_FALSE(decode_group_header(bytes, segment, 8192));

  BodyHeader body;
  body.size = kMaxFrame + 3;
  body.sha256 = std::string(32, 'h');
  body.salvage = "who it was for";
  body.frames = {{5000, kMaxFrame, kMaxFrame, 1, Codec::Raw}, {9000, 2, 3, 2, Codec::Zstd}};
  auto body_bytes = encode_body_header(body, segment, 777);
  REQUIRE(body_bytes.size() == body.encoded_size());
  auto body_read = decode_body_header(body_bytes + "more", segment, 777);
  REQUIRE(body_read);
  CHECK(body_read->salvage == body.salvage);
  CHECK(body_read->frames[1].offset == 9000);
  CHECK_FALSE(decode_body_header(body_bytes, segment, 778));
  for (auto* whole : {&bytes, &body_bytes})
    for (std::size_t at = 0; at < whole->size() * 8; ++at) {
      auto damaged = *whole;
      damaged[at / 8] ^= static_cast<char>(1 << at % 8);
      CHECK_FALSE(decode_group_header(damaged, segment, 4096));
      CHECK_FALSE(decode_body_header(damaged, segment, 777));
    }
  for (std::size_t size = 0; size < body_bytes.size(); ++size)
    CHECK_FALSE(decode_body_header(body_bytes.substr(0, size), segment, 777));
}

TEST_CASE("frames: raw and compressed come back; damage does not") {
  std::string text(100'000, 'a');
  for (auto codec : {Codec::Raw, Codec::Zstd}) {
    auto encoded = encode_frame(text, codec);
    CHECK(encoded.frame.codec == codec);
    CHECK((encoded.bytes.size() < 1'000) == (codec == Codec::Zstd));
    CHECK(decode_frame(encoded.frame, encoded.bytes) == text);
    auto damaged = encoded.bytes;
    damaged[damaged.size() / 2] ^= 1;
    CHECK_FALSE(decode_frame(encoded.frame, damaged));
    CHECK_FALSE(decode_frame(encoded.frame, encoded.bytes.substr(1)));
  }
  // What compressing would not make smaller stays as it is.
  CHECK(encode_frame("x", Codec::Zstd).frame.codec == Codec::Raw);
}

TEST_CASE("operation list: only whole lists are read") {
  Overlay writes;
  writes.put("aaaaaa", "1");
  writes.put("aaaaab", std::string(200, 'v'));
  writes.erase("bbbbbb");
  writes.erase_range({"cccccc", "dddddd"});
  auto bytes = encode_operations(writes);
  CHECK(to_hex(bytes).substr(0, 36) ==
        "0403000663636363636306646464646464"
        "01");
  CHECK(*decode_operations(bytes) == writes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_operations(bytes.substr(0, size)));
  CHECK_FALSE(decode_operations(bytes + "x"));
  CHECK_FALSE(decode_operations(std::string("\x01\x09\x00\x01k", 5)));      // no such kind
  CHECK_FALSE(decode_operations(std::string("\x01\x01\x05\x01k\x00", 6)));  // shares too much
  CHECK_FALSE(decode_operations("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));
}

TEST_CASE("rows: body places and segment uses are read back") {
  BodyPlace place{7, 1ull << 40, 300, 1ull << 33, 1ull << 34, false};
  CHECK(*decode_body_place(encode(place)) == place);
  CHECK_FALSE(decode_body_place(""));
  CHECK(*decode_segment_use(encode(SegmentUse{5, 6})) == SegmentUse{5, 6});
  CHECK_FALSE(decode_segment_use("\xFF"));
}

TEST_CASE("simulated disk: only what was synced is sure to be there after a power failure") {
  int lost = 0, kept = 0, torn = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimulatedFileSystem files(seed);
    REQUIRE(files.make_directory("/d"));
    auto file = *files.open("/d/f", OpenMode::Create);
    REQUIRE(write_all(*file, 0, std::string(2048, 'a')));
    REQUIRE(file->sync_data());
    REQUIRE(files.sync_directory("/d"));
    REQUIRE(write_all(*file, 1024, std::string(2048, 'b')));
    files.power_off();
    CHECK_FALSE(file->sync_data());
    files.power_on();
    CHECK_FALSE(file->sync_data());
    auto bytes = *read_file(files, "/d/f", 10'000);
    CHECK(bytes.substr(0, 1024) == std::string(1024, 'a'));
    auto after = std::ranges::count(bytes, 'b');
    (after == 0 ? lost : after == 2048 ? kept : torn)++;
  }
  CHECK(lost > 0);
  CHECK(kept > 0);
  CHECK(torn > 0);
}
