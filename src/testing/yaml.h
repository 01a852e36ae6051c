// The part of YAML in which test suites for SPF, ARC and others are written. For tests only: it
// trusts the file's author, and throws where it does not understand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::testing {

struct YamlMember;

/// A value: text, a list, or a mapping in the file's order (names may repeat).
struct Yaml {
  enum class Kind { Text, List, Map };
  Kind kind = Kind::Text;
  std::string text;
  std::vector<Yaml> items;
  std::vector<YamlMember> members;

  Yaml();
  Yaml(const Yaml&);
  Yaml(Yaml&&) noexcept;
  Yaml& operator=(const Yaml&);
  Yaml& operator=(Yaml&&) noexcept;
  ~Yaml();

  /// The member of this name, or an empty text.
  const Yaml& operator[](std::string_view name) const;
  bool has(std::string_view name) const;
  /// A list's items; a text as a list of one.
  std::vector<std::string> texts() const;
};

struct YamlMember {
  std::string name;
  Yaml value;
};

/// The documents of a file: block and flow lists, block mappings, plain, quoted and block scalars
/// (| and >, with - and +), comments. Throws std::runtime_error with the line.
std::vector<Yaml> read_yaml(std::string_view text);

}  // namespace hikyaku::testing
