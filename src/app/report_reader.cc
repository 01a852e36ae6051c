#include "app/report_reader.h"

#include "auth/directory.h"
#include "base/async.h"
#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::app {
namespace {

constexpr std::chrono::hours kEvery{6};
constexpr std::size_t kPiece = 16;
constexpr std::size_t kReadPiece = 1 << 20;

/// Reports about strangers are of no use to anybody here.
bool is_ours(store::Reader& reader, std::string_view domain) {
  for (; !domain.empty(); domain = dns::parent(domain))
    if (auth::find_domain(reader, domain)) return true;
  return false;
}

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
    co_await rounds_.run(read_all());
    auto today = reports::day_of(core_.clock().now());
    if (trimmed != today && !stopping_ && co_await rounds_.run(trim(), false)) trimmed = today;
    co_await wakeup_.wait(kEvery);
  }
}

Task<bool> ReportReader::trim() {
  auto before = reports::day_of(core_.clock().now() - core_.config().dmarc.keep_reports);
  auto trimmed = co_await store::erase_in_pieces(
      core_.store(), store::kInstance,
      [before](store::Transaction& tx) { return reports::trim_received(tx, before); },
      [this] { return stopping_; });
  if (!trimmed) core_.log().warn("report.trim", {{"err", trimmed.error().describe()}});
  co_return trimmed.has_value();
}

Task<void> ReportReader::read_all() {
  // One that cannot be finished now (a full disk) is not tried again at once, and holds up no
  // other.
  for (story::MessageId last = 0; !stopping_;) {
    auto piece = co_await core_.store().read(
        [last](store::Reader& reader) { return reports::list_taken(reader, kPiece, last); });
    if (piece.empty()) co_return;
    for (auto& taken : piece) {
      last = taken.id;
      if (being_read_.contains(taken.id)) continue;
      auto permit = co_await at_once_.acquire();
      if (stopping_) co_return;
      being_read_.insert(taken.id);
      gate_.spawn(read(std::move(taken), std::move(permit)));
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

/// Unavailable: not the report's fault.
Task<Result<reports::Digest>> ReportReader::digest(const reports::Taken& taken) {
  auto mail = co_await whole_mail(taken.body);
  if (!mail && mail.error().code != ErrorCode::TooLarge)
    co_return fail(ErrorCode::Unavailable, "{}", mail.error().describe());
  if (!mail) co_return std::unexpected(std::move(mail).error());
  CO_TRY(auto bytes, co_await confined_.run(ConfinedJob::ReadReport, std::move(*mail)));
  co_return co_await run_on(core_.workers(),
                            [bytes = std::move(bytes)] { return reports::decode_digest(bytes); });
}

Task<Result<reports::Kept>> ReportReader::keep(const reports::Taken& taken) {
  auto read = co_await digest(taken);
  if (read) co_return co_await reports::keep(core_.store(), taken, std::move(*read), is_ours);
  auto code = read.error().code;
  if (code == ErrorCode::Shutdown) co_return std::unexpected(std::move(read).error());
  // It waits, but not for ever.
  auto too_old = core_.clock().now() - taken.when > core_.config().dmarc.keep_reports;
  if (code == ErrorCode::Unavailable && !too_old)
    co_return std::unexpected(std::move(read).error());
  co_return co_await reports::give_up(core_.store(), taken, read.error().describe());
}

/// `permit` is given back at the end.
Task<void> ReportReader::read(reports::Taken taken, [[maybe_unused]] Semaphore::Permit permit) {
  auto id = taken.id;
  co_await rounds_.run(read_one(std::move(taken)));
  being_read_.erase(id);
}

Task<void> ReportReader::read_one(reports::Taken taken) {
  using What = reports::Kept::What;
  auto log = core_.log().with({{"mid", story::to_text(taken.id)}, {"from", taken.mail_from}});
  // It may have been finished between the moment that the list shows and now.
  auto waits = co_await core_.store().read([&taken](store::Reader& reader) {
    auto next = reports::list_taken(reader, 1, taken.id - 1);
    return !next.empty() && next.front().id == taken.id;
  });
  if (!waits) co_return;
  auto kept = co_await keep(taken);
  if (!kept) {
    if (kept.error().code != ErrorCode::Shutdown)
      log.warn("report.wait", {{"err", kept.error().describe()}});
    co_return;
  }
  switch (kept->what) {
    case What::Report:
      log.info("report.receive", {{"domain", kept->domain},
                                  {"rows", kept->report.rows},
                                  {"count", kept->report.messages}});
      break;
    case What::Unproved:
      log.warn("report.unproved",
               {{"domain", kept->domain}, {"why", reports::reason(kept->report.sender)}});
      break;
    case What::Failure:
      log.info("report.failure", {{"domain", kept->domain}});
      break;
    case What::NotOurs:
      log.info("report.ignore", {{"domain", kept->domain}, {"why", "not our domain"}});
      break;
    case What::Known:
      log.info("report.ignore", {{"domain", kept->domain}, {"why", "the same report came before"}});
      break;
    case What::Bounce:
      log.warn("report.bounce", {{"domain", kept->domain}, {"err", kept->problem}});
      break;
    case What::Unreadable:
      log.warn("report.unread", {{"err", kept->problem}});
      break;
  }
}

}  // namespace hikyaku::app
