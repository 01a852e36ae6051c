#include "config/read_value.h"

#include <fmt/core.h>

#include "base/suggest.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "dns/name.h"

namespace hikyaku::config {
namespace {

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::Boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::Integer:
      return std::to_string(node.integer);
    case Node::Kind::Float:
      return "a number with a fraction";
    case Node::Kind::Text:
      return fmt::format("\"{}\"", printable(node.text, 60));
    case Node::Kind::Date:
      return "a date or time";
    case Node::Kind::Array:
      return "a list";
    case Node::Kind::Table:
      return "a table";
  }
  return {};
}

class ValueReader {
 public:
  ValueReader(const Option& option, const std::filesystem::path& directory,
              std::vector<Problem>& problems)
      : option_(option), directory_(directory), problems_(problems) {}

  std::optional<Value> read(const Node& node) {
    switch (option_.kind) {
      case Kind::Boolean:
        if (node.kind != Node::Kind::Boolean) return wrong(node);
        return node.boolean;
      case Kind::Integer:
        if (node.kind != Node::Kind::Integer || !in_range(node.integer)) return wrong(node);
        return node.integer;
      case Kind::Size:
        return size(node);
      case Kind::Duration:
        return value(duration(node));
      case Kind::Text:
        return value(text(node));
      case Kind::Choice:
        return value(choice(node));
      case Kind::Path:
        return value(path(node));
      case Kind::Texts:
        return list<std::string>(node, &ValueReader::word);
      case Kind::Durations:
        return list<milliseconds>(node, &ValueReader::duration);
      case Kind::Addresses:
        return list<IpAddress>(node, &ValueReader::address);
      case Kind::Endpoints:
        return list<Endpoint>(node, &ValueReader::endpoint);
      case Kind::Listen:
        return list<ListenEntry>(node, &ValueReader::listen);
      case Kind::Certificates:
        return list<Certificate>(node, &ValueReader::certificate);
    }
    return std::nullopt;
  }

 private:
  std::nullopt_t problem(const Node& node, std::string what, std::string remedy) {
    problems_.push_back({node.line, std::move(what), std::move(remedy)});
    return std::nullopt;
  }

  std::string wrong_text(const Node& node) const {
    return fmt::format("{} must be {}, not {}", option_.name, describe_kind(option_),
                       describe(node));
  }

  std::nullopt_t wrong(const Node& node) { return problem(node, wrong_text(node), remedy(node)); }

  std::string remedy(const Node& node) const {
    auto is_duration = option_.kind == Kind::Duration || option_.kind == Kind::Durations;
    if (is_duration && node.kind == Node::Kind::Integer)
      return fmt::format("Write it with a unit, such as \"{}s\".", node.integer);
    if (node.kind == Node::Kind::Text && !option_.choices.empty()) {
      auto near = closest(node.text, option_.choices);
      if (!near.empty()) return fmt::format("Did you mean \"{}\"?", near);
    }
    return fmt::format("The default is {} = {}.", option_.key(), option_.fallback);
  }

  bool in_range(std::int64_t count) const {
    return count >= option_.least && count <= option_.most;
  }

  template <class T>
  static std::optional<Value> value(std::optional<T> read) {
    if (!read) return std::nullopt;
    return Value(std::move(*read));
  }

  template <class T>
  std::optional<Value> list(const Node& node, std::optional<T> (ValueReader::*read)(const Node&)) {
    if (node.kind == Node::Kind::Text || node.kind == Node::Kind::Integer)
      return problem(node, wrong_text(node),
                     fmt::format("Put it in brackets: {} = [{}].", option_.key(), describe(node)));
    if (node.kind != Node::Kind::Array) return wrong(node);
    std::vector<T> values;
    for (auto& item : node.items)
      if (auto one = (this->*read)(item)) values.push_back(std::move(*one));
    if (values.size() != node.items.size()) return std::nullopt;
    return Value(std::move(values));
  }

  std::optional<Value> size(const Node& node) {
    std::optional<Bytes> size;
    if (node.kind == Node::Kind::Text) size = parse_bytes(node.text);
    if (node.kind == Node::Kind::Integer && node.integer >= 0)
      size = Bytes{static_cast<std::uint64_t>(node.integer)};
    if (!size || !in_range(static_cast<std::int64_t>(size->count))) return wrong(node);
    return *size;
  }

  std::optional<milliseconds> duration(const Node& node) {
    std::optional<milliseconds> time;
    if (node.kind == Node::Kind::Text) time = parse_duration(node.text);
    if (!time || !in_range(time->count())) return wrong(node);
    return time;
  }

