// Metrics: numbers that say what the program does, counted on hot paths for the price of an atomic
// addition, and written in Prometheus' text format.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hikyaku::metrics {

/// Pairs of a label's name and value, in the order in which they are shown. Values are bounded in
/// number: verbs and outcomes that the program knows, never what a peer has sent.
using Labels = std::vector<std::pair<std::string, std::string>>;

// The handles below are small values; copies count into the same place. One that was not made by a
// Registry counts nothing: components that nobody watches (tests, tools) need no registry. The
// registry outlives what counts. All of them may be used from every thread.

/// Something that only ever grows.
class Counter {
 public:
  Counter() = default;
  void add(std::uint64_t count = 1) const {
    if (cell_) cell_->fetch_add(count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return cell_ ? cell_->load(std::memory_order_relaxed) : 0; }

 private:
  friend class Registry;
  explicit Counter(std::atomic<std::uint64_t>* cell) : cell_(cell) {}
  std::atomic<std::uint64_t>* cell_ = nullptr;
};

/// Something that goes up and down.
class Gauge {
 public:
  Gauge() = default;
  void add(std::int64_t count = 1) const {
    if (cell_) cell_->fetch_add(count, std::memory_order_relaxed);
  }
  void set(std::int64_t value) const {
    if (cell_) cell_->store(value, std::memory_order_relaxed);
  }
  std::int64_t value() const { return cell_ ? cell_->load(std::memory_order_relaxed) : 0; }

 private:
  friend class Registry;
  explicit Gauge(std::atomic<std::int64_t>* cell) : cell_(cell) {}
  std::atomic<std::int64_t>* cell_ = nullptr;
};

/// Bounds of buckets: `first`, then each 2^doublings times the one before, and one without a bound.
struct Buckets {
  std::uint64_t first = 1;
  unsigned doublings = 1;
  std::size_t count = 10;

  static constexpr std::size_t kMost = 32;
  std::uint64_t bound(std::size_t index) const { return first << (doublings * index); }
  /// The bucket of a value: the first whose bound is not below it.
  std::size_t index_of(std::uint64_t value) const {
    if (value <= first) return 0;
    auto doubled = static_cast<unsigned>(std::bit_width((value - 1) / first));
    auto index = (doubled + doublings - 1) / doublings;
    return index < count ? index : count;
  }
};
/// From 16 µs to 1 s, each twice the one before: what the disk does.
inline constexpr Buckets kFineTimes{16'000, 1, 17};
/// From 64 µs to 67 s, each four times the one before: what peers wait for.
inline constexpr Buckets kTimes{64'000, 2, 11};
/// From 1 to 1,024.
inline constexpr Buckets kCounts{1, 1, 11};

/// How often something took how long, or was how large.
class Histogram {
 public:
  Histogram() = default;
  /// In nanoseconds for times.
  void observe(std::uint64_t value) const {
    if (!cells_) return;
    cells_->buckets[cells_->shape.index_of(value)].fetch_add(1, std::memory_order_relaxed);
    cells_->sum.fetch_add(value, std::memory_order_relaxed);
  }
  void observe(std::chrono::nanoseconds time) const {
    observe(static_cast<std::uint64_t>(time.count() > 0 ? time.count() : 0));
  }

 private:
  friend class Registry;
  struct alignas(64) Cells {
    Buckets shape;
    std::atomic<std::uint64_t> sum{0};
    std::array<std::atomic<std::uint64_t>, Buckets::kMost + 1> buckets{};
  };
  explicit Histogram(Cells* cells) : cells_(cells) {}
  Cells* cells_ = nullptr;
};

/// What a histogram counts.
enum class Unit {
  Seconds,  ///< observed in nanoseconds, shown in seconds
  Bytes,
  Count,
};

/// The state of histograms, all of one name added up.
struct Distribution {
  std::vector<double> bounds;         ///< in the shown unit
  std::vector<std::uint64_t> counts;  ///< one more than bounds: what is above the last
  double sum = 0;
  std::uint64_t count = 0;

  /// What came since `before`, an earlier state of the same.
  Distribution since(const Distribution& before) const;
  /// The bound below which `share` (0 to 1) of all lie; 0 when there are none.
  double quantile(double share) const;
};

/// All metrics of the program; the wiring makes one. Names and labels that do not follow the format
/// or stand there already with another meaning are defects: the process ends.
class Registry {
 public:
  enum class Type { Counter, Gauge, Histogram };
  using Read = std::function<double()>;

  /// `name` ends in _total.
  Counter counter(std::string name, std::string help, Labels labels = {});
  Gauge gauge(std::string name, std::string help, Labels labels = {});
  Histogram histogram(std::string name, std::string help, Unit unit, Buckets buckets,
                      Labels labels = {});
  /// A value that somebody else keeps; `read` is called, on any thread, when it is shown.
  void counter_from(std::string name, std::string help, Read read, Labels labels = {});
  void gauge_from(std::string name, std::string help, Read read, Labels labels = {});
  /// Called before values are shown: for reading several of them at once.
  void before_reading(std::function<void()> prepare);

  /// Everything, in Prometheus' text format 0.0.4: families sorted by name.
  std::string text() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  // For people and programs that look at single numbers; they search by name.

  /// The values of all label sets added up.
  double total(std::string_view name) const;
  /// The same for each value of one label.
  std::map<std::string, double> by_label(std::string_view name, std::string_view label) const;
  Distribution distribution(std::string_view name) const;

  /// One name, for the documentation.
  struct Description {
    std::string name;
    Type type;
    std::string help;
    std::vector<std::string> labels;
  };
  std::vector<Description> describe() const;

 private:
  /// One label set of a family.
  struct Series {
    Labels labels;
    Read read;                          ///< counters and gauges
    Histogram::Cells* cells = nullptr;  ///< histograms
  };
  struct Family {
    Type type;
    std::string help;
    Unit unit = Unit::Count;
    std::vector<Series> series;
  };
  struct alignas(64) CounterCell {
    std::atomic<std::uint64_t> value{0};
  };
  struct alignas(64) GaugeCell {
    std::atomic<std::int64_t> value{0};
  };

  void add(std::string name, Type type, std::string help, Unit unit, Series series);
  const Family* find(std::string_view name) const;
  void prepare() const;
  static void append_histogram(std::string& out, const std::string& name, const Family& family,
                               const Series& series);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
  std::vector<std::function<void()>> prepare_;
  // Each on a cache line of its own: cores that count different things do not disturb each other.
  std::deque<CounterCell> counters_;
  std::deque<GaugeCell> gauges_;
  std::deque<Histogram::Cells> histograms_;
};

/// Measures from its making to its end.
class Timer {
 public:
  explicit Timer(Histogram histogram)
      : histogram_(histogram), began_(std::chrono::steady_clock::now()) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { histogram_.observe(std::chrono::steady_clock::now() - began_); }

 private:
  Histogram histogram_;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace hikyaku::metrics
