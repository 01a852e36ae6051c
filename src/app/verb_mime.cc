#include "app/cli.h"
#include "app/input_file.h"
#include "app/verbs.h"
#include "mime/describe.h"

namespace hikyaku::app {
namespace {

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto bytes = read_input(invocation.argument(0));
  if (!bytes) return report(bytes.error(), terminal);
  auto message = mime::parse_message(*bytes);
  if (invocation.json())
    terminal.out(mime::describe_json(message) + '\n');
  else
    terminal.out(mime::describe_text(message));
  return Exit::Ok;
}

}  // namespace

Verb verb_mime() {
  return {
      .name = "mime",
      .group = Group::Tools,
      .summary = {"shows what a message consists of: structure, decoded headers, parts",
                  "メッセージの構造、デコードしたヘッダー、各パートを表示する"},
      .details = {"Every message has some structure; what is wrong with it is named where it is.",
                  "どんなメッセージにも構造があります。おかしなところは、その場所に示します。"},
      .arguments = {{"FILE",
                     {"the message; - or nothing: standard input",
                      "メッセージ。- または省略で標準入力"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku mime letter.eml", {"for reading", "読むために"}},
                   {"hikyaku mime --json letter.eml | python3 -m json.tool",
                    {"for programs", "プログラムのために"}}},
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
