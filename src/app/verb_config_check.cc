#include <fmt/core.h>

#include "app/core.h"
#include "app/files_check.h"
#include "app/instance.h"
#include "app/json.h"
#include "app/verbs.h"
#include "base/text.h"
#include "config/load.h"
#include "config/problem.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kFine{"{}: no mistakes.", "{}: 誤りはありません。"};

/// The line that names a file; 0: none does so in one piece.
int line_of(const std::filesystem::path& file, std::string_view text) {
  int line = 1;
  auto name = file.filename().string();
  for (auto one : split(text, '\n')) {
    auto comment = trim(one).starts_with('#');
    if (!comment && (one.contains(name + '"') || one.contains(name + '\''))) return line;
    ++line;
  }
  return 0;
}

/// What the file names must be there, too, and open to the server.
config::Problems problems_of_files(const std::filesystem::path& file, const config::Config& config,
                                   Language language) {
  config::Problems problems{file.string(), {}};
  auto text = read_file(file, config::kMaxFileSize);
  auto instance = Instance::in(std::filesystem::absolute(file).parent_path());
  for (auto& [path, what] : find_unusable(instance, config, language))
    problems.list.push_back({text ? line_of(path, *text) : 0, what, ""});
  return problems;
}

std::string as_json(const config::Problems& problems, Language language) {
  boost::json::array list;
  for (auto& problem : problems.list)
    list.push_back({{"line", problem.line},
                    {"what", config::problem_in(problem.what, language)},
                    {"remedy", config::problem_in(problem.remedy, language)}});
  return boost::json::serialize(
      boost::json::object{{"file", problems.file}, {"problems", std::move(list)}});
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto file = invocation.arguments().empty() ? Instance::from(invocation.value("--dir")).config
                                             : std::filesystem::path(invocation.argument(0));
  auto config = config::load_file(file);
  if (config) {
    auto files = problems_of_files(file, *config, terminal.language());
    if (!files.list.empty()) config = std::unexpected(std::move(files));
  }
  if (invocation.json()) {
    terminal.out(as_json(config ? config::Problems{file.string(), {}} : config.error(),
                         terminal.language()) +
                 '\n');
  } else if (config) {
    terminal.say(kFine, file.string());
  } else {
    terminal.err(config.error().describe(terminal.language()));
  }
  return config ? Exit::Ok : Exit::Config;
}

}  // namespace

Verb verb_config_check() {
  return {
      .name = "config check",
      .group = Group::Help,
      .summary = {"names every mistake in hikyaku.toml", "hikyaku.toml の誤りをすべて挙げる"},
      .details =
          {"Each mistake comes with its file, its line, what is wrong and what would be "
           "right; also files that it names and that are not there, or (run by root) closed to "
           "the server's user. Exit code 0: there are none; 78: there are.",
           "誤りごとに、ファイル、行、何が誤りで、どう書けば正しいかを示します。そこに書かれたファ"
           "イルがない、"
           "または(root で実行したとき)サーバーのユーザーが読めない場合も示します。終了コードは"
           "、誤りがなければ "
           "0、あれば 78 です。"},
      .arguments = {{"FILE",
                     {"the file to read instead of the instance's",
                      "インスタンスのものの代わりに読むファイル"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku config check --dir ~/mail",
                    {"reads ~/mail/hikyaku.toml", "~/mail/hikyaku.toml を調べる"}},
                   {"hikyaku config check new.toml && mv new.toml /etc/hikyaku/hikyaku.toml",
                    {"puts a new file in place only if it is right",
                     "正しいときだけ新しいファイルに置き換える"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
