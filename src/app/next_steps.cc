#include "app/next_steps.h"

#include "app/cli.h"
#include "app/error_phrases.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNotYours{
    "{}. The instance belongs to another user: run this as that user or as root.",
    "{}。このインスタンスは別のユーザーのものです。そのユーザーか root で実行してください。"};

}  // namespace

std::string dir_words(const Instance& instance) {
  if (instance.config == Instance::of_system().config) return "";
  return " --dir " + instance.config.parent_path().string();
}

Exit report_access(const Error& error, Terminal& terminal) {
  if (error.code != ErrorCode::Denied) return report(error, terminal);
  terminal.complain(kNotYours, error_in(error, terminal.language()));
  return exit_for(error.code);
}

}  // namespace hikyaku::app
