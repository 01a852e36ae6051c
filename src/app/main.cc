// The program: one verb of the table in verbs.cc.
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/verbs.h"

int main(int count, char** arguments) {
  using namespace hikyaku::app;
  std::vector<std::string> words(arguments + (count > 0 ? 1 : 0), arguments + count);
  auto verbs = all_verbs();
  auto terminal = Terminal::for_process();
  return static_cast<int>(run_command_line(words, verbs, terminal));
}
