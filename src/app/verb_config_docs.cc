#include "app/verbs.h"
#include "config/render.h"

namespace hikyaku::app {
namespace {

Exit run(const Invocation&, Terminal& terminal) {
  terminal.out(config::markdown());
  return Exit::Ok;
}

}  // namespace

Verb verb_config_docs() {
  return {
      .name = "config docs",
      .group = Group::Help,
      .summary = {"writes the reference of all options as Markdown",
                  "全オプションの解説を Markdown で書き出す"},
      .details = {"This is how docs/configuration.md is made (`./run docs`).",
                  "docs/configuration.md はこうして作られます (`./run docs`)。"},
      .examples = {{"hikyaku config docs > configuration.md",
                    {"the reference as a file", "解説をファイルに"}}},
      .run = run,
  };
}

}  // namespace hikyaku::app
