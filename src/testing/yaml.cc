#include "testing/yaml.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "base/text.h"

namespace hikyaku::testing {
namespace {

constexpr std::string_view kEscapes = "0abtnvfre\"/\\ ";
constexpr std::string_view kMeanings{"\0\a\b\t\n\v\f\r\x1b\"/\\ ", 13};

struct Line {
  std::size_t indent = 0;
  std::string_view text;  ///< without indentation and without end of line; blank lines are empty
  std::size_t number = 0;
};

std::size_t indent_of(std::string_view text) {
  return std::min(text.find_first_not_of(' '), text.size());
}

class Reader {
 public:
  explicit Reader(std::string_view text) {
    std::size_t number = 0;
    for (auto line : split(text, '\n')) {
      if (line.ends_with('\r')) line.remove_suffix(1);
      auto indent = indent_of(line);
      lines_.push_back({indent, line.substr(indent), ++number});
    }
  }

  std::vector<Yaml> documents() {
    std::vector<Yaml> found;
    for (skip_blank(); at_ < lines_.size(); skip_blank()) {
      if (lines_[at_].indent == 0 && lines_[at_].text.starts_with("---"))
        ++at_;
      else
        found.push_back(block(0));
    }
    return found;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    auto number = at_ < lines_.size() ? lines_[at_].number : lines_.size();
    throw std::runtime_error("yaml line " + std::to_string(number) + ": " + std::string(what));
  }

  void skip_blank() {
    while (at_ < lines_.size() && (trim(lines_[at_].text).empty() || lines_[at_].text[0] == '#'))
      ++at_;
  }

  bool at_end(std::size_t indent) {
    skip_blank();
    return at_ >= lines_.size() || lines_[at_].indent < indent ||
           (lines_[at_].indent == 0 && lines_[at_].text.starts_with("---"));
  }

  /// The list or mapping whose lines are indented by this much or more.
  Yaml block(std::size_t least) {
    if (at_end(least)) return {};
    auto indent = lines_[at_].indent;
    Yaml value;
    if (lines_[at_].text == "-" || lines_[at_].text.starts_with("- ")) {
      value.kind = Yaml::Kind::List;
      while (!at_end(indent) && lines_[at_].indent == indent && lines_[at_].text.starts_with('-'))
        value.items.push_back(item());
      return value;
    }
    value.kind = Yaml::Kind::Map;
    while (!at_end(indent)) {
      if (lines_[at_].indent != indent) fail("unexpected indentation");
      auto rest = lines_[at_].text;
      auto name = key(rest);
      if (!name) fail("a mapping's name is missing");
      value.members.push_back({std::move(*name), value_after_key(rest, indent)});
    }
    return value;
  }

  Yaml item() {
    auto& line = lines_[at_];
    auto rest = line.text.substr(1);
    auto inner = indent_of(rest);
    auto indent = line.indent + 1 + inner;
    rest.remove_prefix(inner);
    auto probe = rest;
    if (rest.starts_with('[') || !key(probe)) return value_after_key(rest, line.indent);
    line.indent = indent;  // "- name: value": a mapping that begins on this line
    line.text = rest;
    return block(indent);
  }

  /// Takes `name:`; nullopt when there is none.
  std::optional<std::string> key(std::string_view& text) {
    auto rest = text;
    std::string name;
    if (rest.starts_with('"') || rest.starts_with('\'')) {
      name = quoted(rest);
    } else {
      auto colon = rest.find(": ");
      if (colon == std::string_view::npos && rest.ends_with(':')) colon = rest.size() - 1;
      if (colon == std::string_view::npos) return std::nullopt;
      name = std::string(trim(rest.substr(0, colon)));
      rest.remove_prefix(colon);
    }
    if (!rest.starts_with(':')) return std::nullopt;
    text = trim_space(rest.substr(1));
    return name;
  }

