// torture: crash points and flipped bits without end, each of which can be repeated.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/core.h>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "runs.h"
#include "world.h"

namespace {

using namespace hikyaku::torture;
using Clock = std::chrono::steady_clock;

constexpr const char* kUsage =
    "usage: torture [--seconds N | --runs N] [--seed N] [--kind crash|flip] [--repeat]\n"
    "       torture --break WHAT [--seconds N | --runs N] [--seed N]\n"
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
    "  --repeat      play every run twice and see that both did the same to every file\n"
    "  --break WHAT  something is broken on purpose, and the runs must find it:\n"
    "                sync (syncs do nothing), sync-log, sync-bulk, sync-tables, sync-copy, "
    "sync-store\n"
    "                (those of the journal, of bodies beside it, of the index's tables, of its "
    "copy,\n"
    "                of STORE do nothing), order (a reply does not wait for its sync),\n"
    "                names (syncs of directories do nothing), verify (it does not see damage),\n"
    "                seed (what is written does not follow from it), all (each of them)\n";

struct Arguments {
  double seconds = 60;
  std::optional<std::uint64_t> runs;
  std::optional<std::uint64_t> seed;
  std::string_view kind;
  bool repeat = false;
  std::vector<Break> breaks;
};

bool parse_breaks(std::string_view word, std::vector<Break>& breaks) {
  for (const auto& each : kBreaks)
    if (word == "all" || word == each.name) breaks.push_back(each.what);
  return !breaks.empty();
}

std::string_view name_of(Break what) {
  return std::ranges::find(kBreaks, what, [](const auto& each) { return each.what; })->name;
}

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
    } else if (word == "--break") {
      if (!parse_breaks(value, arguments.breaks)) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  if (arguments.seed && !timed && !arguments.runs && arguments.breaks.empty()) arguments.runs = 1;
  return arguments;
}

std::uint64_t first_seed(const Arguments& arguments) {
  return arguments.seed.value_or(
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) %
      1'000'000'000);
}

using Run = RunReport (*)(std::uint64_t, Break);

/// Throws Broken where two runs of a seed part.
void compare(const std::vector<Operation>& first, const std::vector<Operation>& second) {
  auto [one, other] = std::ranges::mismatch(first, second);
  if (one == first.end() && other == second.end()) return;
  auto tell = [](auto at, const auto& all) {
    if (at == all.end()) return std::string("the end");
    return fmt::format("{} of {} at {}, {} bytes", at->what, at->path, at->place, at->count);
  };
  throw Broken(fmt::format("the same seed gave another run: operation {} is {}, and then {}",
                           one - first.begin(), tell(one, first), tell(other, second)));
}

RunReport play_once(Run run, std::uint64_t seed, Break broken, bool repeat) {
  auto report = run(seed, broken);
  if (repeat) compare(report.operations, run(seed, broken).operations);
  return report;
}

/// Plays until what is broken on purpose is found; false if it is not.
bool find(Break broken, const Arguments& arguments) {
  auto run = broken == Break::Verify ? flip_run : crash_run;
  auto seed = first_seed(arguments);
  auto began = Clock::now();
  auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  std::uint64_t runs = 0;
  while (arguments.runs ? runs < *arguments.runs : elapsed() < arguments.seconds) {
    try {
      ++runs;
      (void)play_once(run, seed++, broken, broken == Break::Seed);
    } catch (const std::exception& error) {  // Broken, or what the store says of its files
      fmt::print("{} is broken: found by run {}, after {:.1f} s (seed {}): {}\n", name_of(broken),
                 runs, elapsed(), seed - 1, error.what());
      return true;
    }
  }
  fmt::print("{} is broken, and {} runs in {:.0f} s did NOT find it\n", name_of(broken), runs,
             elapsed());
  return false;
}

class Torture {
 public:
  explicit Torture(const Arguments& arguments) : arguments_(arguments) {}

  int run() {
    auto seed = first_seed(arguments_);
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

  bool play(std::string_view kind, Run function, std::uint64_t seed) {
    if (!arguments_.kind.empty() && arguments_.kind != kind) return true;
    try {
      auto report = play_once(function, seed, Break::None, arguments_.repeat);
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
  if (arguments->breaks.empty()) return Torture(*arguments).run();
  bool found = true;
  for (auto broken : arguments->breaks) found = find(broken, *arguments) && found;
  return found ? 0 : 1;
}
