#include "app/help.h"
#include "app/verbs.h"

namespace hikyaku::app {
namespace {

Exit run(const Invocation& invocation, Terminal& terminal) {
  if (invocation.json()) {
    auto version = version_text();
    version.remove_prefix(version.find(' ') + 1);
    terminal.out("{\"version\":\"" + std::string(version) + "\"}\n");
  } else {
    terminal.out(std::string(version_text()) + '\n');
  }
  return Exit::Ok;
}

}  // namespace

Verb verb_version() {
  return {
      .name = "version",
      .group = Group::Help,
      .summary = {"prints the version", "バージョンを表示する"},
      .examples = {{"hikyaku version --json",
                    {"for scripts: {\"version\":\"…\"}", "スクリプト向け: {\"version\":\"…\"}"}}},
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
