#include "app/verbs.h"
#include "config/render.h"

namespace hikyaku::app {
namespace {

Exit run(const Invocation&, Terminal& terminal) {
  terminal.out(config::sample({}, config::Detail::Everything));
  return Exit::Ok;
}

}  // namespace

Verb verb_config_sample() {
  return {
      .name = "config sample",
      .group = Group::Help,
      .summary = {"writes a hikyaku.toml with every option, explained",
                  "全オプションを説明付きで並べた hikyaku.toml を書き出す"},
      .details =
          {"Every option is there with what it does and its default, commented out: take "
           "the # away where you want something else.",
           "すべてのオプションが、働きと既定値とともにコメントとして並んでいます。変えたいものだけ "
           "# を外してください。"},
      .examples = {{"hikyaku config sample > /etc/hikyaku/hikyaku.toml",
                    {"begin with a file to edit", "編集のもとになるファイルを作る"}}},
      .run = run,
  };
}

}  // namespace hikyaku::app
