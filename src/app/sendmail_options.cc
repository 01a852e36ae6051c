#include "app/sendmail_options.h"

#include <charconv>

#include "base/text.h"

namespace hikyaku::app {
namespace {

/// Options with a value, attached or as the next word.
constexpr std::string_view kWithValue = "fFrBCNOpRLVXhoA";
/// Options without, that change nothing here.
constexpr std::string_view kHarmless = "GmnU";

/// "<a@b>" and "a@b".
std::string without_brackets(std::string_view address) {
  if (address.starts_with('<') && address.ends_with('>')) {
    address.remove_prefix(1);
    address.remove_suffix(1);
  }
  return std::string(address);
}

Result<void> take_value(SendmailOptions& options, char letter, const std::string& value) {
  switch (letter) {
    case 'f':
    case 'r':
      options.from = without_brackets(value);
      break;
    case 'F':
      options.full_name = value;
      break;
    case 'B':
      options.eight_bit = iequals(value, "8BITMIME");
      break;
    case 'o':
      if (value == "i") options.ignore_dots = true;
      break;
    case 'N':
      options.notify = value;
      break;
    case 'R':
      options.ret = value;
      break;
    case 'V':
      options.envelope_id = value;
      break;
    default:
      break;  // queue ids, log files: nothing that we do
  }
  return {};
}

Result<void> take_mode(SendmailOptions& options, std::string_view mode) {
  if (mode == "s")
    options.mode = SendmailOptions::Mode::Smtp;
  else if (mode == "p")
    options.mode = SendmailOptions::Mode::ListQueue;
  else if (mode == "i")
    options.mode = SendmailOptions::Mode::Nothing;
  else if (mode != "m" && mode != "a")
    return fail(ErrorCode::Invalid,
                "sendmail -b{} is not what this program does; the server is started with `hikyaku "
                "serve`",
                printable(mode, 20));
  return {};
}

}  // namespace

Result<SendmailOptions> parse_sendmail_options(std::span<const std::string> words) {
  SendmailOptions options;
  bool options_end = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    auto& word = words[i];
    if (options_end || word.size() < 2 || word[0] != '-') {
      options.recipients.push_back(without_brackets(word));
      continue;
    }
    if (word == "--") {
      options_end = true;
      continue;
    }
    if (word == "--dir") {
      if (++i == words.size()) return fail(ErrorCode::Invalid, "--dir needs a value");
      if (words[i].empty()) return fail(ErrorCode::Invalid, "--dir is empty: name a directory");
      options.dir = words[i];
      continue;
    }
    if (word == "--wait") {
      if (++i == words.size()) return fail(ErrorCode::Invalid, "--wait needs a value");
      std::uint32_t given = 0;
      auto end = words[i].data() + words[i].size();
      auto [read, error] = std::from_chars(words[i].data(), end, given);
      if (error != std::errc() || read != end || given > 3600)
        return fail(ErrorCode::Invalid, "--wait {}: give seconds, 3600 at most", words[i]);
      options.wait = seconds(given);
      continue;
    }
    auto letter = word[1];
    auto rest = word.substr(2);
    if (letter == 'b') {
      TRY_DO(take_mode(options, rest));
    } else if (letter == 'q') {
      options.mode = SendmailOptions::Mode::Nothing;  // the server's queue runs by itself
    } else if (kWithValue.contains(letter)) {
      if (rest.empty() && ++i == words.size())
        return fail(ErrorCode::Invalid, "-{} needs a value", letter);
      TRY_DO(take_value(options, letter, rest.empty() ? words[i] : rest));
    } else {
      // Single letters, which some programs write together (-ti).
      for (auto flag : std::string_view(word).substr(1)) {
        if (flag == 't')
          options.extract = true;
        else if (flag == 'i')
          options.ignore_dots = true;
        else if (flag == 'v')
          options.verbose = true;
        else if (!kHarmless.contains(flag))
          return fail(ErrorCode::Invalid, "sendmail has no option -{}",
                      printable(std::string(1, flag)));
      }
    }
  }
  return options;
}

std::vector<std::string> words_for_name(std::string_view program, std::vector<std::string> words) {
  auto name = program.substr(program.rfind('/') + 1);
  if (name == "sendmail" || name == "newaliases" || name == "mailq") {
    if (name == "newaliases") words.insert(words.begin(), "-bi");
    words.insert(words.begin(), name == "mailq" ? "mailq" : "sendmail");
  }
  return words;
}

}  // namespace hikyaku::app
