#include "base/metrics.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>

#include "base/text.h"

namespace hikyaku::metrics {
namespace {

[[noreturn]] void defect(std::string_view name, std::string_view what) {
  fmt::print(stderr, "metric {}: {}\n", name, what);
  std::abort();
}

/// [a-zA-Z_:][a-zA-Z0-9_:]*, but colons are for recording rules only.
bool is_name(std::string_view name) {
  if (name.empty() || is_ascii_digit(name.front())) return false;
  return std::ranges::all_of(name, [](char c) { return is_ascii_alnum(c) || c == '_'; });
}

/// In HELP: backslash and line feed; in label values the quote as well.
void append_escaped(std::string& out, std::string_view text, bool quote) {
  for (char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quote)
      out += "\\\"";
    else
      out += c;
  }
}

/// {a="x",b="y"}; `le` is one more label, if not empty.
void append_labels(std::string& out, const Labels& labels, std::string_view le = {}) {
  if (labels.empty() && le.empty()) return;
  char before = '{';
  auto append = [&](std::string_view name, std::string_view value) {
    out += before;
    before = ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  };
  for (auto& [name, value] : labels) append(name, value);
  if (!le.empty()) append("le", le);
  out += '}';
}

std::string_view word_of(Registry::Type type) {
  switch (type) {
    case Registry::Type::Counter:
      return "counter";
    case Registry::Type::Gauge:
      return "gauge";
    case Registry::Type::Histogram:
      return "histogram";
  }
  return "untyped";
}

/// How many of what is observed make one of what is shown.
double divisor_of(Unit unit) {
  return unit == Unit::Seconds ? 1e9 : 1.0;
}

std::string to_text(double value) {
  return fmt::format("{}", value);
}

}  // namespace

Distribution Distribution::since(const Distribution& before) const {
  auto left = *this;
  if (before.counts.size() != counts.size()) return left;
  for (std::size_t i = 0; i < counts.size(); ++i) left.counts[i] -= before.counts[i];
  left.sum -= before.sum;
  left.count -= before.count;
  return left;
}

double Distribution::quantile(double share) const {
  if (count == 0 || bounds.empty()) return 0;
  auto wanted = share * static_cast<double>(count);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    seen += counts[i];
    if (static_cast<double>(seen) >= wanted) return bounds[i];
  }
  return bounds.back();
}

void Registry::add(std::string name, Type type, std::string help, Unit unit, Series series) {
  if (!is_name(name)) defect(name, "is no name");
  if (name.ends_with("_total") != (type == Type::Counter)) defect(name, "_total is for counters");
  if (help.empty()) defect(name, "has no help");
  for (auto& [label, value] : series.labels)
    if (!is_name(label) || label == "le") defect(name, "has a label that is no name");
  std::lock_guard lock(mutex_);
  auto [found, is_new] = families_.try_emplace(std::move(name), Family{type, help, unit, {}});
  auto& family = found->second;
  if (!is_new && (family.type != type || family.help != help))
    defect(found->first, "is there already with another meaning");
  for (auto& other : family.series) {
    if (other.labels == series.labels) defect(found->first, "is there already");
    if (!std::ranges::equal(other.labels, series.labels,
                            [](auto& a, auto& b) { return a.first == b.first; }))
      defect(found->first, "has other labels elsewhere");
  }
  family.series.push_back(std::move(series));
}

Counter Registry::counter(std::string name, std::string help, Labels labels) {
  std::atomic<std::uint64_t>* cell = nullptr;
  {
    std::lock_guard lock(mutex_);
    cell = &counters_.emplace_back().value;
  }
  auto read = [cell] { return static_cast<double>(cell->load(std::memory_order_relaxed)); };
  add(std::move(name), Type::Counter, std::move(help), Unit::Count, {std::move(labels), read});
  return Counter(cell);
}

Gauge Registry::gauge(std::string name, std::string help, Labels labels) {
  std::atomic<std::int64_t>* cell = nullptr;
  {
    std::lock_guard lock(mutex_);
    cell = &gauges_.emplace_back().value;
  }
  auto read = [cell] { return static_cast<double>(cell->load(std::memory_order_relaxed)); };
  add(std::move(name), Type::Gauge, std::move(help), Unit::Count, {std::move(labels), read});
  return Gauge(cell);
}

Histogram Registry::histogram(std::string name, std::string help, Unit unit, Buckets buckets,
                              Labels labels) {
  if (buckets.first == 0 || buckets.doublings == 0 || buckets.count == 0 ||
      buckets.count > Buckets::kMost)
    defect(name, "has impossible buckets");
  Histogram::Cells* cells = nullptr;
  {
    std::lock_guard lock(mutex_);
    cells = &histograms_.emplace_back();
    cells->shape = buckets;
  }
  add(std::move(name), Type::Histogram, std::move(help), unit, {std::move(labels), {}, cells});
  return Histogram(cells);
}

