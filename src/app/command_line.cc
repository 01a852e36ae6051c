#include "app/command_line.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/suggest.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kUnknownVerb{"unknown verb '{}'.", "'{}' というサブコマンドはありません。"};
constexpr Phrase kUnknownSecond{"unknown verb '{} {}'.",
                                "'{}' に '{}' というサブコマンドはありません。"};
constexpr Phrase kDidYouMean{" Did you mean '{}'?", "'{}' のことですか?"};
constexpr Phrase kSeeHelp{" `hikyaku --help` lists all verbs.",
                          "すべてのサブコマンドは `hikyaku --help` で見られます。"};
constexpr Phrase kUnknownOption{"{} has no option '{}'.",
                                "{} に '{}' というオプションはありません。"};
constexpr Phrase kSeeVerbHelp{" `hikyaku {} --help` lists its options.",
                              "オプションは `hikyaku {} --help` で見られます。"};
constexpr Phrase kNeedsValue{"{} needs a value: {} {}.", "{} には値が要ります: {} {}。"};
constexpr Phrase kEmptyPath{
    "{} is empty: name a file or a directory (is a variable of a script not set?).",
    "{} が空です。ファイルかディレクトリを指定してください"
    "(スクリプトの変数が未設定ではありませんか)。"};
constexpr Phrase kTakesNoValue{"{} takes no value.", "{} に値は付きません。"};
constexpr Phrase kTwice{"{} is given twice.", "{} が二度指定されています。"};
constexpr Phrase kNotInRange{"{} must be a number from {} to {}, not '{}'.",
                             "{} は {} から {} までの数です ('{}' ではありません)。"};
constexpr Phrase kNotAChoice{"{} must be {}, not '{}'.",
                             "{} は {} のいずれかです ('{}' ではありません)。"};
constexpr Phrase kMissing{"{} is missing. Usage: hikyaku {}",
                          "{} がありません。使い方: hikyaku {}"};
constexpr Phrase kTooMany{"'{}' is one word too many. Usage: hikyaku {}",
                          "'{}' は余分です。使い方: hikyaku {}"};
constexpr Phrase kNeedsSecond{"'{}' needs a second word: {}.", "'{}' の後にもう一語要ります: {}。"};

std::string alternatives(const std::vector<std::string_view>& words) {
  std::string all;
  for (auto& word : words) {
    if (!all.empty()) all += " | ";
    all += word;
  }
  return all;
}

/// Whether a value or an argument that the help calls so is a path.
bool names_path(std::string_view called) {
  return called == "DIR" || called == "FILE" || called == "PATH" || called == "PEM";
}

class Parser {
 public:
  Parser(std::span<const std::string> words, std::span<const Verb> verbs, Language language)
      : words_(words), verbs_(verbs), language_(language) {}

  std::expected<Parsed, UsageError> run() {
    skip_leading_options();
    if (problem_) return std::unexpected(std::move(*problem_));
    if (version_) return Parsed{Parsed::What::Version, {}, {}};
    if (at_ == words_.size()) return Parsed{Parsed::What::Help, {}, {}};
    if (words_[at_] == "help") return help_verb();
    auto verb = find_verb();
    if (problem_) return std::unexpected(std::move(*problem_));
    if (!verb) return Parsed{Parsed::What::Help, verb_words_, {}};
    return parse_verb(*verb);
  }

 private:
  template <class... Args>
  void wrong(const Phrase& phrase, const Args&... args) {
    if (!problem_) problem_ = UsageError{say(language_, phrase, args...), verb_words_};
  }
  template <class... Args>
  void add_remedy(const Phrase& phrase, const Args&... args) {
    problem_->text += say(language_, phrase, args...);
  }

  std::string shown(std::string_view word) const { return printable(word, 60); }

  /// --help, --lang and --version may stand before the verb.
  void skip_leading_options() {
    for (; at_ < words_.size() && words_[at_].starts_with('-') && !problem_; ++at_) {
      auto& word = words_[at_];
      if (word == "--version" || word == "-V") {
        version_ = true;
      } else if (word == "--help" || word == "-h") {
        help_ = true;
      } else if (word == "--lang" || word.starts_with("--lang=")) {
        take_option(lang_option(), word.size() > 6 ? std::optional(word.substr(7)) : std::nullopt,
                    nullptr);
      } else {
        wrong(kUnknownOption, "hikyaku", shown(word));
        add_remedy(kSeeHelp);
      }
    }
  }

  /// `hikyaku help config check`.
  std::expected<Parsed, UsageError> help_verb() {
    ++at_;
    help_ = true;
    if (at_ == words_.size()) return Parsed{Parsed::What::Help, {}, {}};
    find_verb();
    if (problem_) return std::unexpected(std::move(*problem_));
    return Parsed{Parsed::What::Help, verb_words_, {}};
  }

  std::vector<std::string_view> first_words() const {
    std::vector<std::string_view> firsts;
    for (auto& verb : verbs_) {
      auto first = verb.name.substr(0, verb.name.find(' '));
      if (std::ranges::find(firsts, first) == firsts.end()) firsts.push_back(first);
    }
    return firsts;
  }

