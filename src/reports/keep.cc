#include "reports/keep.h"

#include <algorithm>
#include <fmt/core.h>
#include <span>

#include "base/text.h"
#include "store/erase.h"
#include "story/story.h"

namespace hikyaku::reports {
namespace {

constexpr std::size_t kRows = 250;
/// Forgetting must be possible on a full disk.
constexpr store::TransactOptions kForgets{.may_use_reserve = true};

/// The end of the mail's way: the mail goes, and its story says what it was.
void finish(store::Transaction& tx, const Taken& taken, std::string_view what) {
  finish_taken(tx, taken);
  story::record_note(tx, taken.id, what, taken.when);
}

std::string told(const ReceivedReport& report) {
  auto text = fmt::format("read: a report about {} (messages: {}, passed: {}",
                          printable(report.domain, 200), report.messages, report.passed);
  if (report.left_out > 0)
    text += fmt::format(", records left out as unreadable: {}", report.left_out);
  return text + ")";
}

Task<Result<Kept>> ignore(store::Store& store, const Taken& taken, Kept kept) {
  auto note =
      kept.what == Kept::What::NotOurs
          ? fmt::format("ignored: a report about {} (not our domain)", printable(kept.domain, 200))
          : std::string("ignored: the same report came before");
  CO_TRY_DO(co_await store.transact(
      {store::kInstance},
      [&](store::Transaction& tx) -> Result<void> {
        finish(tx, taken, note);
        return {};
      },
      kForgets));
  co_return kept;
}

/// What was written of a report that is known by now goes again.
Task<Result<Kept>> forget(store::Store& store, const Taken& taken, Kept kept) {
  CO_TRY_DO(co_await store::erase_in_pieces(
      store, store::kInstance,
      [&](store::Transaction& tx) { return erase_received_rows(tx, kept.report); },
      [] { return false; }));
  kept.what = Kept::What::Known;
  co_return co_await ignore(store, taken, std::move(kept));
}

Task<Result<Kept>> keep_failure(store::Store& store, const Taken& taken,
                                const ReceivedFailure& failure, const IsOurs& is_ours) {
  Kept kept{.what = Kept::What::NotOurs, .domain = failure.domain, .report = {}, .problem = {}};
  auto ours =
      co_await store.read([&](store::Reader& reader) { return is_ours(reader, failure.domain); });
  if (!ours) co_return co_await ignore(store, taken, std::move(kept));
  CO_TRY_DO(
      co_await store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        put_failure(tx, failure);
        auto about = "a failure report about " + printable(failure.domain, 200);
        finish(tx, taken,
               failure.sender.counts()
                   ? "read: " + about
                   : "read, unproved: " + about + ": " + reason(failure.sender));
        return {};
      }));
  kept.what = Kept::What::Failure;
  co_return kept;
}

/// It is told that it came, and what it says is not believed.
Task<Result<Kept>> keep_unproved(store::Store& store, const Taken& taken, Kept kept) {
  auto note = fmt::format("not counted: a report about {} (messages: {}, passed: {}): {}",
                          printable(kept.domain, 200), kept.report.messages, kept.report.passed,
                          reason(taken.sender));
  CO_TRY_DO(co_await store.transact(
      {store::kInstance},
      [&](store::Transaction& tx) -> Result<void> {
        put_unproved(tx, kept.report);
        finish(tx, taken, note);
        return {};
      },
      kForgets));
  kept.what = Kept::What::Unproved;
  co_return kept;
}

Task<Result<Kept>> keep_report(store::Store& store, const Taken& taken,
                               const std::vector<dmarc::ReportRecord>& rows, ReceivedReport report,
                               const IsOurs& is_ours) {
  Kept kept{.what = Kept::What::Report,
            .domain = report.domain,
            .report = std::move(report),
            .problem = {}};
  auto problem = co_await store.read([&](store::Reader& reader) -> std::optional<Kept::What> {
    if (!is_ours(reader, kept.domain)) return Kept::What::NotOurs;
    if (!kept.report.sender.counts()) return Kept::What::Unproved;
    if (is_known(reader, kept.report)) return Kept::What::Known;
    return std::nullopt;
  });
  if (problem == Kept::What::Unproved)
    co_return co_await keep_unproved(store, taken, std::move(kept));
  if (problem) {
    kept.what = *problem;
    co_return co_await ignore(store, taken, std::move(kept));
  }
  // What an attempt before this one has written, this one writes again under the same keys.
  std::size_t first = 0;
  bool passed = false;  // by another mail with the same report
  do {
    auto piece = std::span(rows).subspan(first, std::min(kRows, rows.size() - first));
    auto last = first + piece.size() == rows.size();
    CO_TRY_DO(
        co_await store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
          passed = is_known(tx, kept.report);
          if (passed) return {};
          put_received_rows(tx, kept.report, static_cast<std::uint32_t>(first), piece);
          if (last) {
            put_received(tx, kept.report);
            finish(tx, taken, told(kept.report));
          }
          return {};
        }));
    first += piece.size();
  } while (!passed && first < rows.size());
  if (passed) co_return co_await forget(store, taken, std::move(kept));
  co_return kept;
}

/// What is no report: that is noted, also on a full disk.
Task<Result<Kept>> keep_unread(store::Store& store, const Taken& taken, std::string problem,
                               std::optional<Bounced> bounced) {
  UnreadReport unread{.day = day_of(taken.when),
                      .id = taken.id,
                      .when = taken.when,
                      .mail_from = taken.mail_from,
                      .problem = std::move(problem),
                      .bounced = std::move(bounced)};
  auto shown = printable(unread.problem, 200);
  auto note = unread.bounced ? fmt::format("a report of ours did not reach {}: {}",
                                           printable(unread.bounced->to, 200), shown)
                             : "could not be read: " + shown;
  CO_TRY_DO(co_await store.transact(
      {store::kInstance},
      [&](store::Transaction& tx) -> Result<void> {
        put_unread(tx, unread);
        finish(tx, taken, note);
        return {};
      },
      kForgets));
  co_return Kept{.what = unread.bounced ? Kept::What::Bounce : Kept::What::Unreadable,
                 .domain = unread.bounced ? unread.bounced->about : "",
                 .report = {},
                 .problem = std::move(unread.problem)};
}

}  // namespace

Task<Result<Kept>> keep(store::Store& store, Taken taken, Digest digest, IsOurs is_ours) {
  switch (digest.kind) {
    case ReadReport::Kind::Aggregate:
      co_return co_await keep_report(store, taken, digest.rows, received_report(taken, digest),
                                     is_ours);
    case ReadReport::Kind::Failure: {
      auto failure = received_failure(taken, digest);
      co_return co_await keep_failure(store, taken, failure, is_ours);
    }
    case ReadReport::Kind::Bounce:
      co_return co_await keep_unread(store, taken, std::move(digest.problem),
                                     std::move(digest.bounced));
    case ReadReport::Kind::Other:
      break;
  }
  co_return co_await give_up(store, std::move(taken), std::move(digest.problem));
}

Task<Result<Kept>> give_up(store::Store& store, Taken taken, std::string problem) {
  co_return co_await keep_unread(store, taken, std::move(problem), std::nullopt);
}

}  // namespace hikyaku::reports
