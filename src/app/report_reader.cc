#include "app/report_reader.h"

#include "auth/directory.h"
#include "base/async.h"
#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::app {
namespace {

constexpr std::chrono::hours kEvery{6};
constexpr std::size_t kPiece = 16;
constexpr std::size_t kRows = 250;
constexpr std::size_t kReadPiece = 1 << 20;

}  // namespace

void ReportReader::start() {
  subscription_ =
      core_.store().subscribe(store::kInstance, reports::kTopicTaken, [this] { wakeup_.wake(); });
  gate_.spawn(run());
}

void ReportReader::stop(Callback stopped) {
  stopping_ = true;
  subscription_.reset();
  wakeup_.wake();
  gate_.close(std::move(stopped));
}

Task<void> ReportReader::run() {
  reports::Day trimmed = 0;
  while (!stopping_) {
    co_await read_all();
    auto today = reports::day_of(core_.clock().now());
    if (std::exchange(trimmed, today) != today && !stopping_) co_await trim();
    co_await wakeup_.wait(kEvery);
  }
}

Task<void> ReportReader::trim() {
  auto before = reports::day_of(core_.clock().now() - core_.config().dmarc.keep_reports);
  co_await core_.store().transact({store::kInstance},
                                  [&](store::Transaction& tx) -> Result<void> {
                                    reports::trim_received(tx, before);
                                    return {};
                                  },
                                  {.may_use_reserve = true});
}

Task<void> ReportReader::read_all() {
  story::MessageId last = 0;
  while (!stopping_) {
    auto piece = co_await core_.store().read(
        [](store::Reader& reader) { return reports::list_taken(reader, kPiece); });
    // One that cannot be finished now (a full disk) is not tried again at once.
    if (piece.empty() || piece.front().id <= last) co_return;
    for (auto& taken : piece) {
      if (stopping_) co_return;
      last = taken.id;
      co_await read(taken);
    }
  }
}

Task<Result<std::string>> ReportReader::whole_mail(store::BlobId body) {
  CO_TRY(auto blob, co_await core_.store().open_blob(body));
  if (blob->size() > reports::ReadLimits{}.message_bytes)
    co_return fail(ErrorCode::TooLarge, "the mail has {} bytes: too large for a report",
                   blob->size());
  std::string bytes;
  bytes.reserve(blob->size());
  while (bytes.size() < blob->size()) {
    CO_TRY(auto piece, co_await blob->read(bytes.size(), kReadPiece));
    if (piece.empty()) co_return fail(ErrorCode::Corrupt, "the mail is shorter than it was");
    bytes += piece;
  }
  co_return bytes;
}

Task<Result<reports::Digest>> ReportReader::digest(const reports::Taken& taken) {
  CO_TRY(auto mail, co_await whole_mail(taken.body));
  CO_TRY(auto bytes, co_await confined_.run(ConfinedJob::ReadReport, std::move(mail)));
  co_return co_await run_on(core_.workers(),
                            [bytes = std::move(bytes)] { return reports::decode_digest(bytes); });
}

Task<void> ReportReader::read(const reports::Taken& taken) {
  auto log = core_.log().with({{"mid", story::to_text(taken.id)}, {"from", taken.mail_from}});
  auto read = co_await digest(taken);
  if (read) {
    co_await keep(taken, std::move(*read), log);
    co_return co_await finish(taken);
  }
  auto code = read.error().code;
  // Not the report's fault: it waits.
  if (code == ErrorCode::Shutdown || code == ErrorCode::Unavailable) co_return;
  log.warn("report.unread", {{"err", read.error().describe()}});
  co_await finish(taken);
}

Task<void> ReportReader::finish(const reports::Taken& taken) {
  co_await core_.store().transact({store::kInstance},
                                  [&](store::Transaction& tx) -> Result<void> {
                                    reports::finish_taken(tx, taken);
                                    return {};
                                  },
                                  {.may_use_reserve = true});
}

/// Reports about strangers are of no use to anybody here.
Task<bool> ReportReader::is_ours(std::string domain) {
  co_return co_await core_.store().read([&](store::Reader& reader) {
    for (std::string_view name = domain; !name.empty(); name = dns::parent(name))
      if (auth::find_domain(reader, name)) return true;
    return false;
  });
}

Task<void> ReportReader::keep(const reports::Taken& taken, reports::Digest digest, Log log) {
  if (digest.kind == reports::ReadReport::Kind::Other) {
    log.warn("report.unread", {{"err", digest.problem}});
    co_return;
  }
  if (digest.kind == reports::ReadReport::Kind::Failure) {
    auto failure = reports::received_failure(taken, digest);
    if (!co_await is_ours(failure.domain)) {
      log.info("report.ignore", {{"domain", failure.domain}, {"why", "not our domain"}});
      co_return;
    }
    co_await core_.store().transact({store::kInstance},
                                    [&](store::Transaction& tx) -> Result<void> {
                                      reports::put_failure(tx, failure);
                                      return {};
                                    });
    log.info("report.failure", {{"domain", failure.domain}});
    co_return;
  }
  auto report = reports::received_report(taken, digest);
  log = log.with({{"domain", report.domain}});
  if (!co_await is_ours(report.domain)) {
    log.info("report.ignore", {{"why", "not our domain"}});
    co_return;
  }
  auto known = co_await core_.store().read(
      [&](store::Reader& reader) { return reports::is_known(reader, report); });
  if (known) {
    log.info("report.ignore", {{"why", "the same report came before"}});
    co_return;
  }
  if (!co_await keep_rows(report, digest.rows)) co_return;
  log.info("report.receive", {{"rows", report.rows}, {"count", report.messages}});
}

Task<bool> ReportReader::keep_rows(const reports::ReceivedReport& report,
                                   const std::vector<dmarc::ReportRecord>& rows) {
  for (std::size_t first = 0; first < rows.size(); first += kRows) {
    auto piece = std::span(rows).subspan(first, std::min(kRows, rows.size() - first));
    auto stored = co_await core_.store().transact(
        {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
          reports::put_received_rows(tx, report, static_cast<std::uint32_t>(first), piece);
          return {};
        });
    if (!stored) co_return false;
  }
  auto stored = co_await core_.store().transact({store::kInstance},
                                                [&](store::Transaction& tx) -> Result<void> {
                                                  reports::put_received(tx, report);
                                                  return {};
                                                });
  co_return stored.has_value();
}

}  // namespace hikyaku::app
