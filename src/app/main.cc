// The program: one verb of the table in verbs.cc.
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/sendmail_options.h"
#include "app/verbs.h"
#include "net/tls.h"

int main(int count, char** arguments) {
  using namespace hikyaku::app;
  // Before anything uses OpenSSL: idle TLS connections cost half as much.
  hikyaku::net::separate_tls_buffers();
  std::vector<std::string> words(arguments + (count > 0 ? 1 : 0), arguments + count);
  if (count > 0) words = words_for_name(arguments[0], std::move(words));
  auto verbs = all_verbs();
  auto terminal = Terminal::for_process();
  return static_cast<int>(run_command_line(words, verbs, terminal));
}