  std::vector<std::string_view> second_words(std::string_view first) const {
    std::vector<std::string_view> seconds;
    for (auto& verb : verbs_)
      if (verb.name.size() > first.size() && verb.name.starts_with(first) &&
          verb.name[first.size()] == ' ')
        seconds.push_back(verb.name.substr(first.size() + 1));
    return seconds;
  }

  const Verb* verb_named(std::string_view name) const {
    auto found = std::ranges::find(verbs_, name, &Verb::name);
    return found == verbs_.end() ? nullptr : &*found;
  }

  void unknown_verb(std::string_view before, std::string_view word,
                    const std::vector<std::string_view>& candidates) {
    if (before.empty())
      wrong(kUnknownVerb, shown(word));
    else
      wrong(kUnknownSecond, trim(before), shown(word));
    auto near = closest(word, candidates);
    if (!near.empty())
      add_remedy(kDidYouMean, std::string(before) + std::string(near));
    else
      add_remedy(kSeeHelp);
  }

  /// The verb at the present word, which is left behind; null with verb_words_ set when its help
  /// is asked for ("config --help"), null with a problem when there is none.
  const Verb* find_verb() {
    std::string first = words_[at_++];
    auto seconds = second_words(first);
    auto alone = verb_named(first);
    if (!alone && seconds.empty()) {
      unknown_verb({}, first, first_words());
      return nullptr;
    }
    verb_words_ = first;
    if (seconds.empty()) return alone;

    if (at_ < words_.size() && !words_[at_].starts_with('-')) {
      auto& second = words_[at_];
      if (auto verb = verb_named(first + ' ' + second)) {
        ++at_;
        verb_words_ = verb->name;
        return verb;
      }
      if (!alone) unknown_verb(first + ' ', second, seconds);
      return alone;
    }
    if (!alone && !help_ && !asks_help()) wrong(kNeedsSecond, first, alternatives(seconds));
    return alone;
  }

  bool asks_help() const {
    return std::ranges::any_of(words_.subspan(at_),
                               [](auto& word) { return word == "--help" || word == "-h"; });
  }

  std::expected<Parsed, UsageError> parse_verb(const Verb& verb) {
    Invocation invocation(verb);
    options_ = all_options(verb);
    if (help_) return Parsed{Parsed::What::Help, verb_words_, {}};
    if (verb.raw_arguments) {
      if (at_ < words_.size() && words_[at_] == "--help")
        return Parsed{Parsed::What::Help, verb_words_, {}};
      for (; at_ < words_.size(); ++at_) invocation.add_argument(words_[at_]);
      return Parsed{Parsed::What::Run, verb_words_, std::move(invocation)};
    }
    for (bool options_end = false; at_ < words_.size() && !problem_; ++at_) {
      auto& word = words_[at_];
      if (!options_end && word == "--")
        options_end = true;
      else if (!options_end && (word == "--help" || word == "-h"))
        return Parsed{Parsed::What::Help, verb_words_, {}};
      else if (!options_end && word.starts_with("--"))
        long_option(verb, word, invocation);
      else if (!options_end && word.size() > 1 && word.starts_with('-'))
        short_options(verb, word, invocation);
      else
        invocation.add_argument(word);
    }
    check_arguments(verb, invocation);
    if (problem_) return std::unexpected(std::move(*problem_));
    return Parsed{Parsed::What::Run, verb_words_, std::move(invocation)};
  }

  void unknown_option(const Verb& verb, std::string_view name) {
    wrong(kUnknownOption, fmt::format("hikyaku {}", verb.name), shown(name));
    std::vector<std::string_view> names;
    for (auto& option : options_) names.push_back(option.name);
    auto near = closest(name, names);
    if (!near.empty())
      add_remedy(kDidYouMean, near);
    else
      add_remedy(kSeeVerbHelp, verb.name);
  }

