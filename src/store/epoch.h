// Epochs: which lost future a store goes on behind. docs/data-model.md, "Epoch".
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace hikyaku::store {

/// An epoch is a *turn*, one more with each restore and each repair that lost something, and below
/// it 16 bits of *chance*: the same backup, restored in two places that know nothing of each other,
/// goes on behind two different futures. Those up to 65,535 were given before there was chance: a
/// turn alone.
struct Epoch {
  std::uint32_t turn = 0;
  std::uint16_t chance = 0;

  static constexpr std::uint32_t kHighestTurn = 0xFFFF;

  static constexpr Epoch of(std::uint32_t number) {
    if (number <= 0xFFFF) return {number, 0};
    return {number >> 16, static_cast<std::uint16_t>(number)};
  }
  constexpr std::uint32_t number() const { return turn << 16 | chance; }
};

/// The epoch behind `number`. nullopt: there is none any more.
constexpr std::optional<std::uint32_t> next_epoch(std::uint32_t number, std::uint16_t chance,
                                                  std::uint32_t turns = 1) {
  auto turn = std::uint64_t{Epoch::of(number).turn} + turns;
  if (turn > Epoch::kHighestTurn) return std::nullopt;
  return Epoch{static_cast<std::uint32_t>(turn), chance}.number();
}

/// How far numbers move from one epoch to a later one, of which each turn has `2 * lost` for
/// itself: chance moves within the first half, and what was given out in the lost time is less than
/// the other. However the ways of two copies part, neither gives out what the other did.
constexpr std::uint64_t epoch_distance(std::uint32_t from, std::uint32_t to, std::uint64_t lost) {
  auto place = [&](Epoch epoch) {
    return std::uint64_t{epoch.turn} * 2 * lost + epoch.chance * (lost >> 16);
  };
  auto before = place(Epoch::of(from)), after = place(Epoch::of(to));
  // A row of a later epoch is not the store's own: it moves all the same.
  return after > before ? after - before : 2 * lost;
}

}  // namespace hikyaku::store
