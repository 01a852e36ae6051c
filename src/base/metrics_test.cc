#include "base/metrics.h"

#include <doctest/doctest.h>
#include <thread>

namespace metrics = hikyaku::metrics;
using metrics::Registry;

TEST_CASE("counters, gauges and histograms are written as Prometheus reads them") {
  Registry registry;
  auto plain = registry.counter("a_total", "Things with a \\ and\na line.");
  auto labelled = registry.counter("b_total", "By kind.", {{"kind", "say \"x\\y\"\n"}});
  auto gauge = registry.gauge("c", "Now.");
  auto sizes = registry.histogram("d", "Sizes.", metrics::Unit::Count, {1, 1, 3});
  plain.add();
  plain.add(41);
  labelled.add(7);
  gauge.add(5);
  gauge.add(-8);
  for (std::uint64_t size : {0, 1, 2, 3, 4, 5, 1000}) sizes.observe(size);
  CHECK(registry.text() ==
        "# HELP a_total Things with a \\\\ and\\na line.\n"
        "# TYPE a_total counter\n"
        "a_total 42\n"
        "# HELP b_total By kind.\n"
        "# TYPE b_total counter\n"
        "b_total{kind=\"say \\\"x\\\\y\\\"\\n\"} 7\n"
        "# HELP c Now.\n"
        "# TYPE c gauge\n"
        "c -3\n"
        "# HELP d Sizes.\n"
        "# TYPE d histogram\n"
        "d_bucket{le=\"1\"} 2\n"
        "d_bucket{le=\"2\"} 3\n"
        "d_bucket{le=\"4\"} 5\n"
        "d_bucket{le=\"+Inf\"} 7\n"
        "d_sum 1015\n"
        "d_count 7\n");
}

TEST_CASE("times are observed in nanoseconds and shown in seconds") {
  Registry registry;
  auto times = registry.histogram("t_seconds", "Time.", metrics::Unit::Seconds, {1000, 2, 2},
                                  {{"verb", "X"}});
  times.observe(std::chrono::microseconds(1));
  times.observe(std::chrono::microseconds(4));
  times.observe(std::chrono::milliseconds(2));
  auto text = registry.text();
  CHECK(text.find("t_seconds_bucket{verb=\"X\",le=\"1e-06\"} 1\n") != text.npos);
  CHECK(text.find("t_seconds_bucket{verb=\"X\",le=\"4e-06\"} 2\n") != text.npos);
  CHECK(text.find("t_seconds_count{verb=\"X\"} 3\n") != text.npos);
  CHECK(text.find("t_seconds_sum{verb=\"X\"} 0.002005") != text.npos);
}

TEST_CASE("a value falls into the first bucket that holds it") {
  for (auto shape : {metrics::kFineTimes, metrics::kTimes, metrics::kCounts,
                     metrics::Buckets{3, 1, 8}, metrics::Buckets{10, 3, 5}}) {
    for (std::size_t i = 0; i < shape.count; ++i) {
      auto bound = shape.bound(i);
      CAPTURE(bound);
      CHECK(shape.index_of(bound) == i);
      CHECK(shape.index_of(bound + 1) == i + 1);
    }
    CHECK(shape.index_of(0) == 0);
    CHECK(shape.index_of(UINT64_MAX) == shape.count);
  }
}

TEST_CASE("what nobody watches counts nothing, and costs nothing but a branch") {
  metrics::Counter counter;
  metrics::Gauge gauge;
  metrics::Histogram histogram;
  counter.add();
  gauge.set(4);
  histogram.observe(7);
  CHECK(counter.value() == 0);
  CHECK(gauge.value() == 0);
}

TEST_CASE("nothing is lost when several threads count") {
  Registry registry;
  auto counter = registry.counter("n_total", "N.");
  auto histogram = registry.histogram("h", "H.", metrics::Unit::Count, metrics::kCounts);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([=] {
      for (std::uint64_t k = 0; k < 10'000; ++k) {
        counter.add();
        histogram.observe(k);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(counter.value() == 40'000);
  CHECK(registry.distribution("h").count == 40'000);
}

TEST_CASE("values by name, for those who look at single numbers") {
  Registry registry;
  registry.counter("m_total", "M.", {{"proto", "smtp"}, {"verb", "MAIL"}}).add(2);
  registry.counter("m_total", "M.", {{"proto", "smtp"}, {"verb", "RCPT"}}).add(3);
  registry.counter("m_total", "M.", {{"proto", "imap"}, {"verb", "NOOP"}}).add(5);
  double read = 1;
  registry.before_reading([&] { read = 17; });
  registry.gauge_from("g", "G.", [&] { return read; });
  CHECK(registry.total("m_total") == 10);
  CHECK(registry.by_label("m_total", "proto") ==
        std::map<std::string, double>{{"imap", 5}, {"smtp", 5}});
  CHECK(registry.total("g") == 17);
  CHECK(registry.total("nothing") == 0);

  auto times = registry.histogram("s_seconds", "S.", metrics::Unit::Seconds, metrics::kFineTimes);
  for (int i = 0; i < 98; ++i) times.observe(std::chrono::microseconds(20));
  auto before = registry.distribution("s_seconds");
  CHECK(before.quantile(0.5) == doctest::Approx(32e-6));
  for (int i = 0; i < 2; ++i) times.observe(std::chrono::milliseconds(30));
  CHECK(registry.distribution("s_seconds").quantile(0.99) == doctest::Approx(32.768e-3));
  CHECK(registry.distribution("s_seconds").since(before).count == 2);
  CHECK(metrics::Distribution{}.quantile(0.5) == 0);
}
