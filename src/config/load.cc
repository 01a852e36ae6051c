#include "config/load.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <fmt/core.h>
#include <fstream>
#include <map>
#include <tuple>

#include "base/suggest.h"
#include "base/text.h"
#include "config/checks.h"
#include "config/options.h"
#include "config/read_value.h"

namespace hikyaku::config {
namespace {

/// Reads the sections of a tree into a Config.
class Loader {
 public:
  explicit Loader(std::filesystem::path directory) : directory_(std::move(directory)) {}

  Config run(const Node& root) {
    for (auto& member : root.members) note_section(member);
    put_defaults();
    for (auto& [option, node] : found_) {
      auto value = read_value(*option, *node, directory_, problems_);
      if (value) option->put(config_, std::move(*value));
    }
    // Half-read options would conflict with what their author never wrote.
    if (problems_.empty())
      find_conflicts(config_, [this](std::string_view name) { return line_of(name); }, problems_);
    std::ranges::sort(problems_, {}, [](auto& p) { return std::tie(p.line, p.what); });
    return std::move(config_);
  }

  std::vector<Problem>& problems() { return problems_; }

 private:
  void note_section(const Member& member) {
    auto shown = printable(member.name, 60);
    auto known = std::ranges::any_of(sections(), [&](auto& s) { return s.name == member.name; });
    if (!known) {
      auto what = member.value.kind == Node::Kind::Table && !is_dotted_option(member.name)
                      ? fmt::format("unknown section [{}]", shown)
                      : fmt::format("unknown option {}", shown);
      problems_.push_back({member.line, std::move(what), suggest_section(member)});
      return;
    }
    if (member.value.kind != Node::Kind::Table) {
      problems_.push_back(
          {member.line, fmt::format("{} is a section, not an option", shown),
           fmt::format("Write [{}] on a line of its own, its options below it.", shown)});
      return;
    }
    for (auto& inner : member.value.members) note_option(member.name, inner);
  }

  static bool is_dotted_option(std::string_view name) { return find_option(name) != nullptr; }

  void note_option(const std::string& section, const Member& member) {
    auto name = section + '.' + member.name;
    if (auto option = find_option(name)) {
      found_.emplace_back(option, &member.value);
      lines_[option->name] = member.line;
      return;
    }
    problems_.push_back({member.line, fmt::format("unknown option {}", printable(name, 100)),
                         suggest_option(section, member.name)});
  }

  static std::string suggest_section(const Member& member) {
    if (is_dotted_option(member.name))
      return fmt::format("Write it without quotes: {} = ….", member.name);
    std::vector<std::string_view> names;
    for (auto& section : sections()) names.push_back(section.name);
    auto near = closest(member.name, names);
    if (member.value.kind == Node::Kind::Table && !near.empty())
      return fmt::format("Did you mean [{}]?", near);
    if (member.value.kind != Node::Kind::Table) {
      auto elsewhere = with_key_like(member.name);
      if (!elsewhere.empty()) return fmt::format("Did you mean {}?", elsewhere);
    }
    return "See `hikyaku config explain` for all sections.";
  }

  static std::string suggest_option(std::string_view section, std::string_view key) {
    std::vector<std::string_view> keys;
    for (auto& option : options())
      if (option.section() == section) keys.push_back(option.key());
    auto near = closest(key, keys);
    if (!near.empty()) return fmt::format("Did you mean {}.{}?", section, near);
    auto elsewhere = with_key_like(key);
    if (!elsewhere.empty()) return fmt::format("Did you mean {}?", elsewhere);
    return fmt::format("See `hikyaku config explain {}` for its options.", section);
  }

  /// The option of any section whose key is nearest.
  static std::string with_key_like(std::string_view key) {
    std::vector<std::string_view> keys;
    for (auto& option : options()) keys.push_back(option.key());
    auto near = closest(key, keys);
    for (auto& option : options())
      if (!near.empty() && option.key() == near) return std::string(option.name);
    return {};
  }

  void put_defaults() {
    auto local = std::ranges::any_of(found_, [](auto& found) {
      return found.first->name == "server.local" && found.second->boolean;
    });
    for (auto& option : options()) {
      auto text = local && !option.local_fallback.empty() ? option.local_fallback : option.fallback;
      auto tree = parse_tree(fmt::format("default = {}", text));
      assert(tree && "a default is not TOML");
      std::vector<Problem> wrong;
      auto value = read_value(option, tree->members.at(0).value, directory_, wrong);
      assert(value && "a default is out of its option's range");
      option.put(config_, std::move(*value));
    }
  }

  int line_of(std::string_view name) const {
    auto found = lines_.find(name);
    return found == lines_.end() ? 0 : found->second;
  }

  std::filesystem::path directory_;
  Config config_;
  std::vector<std::pair<const Option*, const Node*>> found_;
  std::map<std::string_view, int> lines_;
  std::vector<Problem> problems_;
};

}  // namespace

std::string Problems::describe(Language language) const {
  std::string all;
  for (auto& problem : list) all += problem.describe(file, language) + '\n';
  return all;
}

std::expected<Config, Problems> load_text(std::string_view text,
                                          const std::filesystem::path& file) {
  auto tree = parse_tree(text);
  if (!tree) return std::unexpected(Problems{file.string(), {std::move(tree).error()}});
  Loader loader(file.parent_path());
  auto config = loader.run(*tree);
  if (loader.problems().empty()) return config;
  return std::unexpected(Problems{file.string(), std::move(loader.problems())});
}

std::expected<Config, Problems> load_file(const std::filesystem::path& file) {
  auto refuse = [&](std::string what, std::string remedy) {
    return std::unexpected(Problems{file.string(), {{0, std::move(what), std::move(remedy)}}});
  };
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text(kMaxFileSize + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || !in.is_open() || (in.fail() && !in.eof()))
    return refuse(
        errno_error("cannot read it", errno == 0 ? EIO : errno).text,
        errno == ENOENT ? "`hikyaku quickstart ADDRESS` writes one; --dir says where." : "");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxFileSize) return refuse("it is larger than 1 MB", "");
  return load_text(text, file);
}

Config defaults() {
  return *load_text("", "hikyaku.toml");
}

}  // namespace hikyaku::config
