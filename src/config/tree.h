// A parsed TOML file as plain values with their lines. The TOML library stays in tree.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "base/result.h"

namespace hikyaku::config {

struct Member;

/// One TOML value and where it stands.
struct Node {
  enum class Kind { Boolean, Integer, Float, Text, Date, Array, Table };
  Kind kind = Kind::Table;
  int line = 0;  ///< from 1
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;             ///< Text
  std::vector<Node> items;      ///< Array
  std::vector<Member> members;  ///< Table, in the order of their lines
};

/// A key of a table with its value.
struct Member {
  std::string name;
  int line = 0;
  Node value;
};

/// One mistake in a file.
struct Problem {
  int line = 0;        ///< 0: the whole file
  std::string what;    ///< what is wrong, without a full stop
  std::string remedy;  ///< what would be right: whole sentences; may be empty

  /// "FILE:LINE: WHAT. REMEDY"
  std::string describe(std::string_view file, Language language = Language::English) const;
};

/// The tree of a TOML 1.0 text; the TOML library stops at the first syntax error, so there is at
/// most one. Values nested deeper than five levels (no option is) come without their contents.
std::expected<Node, Problem> parse_tree(std::string_view text);

}  // namespace hikyaku::config