  std::optional<std::string> text(const Node& node) {
    if (node.kind != Node::Kind::Text) return wrong(node);
    return node.text;
  }

  std::optional<Choice> choice(const Node& node) {
    if (node.kind == Node::Kind::Text)
      for (std::size_t i = 0; i < option_.choices.size(); ++i)
        if (option_.choices[i] == node.text) return Choice{i};
    return wrong(node);
  }

  std::optional<std::string> word(const Node& node) {
    if (option_.choices.empty()) return text(node);
    if (node.kind == Node::Kind::Text)
      for (auto choice : option_.choices)
        if (iequals(choice, node.text)) return std::string(choice);
    return wrong(node);
  }

  std::optional<std::filesystem::path> path(const Node& node) {
    if (node.kind != Node::Kind::Text || node.text.contains('\0')) return wrong(node);
    if (node.text.empty()) return std::filesystem::path();
    return (directory_ / node.text).lexically_normal();
  }

  std::optional<IpAddress> address(const Node& node) {
    auto parsed = node.kind == Node::Kind::Text ? IpAddress::parse(node.text) : std::nullopt;
    if (!parsed) return wrong(node);
    return parsed;
  }

  std::optional<Endpoint> endpoint(const Node& node) {
    if (node.kind != Node::Kind::Text) return wrong(node);
    if (auto alone = IpAddress::parse(node.text)) return Endpoint{*alone, 53};
    auto parsed = Endpoint::parse(node.text);
    if (!parsed || parsed->port == 0) return wrong(node);
    return parsed;
  }

  std::optional<ListenEntry> listen(const Node& node) {
    if (node.kind == Node::Kind::Integer && node.integer >= 1 && node.integer <= 65535)
      return ListenEntry{true, {IpAddress(), static_cast<std::uint16_t>(node.integer)}};
    auto parsed = node.kind == Node::Kind::Text ? Endpoint::parse(node.text) : std::nullopt;
    if (!parsed || parsed->port == 0) return wrong(node);
    return ListenEntry{false, *parsed};
  }

  /// As clients ask for it (SNI): A-labels in lower case; "*." for any one label.
  std::optional<std::string> server_name(const Node& node) {
    if (node.kind != Node::Kind::Text) return wrong(node);
    std::string_view text = node.text;
    std::string_view any = text.starts_with("*.") ? "*." : "";
    auto name = dns::to_ascii(text.substr(any.size()));
    if (name && !name->empty() && check_host_name(Value(*name)).empty())
      return std::string(any) + *name;
    return problem(
        node, fmt::format("{} cannot be {}: it is not a host name", option_.name, describe(node)),
        fmt::format("Write {}.", describe_kind(option_)));
  }

  std::optional<Certificate> certificate(const Node& node) {
    if (node.kind != Node::Kind::Table) return wrong(node);
    Certificate made;
    bool good = true;
    for (auto& [name, line, value] : node.members) {
      if (name == "cert" || name == "key") {
        auto file = path(value);
        good = good && file;
        if (file) (name == "cert" ? made.cert : made.key) = *file;
      } else if (name == "names" && value.kind == Node::Kind::Array) {
        for (auto& item : value.items) {
          auto wanted = server_name(item);
          if (!wanted) return std::nullopt;
          made.names.push_back(std::move(*wanted));
        }
      } else {
        problem(value,
                fmt::format("{} has no \"{}\" of this kind", option_.name, printable(name, 60)),
                fmt::format("Write {}.", describe_kind(option_)));
        good = false;
      }
    }
    if (good && (made.cert.empty() || made.key.empty()))
      return problem(node, fmt::format("{} needs cert and key", option_.name),
                     fmt::format("Write {}.", describe_kind(option_)));
    if (!good) return std::nullopt;
    return made;
  }

  const Option& option_;
  const std::filesystem::path& directory_;
  std::vector<Problem>& problems_;
};

}  // namespace

std::optional<Value> read_value(const Option& option, const Node& node,
                                const std::filesystem::path& directory,
                                std::vector<Problem>& problems) {
  auto value = ValueReader(option, directory, problems).read(node);
  if (!value || !option.check) return value;
  auto wrong = option.check(*value);
  if (wrong.empty()) return value;
  problems.push_back({node.line,
                      fmt::format("{} cannot be {}: {}", option.name,
                                  printable(to_toml(option, *value), 80), wrong),
                      fmt::format("The default is {} = {}.", option.key(), option.fallback)});
  return std::nullopt;
}

}  // namespace hikyaku::config
