#include "app/terminal.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/hints.h"
#include "app/text_width.h"
#include "base/text.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

/// The length of an escape sequence that changes colours only (ECMA-48 SGR), 0 if there is none.
std::size_t colour_sequence(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  auto end = text.find_first_not_of("0123456789;", 2);
  return end != text.npos && text[end] == 'm' ? end + 1 : 0;
}

/// A text of ours with words of strangers in it: its lines, tabs and colours stay, everything else
/// that a terminal obeys or hides is made visible.
std::string without_hidden(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    auto kept = text.front() == '\n' || text.front() == '\t' ? 1 : colour_sequence(text);
    result += text.substr(0, kept);
    text.remove_prefix(kept);
    auto plain =
        text.substr(0, std::min(text.find_first_of("\n\t\x1b", kept == 0 ? 1 : 0), text.size()));
    result += printable(plain, plain.size());
    text.remove_prefix(plain.size());
  }
  return result;
}

constexpr std::size_t kWidest = 100;

Terminal::Write to_descriptor(int descriptor) {
  return [descriptor](std::string_view text) { return net::write_all(descriptor, text); };
}

std::string_view environment(const char* name) {
  auto value = std::getenv(name);
  return value ? value : "";
}

std::size_t terminal_width() {
  if (auto told = parse_decimal(environment("COLUMNS"), 10000); told && *told >= 40)
    return std::min(kWidest, static_cast<std::size_t>(*told));
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
    return std::min(kWidest, static_cast<std::size_t>(size.ws_col));
  return 80;
}

Language environment_language() {
  for (auto name : {"LC_ALL", "LC_MESSAGES", "LANG"})
    if (auto value = environment(name); !value.empty()) return language_of(value);
  return Language::English;
}

std::string_view escape_of(Tone tone) {
  switch (tone) {
    case Tone::Plain:
      return "";
    case Tone::Strong:
      return "\x1b[1m";
    case Tone::Faint:
      return "\x1b[2m";
    case Tone::Good:
      return "\x1b[32m";
    case Tone::Bad:
      return "\x1b[31m";
    case Tone::Warning:
      return "\x1b[33m";
  }
  return "";
}

}  // namespace

Terminal::Terminal(Write out, Write err, Shape shape)
    : out_(std::move(out)), err_(std::move(err)), shape_(shape) {}

Terminal Terminal::for_process() {
  auto dumb = environment("TERM").empty() || environment("TERM") == "dumb";
  Shape shape;
  shape.width = terminal_width();
  shape.colour = ::isatty(STDOUT_FILENO) && !dumb && environment("NO_COLOR").empty();
  shape.progress = ::isatty(STDERR_FILENO) && !dumb;
  shape.language = environment_language();
  return Terminal(to_descriptor(STDOUT_FILENO), to_descriptor(STDERR_FILENO), shape);
}

void Terminal::out(std::string_view text) {
  if (!intact_) return;
  intact_ = out_(text);
  reader_left_ = !intact_ && errno == EPIPE;
}

void Terminal::err(std::string_view text) {
  err_(text);
}

void Terminal::lines(std::string_view text) {
  out(without_hidden(text));
}

void Terminal::complain_text(std::string_view text) {
  err(wrapped("hikyaku: " + for_instance(without_hidden(text)), 0, shape_.width));
}

void Terminal::paragraph(std::string_view text, std::size_t indent) {
  out(wrapped(for_instance(without_hidden(text)), indent, shape_.width));
}

std::string Terminal::for_instance(std::string_view text) const {
  if (dir_words_.empty()) return std::string(text);
  return with_dir_words(text, instance_verbs_, dir_words_);
}

void Terminal::table(const Table& table) {
  std::vector<std::size_t> widths;
  auto measure = [&](const std::vector<std::string>& row) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns(printable(row[i])));
  };
  measure(table.headings);
  for (auto& row : table.rows) measure(row);

  auto write_row = [&](const std::vector<std::string>& row, Tone tone) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      auto cell = printable(row[i]);
      line += i + 1 == row.size() ? cell : padded(cell, widths[i] + 2);
    }
    out(toned(tone, line) + '\n');
  };
  if (!table.headings.empty()) write_row(table.headings, Tone::Strong);
  for (auto& row : table.rows) write_row(row, Tone::Plain);
}

std::string Terminal::toned(Tone tone, std::string_view text) const {
  if (!shape_.colour || tone == Tone::Plain) return std::string(text);
  return std::string(escape_of(tone)) + std::string(text) + "\x1b[0m";
}

}  // namespace hikyaku::app
