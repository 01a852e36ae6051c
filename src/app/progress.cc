#include "app/progress.h"

#include <fmt/core.h>

#include "base/phrase.h"
#include "base/time.h"

namespace hikyaku::app {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(200);
constexpr std::string_view kClearLine = "\r\x1b[K";

constexpr Phrase kOf{"{}: {} of {} ({} %), {}/s", "{}: {} / {} ({} %)、毎秒 {}"};
constexpr Phrase kDone{"{}: {}, {}/s", "{}: {}、毎秒 {}"};
constexpr Phrase kLeft{", {} left", "、残り {}"};

}  // namespace

std::string grouped(std::uint64_t number) {
  auto digits = std::to_string(number);
  for (auto at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

Progress::Progress(Terminal& terminal, std::string label, std::uint64_t total,
                   Clock::time_point now)
    : terminal_(terminal),
      label_(std::move(label)),
      total_(total),
      begun_(now),
      // The first line comes after a second: what is quicker needs none.
      shown_(now + std::chrono::seconds(1) - kInterval) {}

Progress::~Progress() {
  if (visible_) terminal_.err(kClearLine);
}

void Progress::set(std::uint64_t done, Clock::time_point now) {
  if (!terminal_.shows_progress() || now - shown_ < kInterval) return;
  shown_ = now;
  visible_ = true;
  terminal_.err(std::string(kClearLine) + line(done, now));
}

void PartProgress::set(std::string_view doing, double part) {
  constexpr std::uint64_t kAll = 1000;
  if (!line_ || doing != doing_) {
    line_.reset();
    doing_ = doing;
    line_.emplace(terminal_, fmt::format("{} ({})", label_, doing), kAll);
  }
  line_->set(static_cast<std::uint64_t>(part * kAll));
}

Waiting::Waiting(Terminal& terminal, const Phrase& label) {
  if (!terminal.shows_progress()) return;
  thread_ = std::thread([this, &terminal, text = label.in(terminal.language())] {
    std::unique_lock lock(mutex_);
    std::chrono::seconds passed{0};
    while (!ended_.wait_for(lock, std::chrono::seconds(1), [this] { return ending_; }))
      terminal.err(fmt::format("{}{}: {}", kClearLine, text, format_duration(++passed)));
    if (passed.count() > 0) terminal.err(kClearLine);
  });
}

Waiting::~Waiting() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

std::string Progress::line(std::uint64_t done, Clock::time_point now) const {
  auto language = terminal_.language();
  auto spent = std::chrono::duration<double>(now - begun_).count();
  auto rate = spent > 0 ? static_cast<double>(done) / spent : 0;
  auto per_second = grouped(static_cast<std::uint64_t>(rate));
  if (total_ == 0) return say(language, kDone, label_, grouped(done), per_second);
  auto text = say(language, kOf, label_, grouped(done), grouped(total_),
                  done >= total_ ? 100 : done * 100 / total_, per_second);
  if (rate > 0 && done < total_) {
    auto left = static_cast<std::int64_t>(static_cast<double>(total_ - done) / rate) + 1;
    text += say(language, kLeft, format_duration(std::chrono::seconds(left)));
  }
  return text;
}

std::string counted(Language language, const Counted& noun, std::uint64_t number) {
  auto text = language == Language::Japanese ? noun.ja : number == 1 ? noun.one : noun.many;
  return fmt::format(fmt::runtime(text), grouped(number));
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  auto exact = 100 * static_cast<double>(part) / static_cast<double>(whole);
  auto rounded = static_cast<int>(exact + 0.5);
  if (rounded >= 100 && part < whole) return "> 99 %";
  if (rounded == 0 && part > 0) return "< 1 %";
  return fmt::format("{} %", rounded);
}

}  // namespace hikyaku::app
