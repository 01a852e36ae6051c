// torture: crash points and flipped bits without end, each of which can be repeated.
#include <chrono>
#include <cstdlib>
#include <fmt/core.h>
#include <optional>
#include <string_view>
#include <unistd.h>

#include "runs.h"
#include "world.h"

namespace {

using namespace hikyaku::torture;
using Clock = std::chrono::steady_clock;

constexpr const char* kUsage =
    "usage: torture [--seconds N | --runs N] [--seed N] [--kind crash|flip] [--repeat]\n"
    "\n"
    "Plays mail work on a simulated disk that loses power, fails, fills up or turns bits over, "
    "and\n"
    "checks after each that nothing acknowledged is lost. The first failure ends it and prints "
    "how\n"
    "to repeat it.\n"
    "  --seconds N   go on for so long (default 60)\n"
    "  --runs N      or so many runs\n"
    "  --seed N      begin with this one; alone: one run of each kind\n"
    "  --kind K      only runs of one kind\n"
    "  --repeat      play every run twice and see that both are the same\n";

struct Arguments {
  double seconds = 60;
  std::optional<std::uint64_t> runs;
  std::optional<std::uint64_t> seed;
  std::string_view kind;
  bool repeat = false;
};

std::optional<Arguments> parse(int count, char** words) {
  Arguments arguments;
  bool timed = false;
  for (int i = 1; i < count; ++i) {
    std::string_view word = words[i];
    if (word == "--repeat") {
      arguments.repeat = true;
      continue;
    }
    if (i + 1 == count) return std::nullopt;
    const char* value = words[++i];
    if (word == "--seconds") {
      arguments.seconds = std::strtod(value, nullptr);
      timed = true;
    } else if (word == "--runs") {
      arguments.runs = std::strtoull(value, nullptr, 10);
    } else if (word == "--seed") {
      arguments.seed = std::strtoull(value, nullptr, 10);
    } else if (word == "--kind") {
      arguments.kind = value;
      if (arguments.kind != "crash" && arguments.kind != "flip") return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  if (arguments.seed && !timed && !arguments.runs) arguments.runs = 1;
  return arguments;
}

class Torture {
 public:
  explicit Torture(const Arguments& arguments) : arguments_(arguments) {}

  int run() {
    auto seed = arguments_.seed.value_or(
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) %
        1'000'000'000);
    fmt::print("the first seed is {}\n", seed);
    std::fflush(stdout);
    for (std::uint64_t n = 0; goes_on(n); ++n, ++seed) {
      if (!play("crash", crash_run, seed) || !play("flip", flip_run, seed)) return 1;
      tell(false);
    }
    tell(true);
    return 0;
  }

 private:
  bool goes_on(std::uint64_t n) const {
    return arguments_.runs ? n < *arguments_.runs : elapsed() < arguments_.seconds;
  }
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

  bool play(std::string_view kind, RunReport (*function)(std::uint64_t), std::uint64_t seed) {
    if (!arguments_.kind.empty() && arguments_.kind != kind) return true;
    try {
      auto report = function(seed);
      if (arguments_.repeat && function(seed).operations != report.operations)
        throw Broken("the same seed gave another run");
      all_.crashes += report.crashes;
      all_.flips += report.flips;
      all_.transactions += report.transactions;
      all_.backups += report.backups;
      all_.segments_removed += report.segments_removed;
      ++runs_;
      return true;
    } catch (const std::exception& error) {
      fmt::print("\nBROKEN: {}\nrepeat with: build/torture --kind {} --seed {}\n", error.what(),
                 kind, seed);
      return false;
    }
  }

  void tell(bool last) {
    bool terminal = isatty(STDOUT_FILENO) == 1;
    auto now = elapsed();
    if (!last && now < told_ + (terminal ? 0.5 : 15)) return;
    told_ = now;
    fmt::print(
        "{}{:.0f} s: {} runs, {} crashes, {} flipped bits, {} transactions, {} backups, {} "
        "segments reclaimed, {:.0f} points a second{}",
        terminal ? "\r" : "", now, runs_, all_.crashes, all_.flips, all_.transactions, all_.backups,
        all_.segments_removed,
        static_cast<double>(all_.crashes + all_.flips) / std::max(now, 0.001),
        terminal && !last ? "" : "\n");
    std::fflush(stdout);
  }

  Arguments arguments_;
  Clock::time_point began_ = Clock::now();
  double told_ = 0;
  RunReport all_;
  std::uint64_t runs_ = 0;
};

}  // namespace

int main(int count, char** words) {
  auto arguments = parse(count, words);
  if (!arguments) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  return Torture(*arguments).run();
}
