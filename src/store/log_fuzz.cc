// A whole log segment with any bytes behind its header: reading, searching and replaying it end,
// and give no group that was not written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/time.h"
#include "store/recovery.h"
#include "store/simulated_file_system.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

struct StandingClock final : Clock {
  Time now() const override { return Time{}; }
};

/// Damages a log of three groups as the input says: pairs of place and value.
void damage(SimulatedFileSystem& files, std::string_view bytes) {
  for (; bytes.size() >= 3; bytes.remove_prefix(3)) {
    auto place = static_cast<std::uint8_t>(bytes[0]) << 8 | static_cast<std::uint8_t>(bytes[1]);
    files.flip_bit("/j/0000000001.log", kSegmentStart + static_cast<std::uint64_t>(place % 1024),
                   bytes[2] & 7);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  StandingClock clock;
  SimulatedFileSystem files(1);
  (void)files.make_directory("/j");
  Segments segments(files, clock, "/j", "0123456789abcdef");
  LogWriter log(segments, {8192, 8192});
  if (!log.roll(1, 0)) std::abort();
  for (Lsn lsn = 1; lsn <= 3; ++lsn) {
    Writes group;
    group.rows.put("key-" + std::to_string(lsn), std::string(lsn * 50, 'v'));
    if (!log.append(group, lsn, Time{})) std::abort();
  }
  damage(files, {reinterpret_cast<const char*>(data), size});

  auto chain = open_log_chain(segments);
  if (!chain) std::abort();
  Lsn last = 0;
  auto apply = [&](const GroupRecord& group, JournalPosition) -> Result<void> {
    if (group.header.lsn <= last || group.header.lsn > 3) std::abort();
    last = group.header.lsn;
    auto* value = group.writes.find("key-" + std::to_string(last));
    if (!value || *value != std::string(last * 50, 'v')) std::abort();
    return {};
  };
  auto replayed = replay(*chain, {}, apply);
  while (replayed && replayed->damage) {
    auto behind = behind_damage(*chain, *replayed->damage, replayed->last.lsn);
    if (!behind) std::abort();
    if (!*behind) break;
    replayed = replay(*chain, (*behind)->before, apply);
  }
  return 0;
}