  void long_option(const Verb& verb, const std::string& word, Invocation& invocation) {
    auto equals = word.find('=');
    auto name = word.substr(0, equals);
    auto option = std::ranges::find(options_, name, &OptionSpec::name);
    if (option == options_.end()) return unknown_option(verb, name);
    auto value =
        equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1));
    take_option(*option, std::move(value), &invocation);
  }

  /// "-t", "-fADDRESS", "-f ADDRESS", "-ti".
  void short_options(const Verb& verb, const std::string& word, Invocation& invocation) {
    for (std::size_t i = 1; i < word.size() && !problem_; ++i) {
      auto name = std::string("-") + word[i];
      auto option = std::ranges::find(options_, name, &OptionSpec::short_name);
      if (option == options_.end()) return unknown_option(verb, word);
      if (option->value.empty()) {
        take_option(*option, std::nullopt, &invocation);
        continue;
      }
      auto rest = i + 1 < word.size() ? std::optional(word.substr(i + 1)) : std::nullopt;
      return take_option(*option, std::move(rest), &invocation);
    }
  }

  /// Takes the option's value, from the next word if `value` is not there, and checks it.
  void take_option(const OptionSpec& option, std::optional<std::string> value,
                   Invocation* invocation) {
    if (option.value.empty()) {
      if (value) return wrong(kTakesNoValue, option.name);
      value = "";
    } else if (!value) {
      if (at_ + 1 >= words_.size())
        return wrong(kNeedsValue, option.name, option.name, option.value);
      value = words_[++at_];
    }
    if (value->empty() && names_path(option.value)) return wrong(kEmptyPath, option.name);
    if (option.most != option.least) {
      auto number = parse_decimal(*value, INT64_MAX);
      auto count = number ? static_cast<std::int64_t>(*number) : -1;
      if (!number || count < option.least || count > option.most)
        return wrong(kNotInRange, option.name, option.least, option.most, shown(*value));
    }
    if (!option.choices.empty() &&
        std::ranges::find(option.choices, *value) == option.choices.end())
      return wrong(kNotAChoice, option.name, alternatives(option.choices), shown(*value));
    if (!invocation) return;
    if (invocation->has(option.name) && !option.repeatable) return wrong(kTwice, option.name);
    invocation->add_option(option.name, std::move(*value));
  }

  void check_arguments(const Verb& verb, const Invocation& invocation) {
    using Count = ArgumentSpec::Count;
    auto given = invocation.arguments().size();
    std::size_t position = 0;
    for (auto& argument : verb.arguments) {
      auto required = argument.count == Count::One || argument.count == Count::OneOrMore;
      if (required && position >= given) wrong(kMissing, argument.name, usage_line(verb));
      if (position < given && names_path(argument.name) && invocation.argument(position).empty())
        wrong(kEmptyPath, argument.name);
      if (argument.count == Count::OneOrMore || argument.count == Count::Any) return;
      ++position;
    }
    if (given > position) wrong(kTooMany, shown(invocation.argument(position)), usage_line(verb));
  }

 private:
  std::span<const std::string> words_;
  std::span<const Verb> verbs_;
  Language language_;
  std::size_t at_ = 0;
  bool help_ = false;
  bool version_ = false;
  std::string verb_words_;
  std::vector<OptionSpec> options_;
  std::optional<UsageError> problem_;
};

}  // namespace

const OptionSpec& help_option() {
  static const OptionSpec option{
      .name = "--help",
      .short_name = "-h",
      .help = {"this text", "この説明"},
  };
  return option;
}

const OptionSpec& lang_option() {
  static const OptionSpec option{
      .name = "--lang",
      .value = "LANG",
      .help = {"the language to speak: en or ja (default: that of LANG)",
               "使う言語: en または ja (既定は環境変数 LANG の言語)"},
      .choices = {"en", "ja"},
  };
  return option;
}

const OptionSpec& dir_option() {
  static const OptionSpec option{
      .name = "--dir",
      .value = "DIR",
      .help =
          {"the directory that holds everything of one instance (default: the system's, "
           "/etc/hikyaku and /var/lib/hikyaku)",
           "一つのインスタンスのすべてを収めるディレクトリ (既定はシステムのもの、/etc/hikyaku と "
           "/var/lib/hikyaku)"},
  };
  return option;
}

const OptionSpec& json_option() {
  static const OptionSpec option{
      .name = "--json",
      .help = {"answer in JSON, for programs", "プログラム向けに JSON で答える"},
  };
  return option;
}

std::vector<OptionSpec> all_options(const Verb& verb) {
  auto options = verb.options;
  if (verb.uses_instance) options.push_back(dir_option());
  if (verb.has_json) options.push_back(json_option());
  options.push_back(lang_option());
  options.push_back(help_option());
  return options;
}

std::optional<Language> asked_language(std::span<const std::string> words) {
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    std::string_view value;
    if (words[i] == "--lang" && i + 1 < words.size())
      value = words[i + 1];
    else if (words[i].starts_with("--lang="))
      value = std::string_view(words[i]).substr(7);
    if (value == "en") return Language::English;
    if (value == "ja") return Language::Japanese;
  }
  return std::nullopt;
}

std::expected<Parsed, UsageError> parse_command_line(std::span<const std::string> words,
                                                     std::span<const Verb> verbs,
                                                     Language language) {
  return Parser(words, verbs, language).run();
}

std::string usage_line(const Verb& verb) {
  std::string line(verb.name);
  for (auto& argument : verb.arguments) {
    switch (argument.count) {
      case ArgumentSpec::Count::One:
        line += fmt::format(" {}", argument.name);
        break;
      case ArgumentSpec::Count::Optional:
        line += fmt::format(" [{}]", argument.name);
        break;
      case ArgumentSpec::Count::OneOrMore:
        line += fmt::format(" {}...", argument.name);
        break;
      case ArgumentSpec::Count::Any:
        line += fmt::format(" [{}...]", argument.name);
        break;
    }
  }
  return line;
}

}  // namespace hikyaku::app