  /// What stands after "name:" or "-", on this line and the deeper ones behind it.
  Yaml value_after_key(std::string_view rest, std::size_t indent) {
    rest = trim_space(rest);
    if (rest.starts_with('|') || rest.starts_with('>')) return block_scalar(rest, indent);
    if (rest.empty() || rest[0] == '#') {
      ++at_;
      auto same_level = at_;
      skip_blank();
      bool list =
          at_ < lines_.size() && lines_[at_].indent == indent && lines_[at_].text.starts_with("- ");
      at_ = same_level;
      return block(list ? indent : indent + 1);
    }
    std::string joined(rest);  // continuation lines belong to it
    for (++at_; at_ < lines_.size(); ++at_) {
      if (trim(lines_[at_].text).empty() || lines_[at_].indent <= indent) break;
      joined += ' ';
      joined += trim_space(lines_[at_].text);
    }
    std::string_view whole = joined;
    auto value = whole.starts_with('[') ? flow_list(whole) : scalar(whole, "");
    whole = trim_space(whole);
    if (!whole.empty() && whole[0] != '#') fail("text behind a value");
    return value;
  }

  Yaml block_scalar(std::string_view header, std::size_t indent) {
    bool folded = header[0] == '>';
    bool strip = header.contains('-');
    std::size_t inner = 0;
    std::vector<std::string> kept;
    for (++at_; at_ < lines_.size(); ++at_) {
      auto& line = lines_[at_];
      if (line.text.empty()) {
        kept.emplace_back();
        continue;
      }
      if (line.indent <= indent) break;
      if (inner == 0) inner = line.indent;
      kept.push_back(std::string(line.indent - std::min(inner, line.indent), ' ') +
                     std::string(line.text));
    }
    while (!kept.empty() && kept.back().empty()) kept.pop_back();
    Yaml value;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      value.text += kept[i];
      bool last = i + 1 == kept.size();
      if (!last) value.text += folded && !kept[i + 1].empty() ? ' ' : '\n';
      if (last && !strip) value.text += '\n';
    }
    return value;
  }

  Yaml flow_list(std::string_view& text) {
    Yaml value;
    value.kind = Yaml::Kind::List;
    text = trim_space(text.substr(1));
    while (!text.starts_with(']')) {
      if (text.empty()) fail("a list is not closed");
      value.items.push_back(text.starts_with('[') ? flow_list(text) : scalar(text, ",]"));
      text = trim_space(text);
      if (text.starts_with(',')) text = trim_space(text.substr(1));
    }
    text.remove_prefix(1);
    return value;
  }

  Yaml scalar(std::string_view& text, std::string_view ends) {
    Yaml value;
    if (text.starts_with('"') || text.starts_with('\'')) {
      value.text = quoted(text);
      return value;
    }
    auto end = ends.empty() ? text.size() : std::min(text.find_first_of(ends), text.size());
    if (auto comment = text.substr(0, end).find(" #"); comment != std::string_view::npos)
      end = comment;
    value.text = std::string(trim(text.substr(0, end)));
    text.remove_prefix(end);
    return value;
  }

  std::string quoted(std::string_view& text) {
    char quote = text.front();
    std::string value;
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == quote && (quote == '"' || i + 1 == text.size() || text[i + 1] != quote)) {
        text.remove_prefix(i + 1);
        return value;
      }
      if (text[i] == quote) {
        value += text[++i - 1];
      } else if (text[i] == '\\' && quote == '"') {
        if (++i >= text.size()) break;
        if (text[i] == 'x' && i + 2 < text.size()) {
          value += from_hex(text.substr(i + 1, 2)).value_or("?");
          i += 2;
        } else {
          auto which = kEscapes.find(text[i]);
          if (which == std::string_view::npos) fail("an unknown escape");
          value += kMeanings[which];
        }
      } else {
        value += text[i];
      }
    }
    fail("a quotation is not closed");
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

}  // namespace

Yaml::Yaml() = default;
Yaml::Yaml(const Yaml&) = default;
Yaml::Yaml(Yaml&&) noexcept = default;
Yaml& Yaml::operator=(const Yaml&) = default;
Yaml& Yaml::operator=(Yaml&&) noexcept = default;
Yaml::~Yaml() = default;

const Yaml& Yaml::operator[](std::string_view name) const {
  static const Yaml kNothing;
  for (auto& [own, value] : members)
    if (own == name) return value;
  return kNothing;
}

bool Yaml::has(std::string_view name) const {
  return std::ranges::any_of(members, [&](auto& member) { return member.name == name; });
}

std::vector<std::string> Yaml::texts() const {
  if (kind == Kind::Text) return {text};
  std::vector<std::string> found;
  for (auto& item : items) found.push_back(item.text);
  return found;
}

std::vector<Yaml> read_yaml(std::string_view text) {
  return Reader(text).documents();
}

}  // namespace hikyaku::testing
