// Progress: one line on standard error about work that takes long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "app/terminal.h"

namespace hikyaku::app {

/// "import: 12,000 of 50,000 (24 %), 3,100/s, 12s left", rewritten a few times a second while a
/// person looks on; nothing at all otherwise. The line is cleared when it is destroyed.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  /// `total` 0: not known. `terminal` must outlive it.
  Progress(Terminal& terminal, std::string label, std::uint64_t total,
           Clock::time_point now = Clock::now());
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// So much is done by now. Cheap: call it for every item.
  void set(std::uint64_t done, Clock::time_point now = Clock::now());

 private:
  std::string line(std::uint64_t done, Clock::time_point now) const;

  Terminal& terminal_;
  std::string label_;
  std::uint64_t total_;
  Clock::time_point begun_, shown_;
  bool visible_ = false;
};

/// The same for work that has several parts, each with a line of its own: "verify (journal): …".
/// For store::VerifyOptions::progress.
class PartProgress {
 public:
  /// `terminal` must outlive it.
  PartProgress(Terminal& terminal, std::string label)
      : terminal_(terminal), label_(std::move(label)) {}

  /// So much of `doing` is done, from 0 to 1.
  void set(std::string_view doing, double part);

 private:
  Terminal& terminal_;
  std::string label_;
  std::string doing_;
  std::optional<Progress> line_;
};

/// "asking the DNS: 7s", after the first second, while this thread waits for others and a person
/// looks on; nothing otherwise. Until it is destroyed nobody else writes to the terminal.
class Waiting {
 public:
  /// `terminal` must outlive it.
  Waiting(Terminal& terminal, const Phrase& label);
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting();

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::thread thread_;
};

/// What is shown while names are looked up.
inline constexpr Phrase kAskingDns{"asking the DNS", "DNS に問い合わせ中"};

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);

/// A noun that is counted: {"{} message", "{} messages", "{} 通"}.
struct Counted {
  std::string_view one, many;
  std::string_view ja;
};
/// "1 message", "1,234 messages".
std::string counted(Language language, const Counted& noun, std::uint64_t number);

/// "56 %", rounded; what is not all never becomes "100 %", what is something never "0 %": "> 99 %",
/// "< 1 %". "-" of nothing.
std::string percent(std::uint64_t part, std::uint64_t whole);

}  // namespace hikyaku::app
