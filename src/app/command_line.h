// The parser of the command line: words -> a verb with its options and arguments, or what is wrong
// and how it would be right.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/verb.h"

namespace hikyaku::app {

/// The options that every verb has, and those that come with Verb::uses_instance and has_json.
const OptionSpec& help_option();
const OptionSpec& lang_option();
const OptionSpec& dir_option();
const OptionSpec& json_option();

/// All options of a verb, its own first.
std::vector<OptionSpec> all_options(const Verb& verb);

/// "config explain [NAME]".
std::string usage_line(const Verb& verb);

/// What a command line asks for.
struct Parsed {
  enum class What {
    Run,      ///< `invocation`
    Help,     ///< about `words` (a verb, the first word of several, or everything)
    Version,  ///< --version
  };
  What what = What::Run;
  std::string words;
  std::optional<Invocation> invocation;
};

/// A wrong command line.
struct UsageError {
  std::string text;   ///< what is wrong and what would be right, in the asked language
  std::string words;  ///< the verb that it is about; empty: none yet
};

/// The language that --lang asks for, wherever it stands; nullopt: no (valid) --lang.
std::optional<Language> asked_language(std::span<const std::string> words);

/// `words` are those behind the program's name. `verbs` must outlive the result.
std::expected<Parsed, UsageError> parse_command_line(std::span<const std::string> words,
                                                     std::span<const Verb> verbs,
                                                     Language language);

}  // namespace hikyaku::app
