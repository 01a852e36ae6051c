#include "store/epoch.h"

#include <doctest/doctest.h>

using namespace hikyaku::store;

TEST_CASE("epoch: those of before there was chance come before all others") {
  CHECK(Epoch::of(7).turn == 7);
  auto next = *next_epoch(7, 0xABCD);
  CHECK(next > 0xFFFF);
  CHECK(Epoch::of(next).turn == 8);
  CHECK(Epoch::of(next).chance == 0xABCD);
  CHECK(Epoch::of(*next_epoch(next, 0)).turn == 9);
  CHECK(*next_epoch(next, 0) > next);
  CHECK(Epoch::of(*next_epoch(next, 0xFFFF, 101)).turn == 109);
  CHECK(next_epoch(UINT32_MAX - 0x10000, 5));
  CHECK_FALSE(next_epoch(UINT32_MAX, 5));
}

TEST_CASE("epoch: no two ways that copies of a store go give the same number") {
  constexpr std::uint64_t kLost = 1 << 16;
  auto place = [](auto... epochs) {
    std::uint64_t at = 0;
    std::uint32_t before = 3;
    ((at += epoch_distance(before, epochs, kLost), before = epochs), ...);
    return at;
  };
  auto epoch = [](std::uint32_t turn, std::uint16_t chance) {
    return Epoch{turn, chance}.number();
  };
  // Two places by their chance, a later turn by all that a lost time may have given out.
  CHECK(place(epoch(4, 0)) + 1 == place(epoch(4, 1)));
  CHECK(place(epoch(4, 0xFFFF)) + kLost <= place(epoch(5, 0)));
  CHECK(place(epoch(4, 0)) > kLost);
  // However one came there.
  CHECK(place(epoch(4, 0xFFFF), epoch(5, 1)) == place(epoch(5, 1)));
  CHECK(place(epoch(4, 9), epoch(5, 0xFFFF), epoch(6, 0)) == place(epoch(6, 0)));
  // A row that knows a later epoch than the store moves, too.
  CHECK(epoch_distance(epoch(9, 1), epoch(4, 1), kLost) == 2 * kLost);
  CHECK(epoch_distance(4, 5, 1ULL << 32) == 2ULL << 32);
}
