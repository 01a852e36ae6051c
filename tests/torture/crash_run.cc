#include <fmt/format.h>

#include "runs.h"
#include "world.h"

namespace hikyaku::torture {
namespace {

constexpr int kCrashes = 12;  ///< of one world: it grows meanwhile

/// What goes wrong next, if anything.
void plan_fault(World& world) {
  using Fault = store::SimulatedFileSystem::Fault;
  world.files.set_short_writes(world.one_in(4));
  auto fault = world.one_in(2) ? Fault::Io : Fault::NoSpace;
  switch (world.number(10)) {
    case 0:
      break;  // ends well, or while it closes
    case 1:
      world.files.fail_sync_at(1 + world.number(40), Fault::Io);
      break;
    case 2:
      world.files.fail_write_at(1 + world.number(40), fault);
      break;
    case 3:
      world.files.set_capacity(world.files.used_space() + world.number(400'000),
                               1 + world.number(30));
      break;
    default:
      world.files.power_off_at(1 + world.number(200));
  }
}

}  // namespace

RunReport crash_run(std::uint64_t seed, Break broken) {
  World world(seed, broken);
  world.files.set_ordered_ends(!world.one_in(4));
  MailWork work(world);
  for (int crash = 0; crash < kCrashes; ++crash) {
    world.open(true);
    world.check();
    plan_fault(world);
    work.run(1 + static_cast<int>(world.number(5)), 4 + world.number(12));
    if (world.one_in(4)) world.files.power_off_at(1 + world.number(40));  // while it closes
    world.close();
    ++world.crashes;
    world.files.set_capacity(UINT64_MAX / 2);
    world.files.set_short_writes(false);
    if (!world.files.powered() || world.one_in(2)) {
      world.files.power_off();
      world.files.power_on();
    } else {
      world.files.restart_process();
    }
  }
  world.open(false);
  world.check();
  // Nothing stands in the way of going on.
  work.run(2, 5);
  world.check();
  world.close();
  world.verify();
  return {.crashes = world.crashes,
          .transactions = world.history(),
          .backups = world.backups,
          .segments_removed = world.segments_removed,
          .operations = world.watched.take_operations()};
}

}  // namespace hikyaku::torture
