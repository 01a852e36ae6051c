// The whole command line: parse, help, run the verb, say what went wrong.
#pragma once

#include <span>
#include <string>

#include "app/exit.h"
#include "app/terminal.h"
#include "app/verb.h"
#include "base/result.h"

namespace hikyaku::app {

/// Runs `words` (those behind the program's name).
Exit run_command_line(std::span<const std::string> words, std::span<const Verb> verbs,
                      Terminal& terminal);

/// The exit code that fits an error of a verb's work.
Exit exit_for(ErrorCode code);
/// Says the error on standard error and gives its exit code.
Exit report(const Error& error, Terminal& terminal);

}  // namespace hikyaku::app
