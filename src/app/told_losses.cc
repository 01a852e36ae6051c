#include "app/told_losses.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/progress.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "base/text.h"
#include "base/time.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kMore{"… and {} more; --json lists them.", "…ほか {} 件(--json で見られます)。"};
constexpr Phrase kUnknownDate{"date unknown", "日時不明"};
constexpr Phrase kNoMessage{"no message in a mailbox", "メールボックスのメッセージではありません"};
constexpr Phrase kLost{"{} [body|bodies] cannot be read any more:",
                       "読めなくなった本文が {} 通あります:"};

}  // namespace

/// What stands beside a body that is gone with it is not known; the message's row may have more.
std::string date_of(const store::LostBody& body, Language language) {
  if (!body.staged) return std::string(kUnknownDate.in(language));
  return minute_in_utc(format_rfc3339(*body.staged));
}

std::string origin_of(const store::LostBody& body, std::string_view unknown) {
  return body.salvage.empty() ? std::string(unknown) : printable(body.salvage);
}

/// What a message is known by has its date.
std::string line_of(const store::LostBody& body, Language language) {
  if (!body.name.empty()) return fmt::format("{} ({})", body.name, short_size(body.size));
  return fmt::format("{} ({}, {}) {}", body.id, short_size(body.size), date_of(body, language),
                     origin_of(body, kNoMessage.in(language)));
}

void list_some(const std::vector<std::string>& texts, std::uint64_t all, Terminal& terminal) {
  constexpr std::size_t kShown = 20;
  auto shown = std::min(kShown, texts.size());
  for (std::size_t i = 0; i < shown; ++i) terminal.paragraph(printable(texts[i]), 2);
  if (shown < all) terminal.paragraph(say(terminal.language(), kMore, grouped(all - shown)), 2);
}

void list_lost(const std::vector<store::LostBody>& lost, Terminal& terminal) {
  if (lost.empty()) return;
  terminal.say(kLost, grouped(lost.size()));
  std::vector<std::string> lines;
  for (auto& body : lost) lines.push_back(line_of(body, terminal.language()));
  list_some(lines, lines.size(), terminal);
}

}  // namespace hikyaku::app
