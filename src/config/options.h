// The table of all options. Each is declared exactly once, in options_PART.cc; the parser, the
// checks, the sample file, docs/configuration.md and `hikyaku config explain` are made from it.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/phrase.h"
#include "config/config.h"

namespace hikyaku::config {

/// One of Option::choices.
struct Choice {
  std::size_t index = 0;
  bool operator==(const Choice&) const = default;
};

/// The value of any option.
using Value = std::variant<bool, std::int64_t, Bytes, milliseconds, std::string, Choice,
                           std::filesystem::path, std::vector<std::string>,
                           std::vector<milliseconds>, std::vector<IpAddress>, std::vector<Endpoint>,
                           std::vector<ListenEntry>, std::vector<Certificate>>;

/// The types of options; the numbers are the places in Value.
enum class Kind {
  Boolean,
  Integer,
  Size,
  Duration,
  Text,
  Choice,
  Path,
  Texts,
  Durations,
  Addresses,
  Endpoints,
  Listen,
  Certificates,
};

/// When a changed value counts.
enum class Applies {
  OnReload,   ///< from `hikyaku reload` or SIGHUP on, for new connections and attempts
  OnRestart,  ///< only after a restart; a reload says so
};

struct Option {
  std::string_view name;                 ///< "smtp.max_recipients": section and key
  std::string_view fallback;             ///< the default as TOML
  std::string_view local_fallback = {};  ///< the default with server.local; empty: the same
  std::string_view why;                  ///< why this default; in Japanese: why_of()
  std::string_view doc;                  ///< one paragraph; in Japanese: doc_of()
  /// Range of an Integer, a Size (bytes) or a Duration (milliseconds; each one of Durations).
  std::int64_t least = 0;
  std::int64_t most = 0;
  /// The words that a Choice may be, or that Texts may consist of (empty: any).
  std::span<const std::string_view> choices = {};
  Applies applies = Applies::OnReload;
  std::string_view since = "0.1";
  /// What is wrong with a value of the right type and range; "" = nothing.
  std::string (*check)(const Value&) = nullptr;

  // Filled in from the member of Config that the option is bound to.
  Kind kind = Kind::Boolean;
  void (*put)(Config&, Value) = nullptr;
  Value (*get)(const Config&) = nullptr;

  std::string_view section() const { return name.substr(0, name.find('.')); }
  std::string_view key() const { return name.substr(name.find('.') + 1); }
};

/// A heading of the file with a sentence about it.
struct Section {
  std::string_view name;
  std::string_view doc;
};

/// In the order in which they are shown.
std::span<const Section> sections();
/// All options, grouped by section in that order.
std::span<const Option> options();
/// The option of this full name, or null.
const Option* find_option(std::string_view name);

/// The texts of options and sections for people; the Japanese ones are in options_japanese.cc.
std::string_view doc_of(const Option& option, Language language);
std::string_view why_of(const Option& option, Language language);
std::string_view doc_of(const Section& section, Language language);

/// "an integer from 1 to 10", "a duration from 1s to 1d", …: what may be written. In other
/// languages: problem_in().
std::string describe_kind(const Option& option);
/// A value as TOML: `"5m"`, `[25, "192.0.2.1:2525"]`.
std::string to_toml(const Option& option, const Value& value);

}  // namespace hikyaku::config
