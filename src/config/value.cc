// The written forms of option values: what may be written, and a value as TOML.
#include <fmt/core.h>

#include "base/text.h"
#include "config/options.h"

namespace hikyaku::config {
namespace {

std::string in_words(std::span<const std::string_view> choices) {
  std::string all;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) all += i + 1 == choices.size() ? " or " : ", ";
    all += fmt::format("\"{}\"", choices[i]);
  }
  return all;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (auto c : text) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

std::string written(const Option&, bool value) {
  return value ? "true" : "false";
}
std::string written(const Option&, std::int64_t value) {
  return std::to_string(value);
}
std::string written(const Option&, Bytes value) {
  return value.count == 0 ? "0" : in_quotes(format_bytes(value));
}
std::string written(const Option&, milliseconds value) {
  return in_quotes(format_duration(value));
}
std::string written(const Option&, const std::string& value) {
  return in_quotes(value);
}
std::string written(const Option& option, Choice value) {
  return in_quotes(option.choices[value.index]);
}
std::string written(const Option&, const std::filesystem::path& value) {
  return in_quotes(value.string());
}
std::string written(const Option&, const IpAddress& value) {
  return in_quotes(value.to_string());
}
std::string written(const Option&, const Endpoint& value) {
  return in_quotes(value.to_string());
}
std::string written(const Option&, const ListenEntry& value) {
  return value.everywhere ? std::to_string(value.at.port) : in_quotes(value.at.to_string());
}
std::string written(const Option&, const Certificate& value) {
  std::string out = fmt::format("{{ cert = {}, key = {}", in_quotes(value.cert.string()),
                                in_quotes(value.key.string()));
  if (!value.names.empty()) {
    out += ", names = [";
    for (auto& name : value.names) out += (&name == &value.names[0] ? "" : ", ") + in_quotes(name);
    out += ']';
  }
  return out + " }";
}
template <class Item>
std::string written(const Option& option, const std::vector<Item>& list) {
  std::string out = "[";
  for (auto& item : list) {
    if (out.size() > 1) out += ", ";
    out += written(option, item);
  }
  return out + ']';
}

}  // namespace

std::string to_toml(const Option& option, const Value& value) {
  return std::visit([&](auto& of_type) { return written(option, of_type); }, value);
}

std::string describe_kind(const Option& option) {
  auto duration = [](std::int64_t count) { return format_duration(milliseconds(count)); };
  auto size = [](std::int64_t count) { return format_bytes({static_cast<std::uint64_t>(count)}); };
  switch (option.kind) {
    case Kind::Boolean:
      return "true or false";
    case Kind::Integer:
      return fmt::format("an integer from {} to {}", option.least, option.most);
    case Kind::Size:
      return fmt::format("a size from {} to {}", size(option.least), size(option.most));
    case Kind::Duration:
      return fmt::format("a duration from {} to {}", duration(option.least), duration(option.most));
    case Kind::Text:
      return "a text";
    case Kind::Choice:
      return in_words(option.choices);
    case Kind::Path:
      return "a path";
    case Kind::Texts:
      return option.choices.empty() ? "a list of texts"
                                    : fmt::format("a list of {}", in_words(option.choices));
    case Kind::Durations:
      return fmt::format("a list of durations from {} to {}", duration(option.least),
                         duration(option.most));
    case Kind::Addresses:
      return "a list of IP addresses";
    case Kind::Endpoints:
      return "a list of \"ADDRESS\" or \"ADDRESS:PORT\"";
    case Kind::Listen:
      return "a list of ports (1 to 65535) or \"ADDRESS:PORT\"";
    case Kind::Certificates:
      return "a list of { cert = \"FILE\", key = \"FILE\", names = [\"NAME\"] }, names optional";
  }
  return {};
}

}  // namespace hikyaku::config
