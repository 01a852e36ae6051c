// Commands that texts name for copying mean the instance that the reader has asked about.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hikyaku::app {

/// `text` with `dir_words` (" --dir DIR") behind each "hikyaku VERB" in it that has none; `verbs`
/// are those that have --dir.
std::string with_dir_words(std::string_view text, std::span<const std::string> verbs,
                           std::string_view dir_words);

}  // namespace hikyaku::app
