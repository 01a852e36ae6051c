// How many columns a text takes on a terminal, and how it is broken into lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hikyaku::app {

/// Columns on a terminal: East Asian wide and full-width characters take two, combining ones none.
std::size_t columns(std::string_view utf8);

/// `text` followed by spaces up to `width` columns.
std::string padded(std::string_view text, std::size_t width);

/// `text` in lines of at most `width` columns, each after `indent` spaces and ended by a newline.
/// Breaks at spaces and between Japanese characters, but never before closing punctuation or after
/// an opening bracket. Newlines in the text stay; lines that begin with a space are not broken.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace hikyaku::app
