#include "config/render.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku::config {
namespace {

/// `text` broken between words into lines of at most `width` bytes, each after `lead`.
std::string wrap_lines(std::string_view text, std::string_view lead, std::size_t width) {
  std::string out, line(lead);
  for (auto word : split(text, ' ')) {
    auto fresh = line.size() == lead.size();
    if (!fresh && line.size() + 1 + word.size() > width) {
      out += line + '\n';
      line = lead;
      fresh = true;
    }
    if (!fresh) line += ' ';
    line += word;
  }
  return out + line + '\n';
}

const Setting* find_setting(const std::vector<Setting>& settings, std::string_view name) {
  for (auto& setting : settings)
    if (setting.name == name) return &setting;
  return nullptr;
}

std::string_view applies_text(const Option& option) {
  return option.applies == Applies::OnReload ? "on reload" : "after a restart";
}

std::string sample_option(const Option& option, const Setting* setting) {
  auto out = wrap_lines(option.doc, "# ", 100);
  out += wrap_lines(
      fmt::format("{}. Default: {} ({}).", describe_kind(option), option.fallback, option.why),
      "# ", 100);
  if (setting) return out + fmt::format("{} = {}\n\n", option.key(), setting->toml);
  return out + fmt::format("#{} = {}\n\n", option.key(), option.fallback);
}

std::string markdown_option(const Option& option) {
  auto out = fmt::format("### {}\n\n{}\n\n- What: {}\n- Default: `{}`: {}\n", option.name,
                         option.doc, describe_kind(option), option.fallback, option.why);
  if (!option.local_fallback.empty())
    out += fmt::format("- Default with `server.local`: `{}`\n", option.local_fallback);
  return out +
         fmt::format("- A change applies {}. Since {}.\n\n", applies_text(option), option.since);
}

}  // namespace

std::string sample(const std::vector<Setting>& settings, Detail detail) {
  std::string out =
      "# Configuration of Hikyaku. `hikyaku config explain` tells about every option,\n"
      "# `hikyaku config check` reads this file and names every mistake in it.\n\n";
  for (auto& section : sections()) {
    std::string body;
    for (auto& option : options()) {
      if (option.section() != section.name) continue;
      auto setting = find_setting(settings, option.name);
      if (setting || detail == Detail::Everything) body += sample_option(option, setting);
    }
    if (body.empty()) continue;
    if (detail == Detail::Everything) out += wrap_lines(section.doc, "# ", 100);
    out += fmt::format("[{}]\n{}", section.name, body);
  }
  out.pop_back();  // one of the two newlines at the end
  return out;
}

std::string markdown() {
  std::string out =
      "# Configuration\n\n"
      "<!-- Made by `./run docs` from src/config/options_*.cc; do not edit. -->\n\n"
      "Hikyaku reads one file, `hikyaku.toml`, in [TOML](https://toml.io): in `/etc/hikyaku`, or "
      "in the directory\nthat `--dir` names. Every option has a default; an empty file is a "
      "complete configuration. Domains, accounts\nand aliases are not here: they live in the "
      "store (`hikyaku domain`, `hikyaku account`, `hikyaku alias`).\n\n"
      "- `hikyaku config sample` writes a file with every option and what it does.\n"
      "- `hikyaku config check` reads the file and names every mistake, with its line and what "
      "would be right.\n"
      "- `hikyaku config explain NAME` tells what is written here about an option.\n\n"
      "Sizes are numbers of bytes or texts such as `\"64KB\"` and `\"50MB\"` (1 KB is 1024 "
      "bytes); durations are texts such\nas `\"30s\"`, `\"5m\"`, `\"1h30m\"`, `\"5d\"`. Relative "
      "paths start at the directory of the file. An unknown option is an\nerror.\n\n"
      "| Option | Default | |\n| --- | --- | --- |\n";
  for (auto& option : options()) {
    auto first = option.doc.substr(0, option.doc.find(". "));
    if (first.ends_with('.')) first.remove_suffix(1);
    std::string anchor;
    for (auto c : option.name)
      if (c != '.') anchor += c;
    out += fmt::format("| [{}](#{}) | `{}` | {} |\n", option.name, anchor, option.fallback, first);
  }
  for (auto& section : sections()) {
    out += fmt::format("\n## [{}]\n\n{}\n\n", section.name, section.doc);
    for (auto& option : options())
      if (option.section() == section.name) out += markdown_option(option);
    out.pop_back();
  }
  return out;
}

}  // namespace hikyaku::config
