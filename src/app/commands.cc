#include "app/commands.h"

namespace hikyaku::app {

void add_commands(ControlTable& table, Core& core, const KeyLooks* looks) {
  add_directory_commands(table, core);
  add_dkim_commands(table, core, looks);
  add_queue_commands(table, core);
  add_story_commands(table, core);
  add_check_commands(table, core);
  add_transfer_commands(table, core);
  add_space_commands(table, core);
}

}  // namespace hikyaku::app
