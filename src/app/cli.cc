#include "app/cli.h"

#include <exception>
#include <filesystem>

#include "app/command_line.h"
#include "app/error_phrases.h"
#include "app/help.h"
#include "app/next_steps.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kDefect{"a defect in Hikyaku ended this command: {}. Please report it.",
                         "Hikyaku の不具合で、このコマンドは終わりました: {}。ご報告ください。"};
constexpr Phrase kNotWritten{"the output could not be written completely",
                             "出力をすべて書き出すことができませんでした"};

/// Commands that are shown for copying mean the same instance.
void name_instance(const Invocation& invocation, std::span<const Verb> verbs, Terminal& terminal) {
  auto dir = invocation.value("--dir");
  if (!dir) return;
  std::vector<std::string> names;
  for (auto& verb : verbs)
    if (verb.uses_instance) names.emplace_back(verb.name);
  terminal.name_instance(std::move(names), dir_words(Instance::from(dir)));
}

/// A path that nobody thought of: the disk's doing, not ours.
Exit report_path(const std::filesystem::filesystem_error& thrown, Terminal& terminal) {
  auto path = thrown.path1().string();
  auto error = errno_error(path.empty() ? thrown.what() : path, thrown.code().value());
  return report(error, terminal);
}

Exit obey(std::span<const std::string> words, std::span<const Verb> verbs, Terminal& terminal) {
  if (auto asked = asked_language(words)) terminal.set_language(*asked);
  auto parsed = parse_command_line(words, verbs, terminal.language());
  if (!parsed) {
    terminal.complain_text(parsed.error().text);
    return Exit::Usage;
  }
  auto exit = Exit::Ok;
  switch (parsed->what) {
    case Parsed::What::Help:
      show_help(verbs, parsed->words, terminal);
      break;
    case Parsed::What::Version:
      terminal.out(std::string(version_text()) + '\n');
      break;
    case Parsed::What::Run:
      name_instance(*parsed->invocation, verbs, terminal);
      exit = parsed->invocation->verb().run(*parsed->invocation, terminal);
      break;
  }
  if (!terminal.intact() && exit == Exit::Ok) {
    if (!terminal.reader_left()) terminal.complain(kNotWritten);
    return Exit::Io;
  }
  return exit;
}

}  // namespace

Exit run_command_line(std::span<const std::string> words, std::span<const Verb> verbs,
                      Terminal& terminal) {
  // The one place for what nobody expected; a verb reports what it expects itself.
  try {
    return obey(words, verbs, terminal);
  } catch (const std::filesystem::filesystem_error& error) {
    return report_path(error, terminal);
  } catch (const std::exception& unexpected) {
    terminal.complain(kDefect, unexpected.what());
    return Exit::Software;
  }
}

Exit exit_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::Invalid:
    case ErrorCode::TooLarge:
    case ErrorCode::Corrupt:
      return Exit::Data;
    case ErrorCode::NotFound:
      return Exit::NoInput;
    case ErrorCode::Exists:
      return Exit::CannotCreate;
    case ErrorCode::Denied:
      return Exit::NoPermission;
    case ErrorCode::Unsupported:
      return Exit::Unavailable;
    case ErrorCode::Conflict:
    case ErrorCode::QuotaExceeded:
    case ErrorCode::NoSpace:
    case ErrorCode::Unavailable:
    case ErrorCode::Shutdown:
      return Exit::TryLater;
    case ErrorCode::Io:
      return Exit::Io;
    case ErrorCode::Internal:
      return Exit::Software;
  }
  return Exit::Software;
}

Exit report(const Error& error, Terminal& terminal) {
  terminal.complain_text(error_in(error, terminal.language()));
  return exit_for(error.code);
}

}  // namespace hikyaku::app
