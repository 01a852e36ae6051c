// What the data model costs on a real store in a temporary directory: steps (processor time
// within the transaction), scans, views, and the width of summary rows.
#include <cstdlib>
#include <filesystem>
#include <fmt/core.h>
#include <random>
#include <time.h>

#include "mailbox/digest.h"
#include "mailbox/summary_rows.h"
#include "mailbox/view.h"
#include "store/open.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::mailbox;

namespace {

constexpr AccountId kId = 1;
constexpr int kMessages = 100'000;

/// Processor time of this thread: other work on the machine does not count.
using Moment = double;
Moment moment() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}
double us_since(Moment start) {
  return moment() - start;
}

std::string typical_message(int number) {
  auto id = std::to_string(number);
  return "Received: from a.example.org by mx.example.net with ESMTPS id " + id +
         "; Sat, 21 Nov 2026 22:00:00 +0000\r\n"
         "From: \"Somebody Else\" <somebody@example.org>\r\n"
         "To: \"A Person\" <person@example.net>, other@example.net\r\n"
         "Subject: Re: the plan for next week and what " +
         id +
         " has to do with it\r\n"
         "Date: Sat, 21 Nov 2026 22:00:00 +0000\r\n"
         "Message-ID: <" +
         id +
         "@example.org>\r\n"
         "In-Reply-To: <" +
         std::to_string(number - number % 4) +
         "@example.org>\r\n"
         "References: <" +
         std::to_string(number - number % 4) +
         "@example.org>\r\n"
         "MIME-Version: 1.0\r\n"
         "Content-Type: multipart/alternative; boundary=\"=-bound\"\r\n\r\n"
         "--=-bound\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
         std::string(1'500, 'x') +
         "\r\n--=-bound\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
         std::string(2'000, 'y') + "\r\n--=-bound--\r\n";
}

struct Bench {
  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  std::unique_ptr<store::Store> store;
  MailboxId inbox = 0;

  Bench() {
    store::Options options{.directory = directory.path.string(), .workers = pool, .clock = loop};
    options.if_missing = store::IfMissing::Make;
    options.reserve = 0;
    options.index_memory = 1ull << 30;
    store = store::open_store(std::move(options)).value();
    step([&](store::Transaction& tx) {
      create_standard_mailboxes(tx, kId, Language::English, loop.now());
      inbox = find_mailbox(tx, kId, "INBOX")->id;
    });
  }
  /// Microseconds within the step.
  template <class Function>
  double step(Function function) {
    double spent = 0;
    auto done = loop.run(store->transact({kId}, [&](store::Transaction& tx) -> Result<void> {
      auto start = moment();
      function(tx);
      spent = us_since(start);
      return {};
    }));
    if (!done) {
      fmt::print("{}\n", done.error().describe());
      std::abort();
    }
    return spent;
  }
  template <class Function>
  double read(Function function) {
    return loop.run(store->read([&](store::Reader& reader) {
      auto start = moment();
      function(reader);
      return us_since(start);
    }));
  }
  std::vector<NewMessage> messages(int first, int count) {
    std::vector<NewMessage> all;
    for (int i = 0; i < count; ++i) {
      auto text = typical_message(first + i);
      auto writer = store->stage();
      (void)loop.run(writer->append(text));
      NewMessage message;
      message.body = loop.run(writer->finish()).value();
      message.prefix = "Return-Path: <somebody@example.org>\r\n";
      message.received = loop.now();
      message.digest = make_digest(message.prefix, text);
      all.push_back(std::move(message));
    }
    return all;
  }
};

template <std::uint32_t Width>
void measure_width() {
  std::mt19937 random(1);
  std::vector<SummaryGroupOf<Width>> groups;
  constexpr Uid kCount = 64'000;
  for (Uid base = 0; base < kCount; base += Width) {
    auto& group = groups.emplace_back();
    for (Uid uid = base; uid < base + Width; ++uid)
      group.put({uid, random() % 4, uid + random() % 100, 2'000 + random() % 60'000,
                 Time(milliseconds(1'790'000'000'000 + uid * 90'000ULL + random() % 60'000)), uid,
                 uid - random() % 50});
  }
  std::vector<std::string> rows;
  auto start = moment();
  std::size_t bytes = 0;
  for (Uid i = 0; i < groups.size(); ++i)
    bytes += rows.emplace_back(groups[i].encode(i * Width)).size();
  auto encoding = us_since(start);
  start = moment();
  for (Uid i = 0; i < groups.size(); ++i)
    if (!groups[i].decode(rows[i], i * Width)) std::abort();
  auto decoding = us_since(start);
  fmt::print(
      "summary rows of {:2}: {:5.1f} bytes a message, {:4} a row; encode {:.0f} ns, decode {:.0f} "
      "ns "
      "a message; STORE of one writes {} bytes, of 10,000 {} rows, {} bytes\n",
      Width, double(bytes) / kCount, bytes / groups.size(), encoding * 1e3 / kCount,
      decoding * 1e3 / kCount, bytes / groups.size(), 10'000 / Width, 10'000 * bytes / kCount);
}

void measure_digest() {
  auto text = typical_message(1);
  auto start = moment();
  constexpr int kRounds = 2'000;
  std::size_t bytes = 0;
  for (int i = 0; i < kRounds; ++i) {
    auto digest = make_digest("Return-Path: <a@b>\r\n", text);
    bytes = digest.envelope.size() + digest.body_structure.size() + digest.header_fields.size() +
            digest.parts.size();
  }
  fmt::print("digest of a {}-byte message: {:.1f} us, {} bytes\n", text.size(),
             us_since(start) / kRounds, bytes);
}

}  // namespace

int main() {
  measure_width<16>();
  measure_width<32>();
  measure_width<64>();
  measure_digest();

  Bench bench;
  double filling = 0;
  for (int at = 0; at < kMessages; at += 500) {
    auto messages = bench.messages(at, 500);
    filling += bench.step([&](store::Transaction& tx) {
      for (const auto& message : messages)
        if (!deliver(tx, kId, bench.inbox, message, bench.loop.now())) std::abort();
    });
  }
  fmt::print("deliver, 500 in a step, {} in all: {:.1f} us each\n", kMessages, filling / kMessages);

  double single = 0;
  auto messages = bench.messages(kMessages, 500);
  for (const auto& message : messages)
    single += bench.step([&](store::Transaction& tx) {
      (void)deliver(tx, kId, bench.inbox, message, bench.loop.now());
    });
  fmt::print("deliver, one in a step: {:.1f} us\n", single / 500);

  std::size_t rows = 0;
  auto spent = bench.read([&](store::Reader& reader) {
    rows = 0;
    scan_summaries(reader, kId, bench.inbox, 1, UINT32_MAX, [&](const MessageSummary&) {
      ++rows;
      return true;
    });
  });
  fmt::print("scan of summaries: {:.2f} million rows/s\n", double(rows) / spent);

  std::size_t bytes = 0;
  auto take = [&](Uid, const MessageRecord& message) {
    ++rows;
    bytes += message.digest.envelope.size();
    return true;
  };
  rows = 0;
  spent = 0;
  for (Uid first = 1; first < kMessages; first += 1'000)
    spent += bench.read([&](store::Reader& reader) {
      scan_messages(reader, kId, bench.inbox, first, first + 999, take);
    });
  fmt::print("scan of message rows: {:.0f} envelopes/s ({} bytes each)\n",
             double(rows) * 1e6 / spent, bytes / rows);

  std::shared_ptr<const View> view;
  spent = bench.read([&](store::Reader& reader) { view = read_view(reader, kId, bench.inbox); });
  fmt::print("view of {} read: {:.1f} ms\n", view->size(), spent / 1e3);
  auto start = moment();
  std::uint64_t sum = 0;
  for (int round = 0; round < 10; ++round)
    for (std::size_t row = 0; row < view->size();) {
      auto run = view->run(row);
      for (const auto& message : run) sum += message.flags + message.uid;
      row += run.size();
    }
  spent = us_since(start);
  fmt::print("flags from the view: {:.0f} million rows/s ({})\n", double(view->size()) * 10 / spent,
             sum % 10);

  double updating = 0, advancing = 0;
  SessionView shown(view);
  constexpr int kUpdates = 50;
  auto more = bench.messages(kMessages + 500, kUpdates);
  for (const auto& message : more) {
    bench.step([&](store::Transaction& tx) {
      (void)deliver(tx, kId, bench.inbox, message, bench.loop.now());
    });
    updating += bench.read(
        [&](store::Reader& reader) { view = update_view(reader, kId, bench.inbox, view); });
    start = moment();
    shown.advance(view, true);
    advancing += us_since(start);
  }
  fmt::print("view brought up to date after a delivery: {:.1f} us; session told: {:.1f} us\n",
             updating / kUpdates, advancing / kUpdates);

  std::vector<Uid> uids;
  for (Uid uid = 1; uid <= 10'000; ++uid) uids.push_back(uid);
  StoreFlags seen{FlagChange::Add, kSeen, {}, {}};
  double storing = 0;
  for (std::size_t at = 0; at < uids.size(); at += 1'000)
    storing += bench.step([&](store::Transaction& tx) {
      (void)store_flags(tx, kId, bench.inbox, std::span(uids).subspan(at, 1'000), seen,
                        bench.loop.now());
    });
  fmt::print("STORE of 10,000 in 10 steps: {:.1f} ms within them\n", storing / 1e3);
  spent = bench.read(
      [&](store::Reader& reader) { view = update_view(reader, kId, bench.inbox, view); });
  start = moment();
  auto ranges = shown.advance(view, true).flags.size();
  fmt::print("view after it: {:.2f} ms; what to tell a session ({} ranges): {:.2f} ms\n",
             spent / 1e3, ranges, us_since(start) / 1e3);

  auto archive = bench.inbox;
  bench.read([&](store::Reader& reader) { archive = find_mailbox(reader, kId, "Archive")->id; });
  auto thousand = std::span(uids).first(1'000);
  spent = bench.step([&](store::Transaction& tx) {
    (void)copy_messages(tx, kId, bench.inbox, thousand, archive, bench.loop.now());
  });
  fmt::print("COPY of 1,000: {:.1f} ms\n", spent / 1e3);
  spent = bench.step([&](store::Transaction& tx) {
    (void)move_messages(tx, kId, bench.inbox, thousand, archive, bench.loop.now());
  });
  fmt::print("MOVE of 1,000: {:.1f} ms\n", spent / 1e3);
  spent = bench.step([&](store::Transaction& tx) {
    expunge_messages(tx, kId, archive, thousand, false, bench.loop.now());
  });
  fmt::print("EXPUNGE of 1,000: {:.1f} ms\n", spent / 1e3);
}
