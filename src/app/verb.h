// What a verb of the command line is: its words, options, texts and what it does. A verb is one
// function `Verb verb_NAME()` in a file verb_NAME.cc; verbs.cc lists them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/exit.h"
#include "app/terminal.h"
#include "base/phrase.h"

namespace hikyaku::app {

/// One option of a verb.
struct OptionSpec {
  std::string_view name;             ///< "--port-base"
  std::string_view short_name = {};  ///< "-p", or empty
  std::string_view value = {};  ///< "N": it takes a value, called so in the help; empty: a switch
  Phrase help;
  /// Both 0: any text. Otherwise the value is an integer in this range.
  std::int64_t least = 0;
  std::int64_t most = 0;
  /// The only values it may have; empty: any.
  std::vector<std::string_view> choices = {};
  bool repeatable = false;
};

/// One positional argument.
struct ArgumentSpec {
  enum class Count { One, Optional, OneOrMore, Any };
  std::string_view name;  ///< "ADDRESS"
  Phrase help;
  Count count = Count::One;  ///< others than One only for the last
};

/// A command to copy, and what it does.
struct Example {
  std::string_view command;
  Phrase what;
};

/// Under which heading `hikyaku --help` lists a verb.
enum class Group { Start, Accounts, Mail, Store, Tools, Help };

class Invocation;

struct Verb {
  std::string_view name;  ///< "serve"; of two words "config check"
  Group group = Group::Tools;
  Phrase summary;       ///< one line, as in "names every mistake in hikyaku.toml"; no full stop
  Phrase details = {};  ///< paragraphs; may be empty
  std::vector<ArgumentSpec> arguments = {};
  std::vector<OptionSpec> options = {};
  std::vector<Example> examples = {};
  bool uses_instance = false;  ///< has --dir
  bool has_json = false;       ///< has --json
  /// Everything behind the verb is handed over as it is (sendmail's own option syntax).
  bool raw_arguments = false;
  std::function<Exit(const Invocation&, Terminal&)> run;
};

/// A parsed command line: what the verb was given.
class Invocation {
 public:
  explicit Invocation(const Verb& verb) : verb_(&verb) {}

  const Verb& verb() const { return *verb_; }
  /// True if the option was given.
  bool has(std::string_view option) const { return options_.contains(option); }
  /// The option's value (the last, if it is repeatable), or nullopt.
  std::optional<std::string> value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
  /// The value of an option with a range.
  std::int64_t number(std::string_view option, std::int64_t fallback) const;
  bool json() const { return has("--json"); }

  /// All positional arguments; argument(i) is the i-th or "".
  const std::vector<std::string>& arguments() const { return arguments_; }
  std::string argument(std::size_t index) const {
    return index < arguments_.size() ? arguments_[index] : std::string();
  }

  /// For the parser.
  void add_option(std::string_view name, std::string value);
  void add_argument(std::string value) { arguments_.push_back(std::move(value)); }

 private:
  const Verb* verb_;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
  std::vector<std::string> arguments_;
};

}  // namespace hikyaku::app
