// Ten million evaluations summed into rows of a real store, and all of them made into reports, in
// bounded memory: bench_reports_evaluation [MILLIONS].
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include "reports/outgoing.h"
#include "store/open.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::reports {
namespace {

constexpr std::uint64_t kDomains = 20'000;
constexpr std::uint64_t kBatch = 500;

double peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// A few domains get most of the mail, as in life; each has some hundred sources at most.
Evaluation evaluation(std::uint64_t number) {
  auto mixed = number * 0x9E3779B97F4A7C15;
  auto part = (mixed >> 40) % 1000;
  auto domain = (mixed >> 20) % (part < 700 ? 20 : part < 950 ? 1000 : kDomains);
  auto source = (mixed >> 8) % (part < 700 ? 400 : 20);
  Evaluation one;
  one.when = Time(std::chrono::days(20'000));
  one.policy.domain = fmt::format("domain{}.test", domain);
  one.policy.p = dmarc::Policy::Reject;
  one.rua = "mailto:reports@" + one.policy.domain;
  one.record.source = IpAddress(std::array<std::uint8_t, 4>{
      192, 0, static_cast<std::uint8_t>(source >> 8), static_cast<std::uint8_t>(source)});
  one.record.header_from = one.record.envelope_from = one.policy.domain;
  one.record.dkim_aligned = source % 10 != 0;
  one.record.dkim = {{one.policy.domain, "s2026", dkim::Result::Pass, {}}};
  one.record.spf = {
      {one.policy.domain, dmarc::ReportedSpf::Scope::MailFrom, spf::Result::Pass, false, {}}};
  return one;
}

int run(std::uint64_t total) {
  auto directory = std::filesystem::temp_directory_path() /
                   fmt::format("bench-evaluations-{}", static_cast<int>(::getpid()));
  testing::TestLoop loop;
  testing::TestPool pool;
  SystemClock clock;
  store::Options options{.directory = directory.string(), .workers = pool, .clock = clock};
  options.if_missing = store::IfMissing::Make;
  options.index_memory = 64ull << 20;
  auto opened = store::open_store(std::move(options));
  if (!opened) return fmt::print("{}\n", opened.error().describe()), 1;
  auto store = std::move(*opened);

  auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t first = 0; first < total; first += kBatch) {
    // Many deliveries share a sync; readers see what is durable.
    auto last_one = first + kBatch >= total;
    auto durability = last_one ? store::Durability::Sync : store::Durability::Lazy;
    auto done = loop.run(store->transact({store::kInstance},
                                         [first](store::Transaction& tx) -> Result<void> {
                                           for (std::uint64_t i = 0; i < kBatch; ++i)
                                             record_evaluation(tx, evaluation(first + i));
                                           return {};
                                         },
                                         {.durability = durability}));
    if (!done) return fmt::print("{}\n", done.error().describe()), 1;
  }
  std::chrono::duration<double> recorded = std::chrono::steady_clock::now() - begin;
  fmt::print("{} evaluations recorded: {:.1f} s, {:.2f} µs each, peak {:.0f} MB\n", total,
             recorded.count(), recorded.count() * 1e6 / static_cast<double>(total),
             peak_megabytes());

  begin = std::chrono::steady_clock::now();
  std::uint64_t reports = 0, rows = 0, messages = 0, largest = 0;
  std::optional<Subject> last;
  while (true) {
    auto piece = loop.run(store->read(
        [&](store::Reader& reader) { return list_subjects(reader, 100'000, last, 500); }));
    if (piece.empty()) break;
    last = piece.back();
    for (auto& subject : piece) {
      ReportRequest request;
      request.subject = subject;
      request.recipients = {"reports@" + subject.domain};
      request.submitter = {"beta.test", "reports@beta.test", "Hikyaku"};
      request.unique = "1";
      auto composed = loop.run(compose_report(*store, pool, request));
      if (!composed) return fmt::print("{}\n", composed.error().describe()), 1;
      ++reports;
      rows += composed->rows;
      messages += composed->messages;
      largest = std::max<std::uint64_t>(largest, composed->message.size());
    }
  }
  std::chrono::duration<double> composed = std::chrono::steady_clock::now() - begin;
  fmt::print("{} reports of {} rows, {} messages, the largest {} bytes: {:.1f} s, peak {:.0f} MB\n",
             reports, rows, messages, largest, composed.count(), peak_megabytes());
  store->close();
  std::filesystem::remove_all(directory);
  return messages == total && peak_megabytes() < 256 ? 0 : 1;
}

}  // namespace
}  // namespace hikyaku::reports

int main(int argc, char** argv) {
  auto millions = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10;
  return hikyaku::reports::run(millions * 1'000'000);
}