void Registry::counter_from(std::string name, std::string help, Read read, Labels labels) {
  add(std::move(name), Type::Counter, std::move(help), Unit::Count,
      {std::move(labels), std::move(read)});
}

void Registry::gauge_from(std::string name, std::string help, Read read, Labels labels) {
  add(std::move(name), Type::Gauge, std::move(help), Unit::Count,
      {std::move(labels), std::move(read)});
}

void Registry::before_reading(std::function<void()> prepare) {
  std::lock_guard lock(mutex_);
  prepare_.push_back(std::move(prepare));
}

/// Under the lock.
void Registry::prepare() const {
  for (auto& one : prepare_) one();
}

void Registry::append_histogram(std::string& out, const std::string& name, const Family& family,
                                const Series& series) {
  auto& cells = *series.cells;
  auto divisor = divisor_of(family.unit);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= cells.shape.count; ++i) {
    count += cells.buckets[i].load(std::memory_order_relaxed);
    out += name;
    out += "_bucket";
    auto last = i == cells.shape.count;
    auto bound = static_cast<double>(cells.shape.bound(i)) / divisor;
    append_labels(out, series.labels, last ? "+Inf" : to_text(bound));
    fmt::format_to(std::back_inserter(out), " {}\n", count);
  }
  out += name + "_sum";
  append_labels(out, series.labels);
  auto sum = static_cast<double>(cells.sum.load(std::memory_order_relaxed)) / divisor;
  fmt::format_to(std::back_inserter(out), " {}\n", to_text(sum));
  out += name + "_count";
  append_labels(out, series.labels);
  fmt::format_to(std::back_inserter(out), " {}\n", count);
}

std::string Registry::text() const {
  std::lock_guard lock(mutex_);
  prepare();
  std::string out;
  for (auto& [name, family] : families_) {
    out += "# HELP " + name + ' ';
    append_escaped(out, family.help, false);
    fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name, word_of(family.type));
    for (auto& series : family.series) {
      if (family.type == Type::Histogram) {
        append_histogram(out, name, family, series);
        continue;
      }
      out += name;
      append_labels(out, series.labels);
      fmt::format_to(std::back_inserter(out), " {}\n", to_text(series.read()));
    }
  }
  return out;
}

const Registry::Family* Registry::find(std::string_view name) const {
  auto found = families_.find(name);
  return found == families_.end() ? nullptr : &found->second;
}

double Registry::total(std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto family = find(name);
  if (!family || family->type == Type::Histogram) return 0;
  prepare();
  double sum = 0;
  for (auto& series : family->series) sum += series.read();
  return sum;
}

std::map<std::string, double> Registry::by_label(std::string_view name,
                                                 std::string_view label) const {
  std::map<std::string, double> values;
  std::lock_guard lock(mutex_);
  auto family = find(name);
  if (!family) return values;
  prepare();
  for (auto& series : family->series) {
    auto found = std::ranges::find(series.labels, label, &Labels::value_type::first);
    if (found == series.labels.end()) continue;
    auto& value = values[found->second];
    if (!series.cells) {
      value += series.read();
      continue;
    }
    for (auto& bucket : series.cells->buckets)
      value += static_cast<double>(bucket.load(std::memory_order_relaxed));
  }
  return values;
}

Distribution Registry::distribution(std::string_view name) const {
  Distribution all;
  std::lock_guard lock(mutex_);
  auto family = find(name);
  if (!family || family->type != Type::Histogram) return all;
  auto divisor = divisor_of(family->unit);
  auto& shape = family->series.front().cells->shape;
  for (std::size_t i = 0; i < shape.count; ++i)
    all.bounds.push_back(static_cast<double>(shape.bound(i)) / divisor);
  all.counts.resize(shape.count + 1);
  for (auto& series : family->series) {
    for (std::size_t i = 0; i <= shape.count; ++i) {
      auto count = series.cells->buckets[i].load(std::memory_order_relaxed);
      all.counts[i] += count;
      all.count += count;
    }
    all.sum += static_cast<double>(series.cells->sum.load(std::memory_order_relaxed)) / divisor;
  }
  return all;
}

std::vector<Registry::Description> Registry::describe() const {
  std::vector<Description> all;
  std::lock_guard lock(mutex_);
  for (auto& [name, family] : families_) {
    Description one{name, family.type, family.help, {}};
    for (auto& [label, value] : family.series.front().labels) one.labels.push_back(label);
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace hikyaku::metrics
