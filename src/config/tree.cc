#include "config/tree.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace hikyaku::config {
namespace {
/// A broken assumption inside the TOML library: it has some that mistyped files reach ("[[(").
struct ParserDefect {};
[[noreturn]] void throw_defect() {
  throw ParserDefect();
}
}  // namespace
}  // namespace hikyaku::config

// Its assertions must not end a server that reloads a mistyped file.
#define TOML_ASSERT(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::hikyaku::config::throw_defect())
#undef NDEBUG  // else they become assumptions that the optimiser believes
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace hikyaku::config {
namespace {

constexpr int kDeepest = 5;

int line_of(const toml::source_region& region) {
  return static_cast<int>(region.begin.line);
}

Node convert(const toml::node& from, int depth);

void convert_table(const toml::table& from, int depth, Node& to) {
  to.kind = Node::Kind::Table;
  if (depth >= kDeepest) return;
  for (auto&& [key, value] : from)
    to.members.push_back(
        {std::string(key.str()), line_of(key.source()), convert(value, depth + 1)});
  std::ranges::sort(to.members, {}, [](auto& m) { return std::tie(m.line, m.name); });
}

Node convert(const toml::node& from, int depth) {
  Node to;
  to.line = line_of(from.source());
  if (auto table = from.as_table()) {
    convert_table(*table, depth, to);
  } else if (auto array = from.as_array()) {
    to.kind = Node::Kind::Array;
    if (depth < kDeepest)
      for (auto& item : *array) to.items.push_back(convert(item, depth + 1));
  } else if (auto boolean = from.as_boolean()) {
    to.kind = Node::Kind::Boolean;
    to.boolean = boolean->get();
  } else if (auto integer = from.as_integer()) {
    to.kind = Node::Kind::Integer;
    to.integer = integer->get();
  } else if (auto text = from.as_string()) {
    to.kind = Node::Kind::Text;
    to.text = text->get();
  } else if (from.is_floating_point()) {
    to.kind = Node::Kind::Float;
  } else {
    to.kind = Node::Kind::Date;
  }
  return to;
}

}  // namespace

std::string Problem::describe(std::string_view file) const {
  auto where = line == 0 ? std::string(file) : fmt::format("{}:{}", file, line);
  if (remedy.empty()) return fmt::format("{}: {}.", where, what);
  return fmt::format("{}: {}. {}", where, what, remedy);
}

std::expected<Node, Problem> parse_tree(std::string_view text) {
  constexpr std::string_view kRemedy = "Correct this line first; what follows was not read.";
  try {
    auto table = toml::parse(text);
    Node root;
    root.line = 1;
    convert_table(table, 0, root);
    return root;
  } catch (const toml::parse_error& error) {
    return std::unexpected(Problem{line_of(error.source()),
                                   "this is not TOML: " + printable(error.description(), 300),
                                   std::string(kRemedy)});
  } catch (const ParserDefect&) {
    return std::unexpected(
        Problem{0, "this is not TOML", "Look for a stray character in a key or a [section]."});
  }
}

}  // namespace hikyaku::config
