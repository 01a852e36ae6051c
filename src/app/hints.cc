#include "app/hints.h"

#include <algorithm>

namespace hikyaku::app {
namespace {

constexpr std::string_view kProgram = "hikyaku ";

bool is_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '/' || c == '.';
}

/// The verb that `text` begins with, of two words before of one; "" for none.
std::string_view verb_at(std::string_view text, std::span<const std::string> verbs) {
  std::string_view longest;
  for (auto& verb : verbs) {
    if (verb.size() <= longest.size() || !text.starts_with(verb)) continue;
    auto behind = text.substr(verb.size());
    auto ends_sentence = behind.starts_with('.') && (behind.size() == 1 || behind[1] == ' ');
    if (behind.empty() || !is_of_word(behind.front()) || ends_sentence) longest = verb;
  }
  return longest;
}

}  // namespace

std::string with_dir_words(std::string_view text, std::span<const std::string> verbs,
                           std::string_view dir_words) {
  std::string all;
  while (true) {
    auto at = text.find(kProgram);
    auto begin = at == text.npos ? text.size() : at + kProgram.size();
    bool whole = at != text.npos && (at == 0 || !is_of_word(text[at - 1]));
    all += text.substr(0, begin);
    if (at == text.npos) return all;
    text.remove_prefix(begin);
    auto verb = whole ? verb_at(text, verbs) : std::string_view();
    // "process 17 (hikyaku serve)" is a name.
    bool named = all.ends_with("(hikyaku ") && text.substr(verb.size()).starts_with(')');
    all += verb;
    text.remove_prefix(verb.size());
    auto command = text.substr(0, text.find(kProgram));
    if (!verb.empty() && !named && !command.contains(" --dir ")) all += dir_words;
  }
}

}  // namespace hikyaku::app
