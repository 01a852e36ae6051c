// SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5), by scanning: first the rows of the
// view, then records, headers and bodies of those that are undecided, in pieces.
#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <set>
#include <span>

#include "base/async.h"
#include "base/semaphore.h"
#include "base/text.h"
#include "imapd/content.h"
#include "imapd/limits.h"
#include "imapd/searched_message.h"
#include "imapd/session.h"
#include "mailbox/digest.h"
#include "mailbox/messages.h"

namespace hikyaku::imapd {
namespace {

using Kind = imap::SearchKey::Kind;

/// Bytes of small messages that one turn on a worker looks through.
constexpr std::size_t kBytesPerTurn = 1024 * 1024;

/// A message, its text without the transfer encoding, and that in UTF-8 (three bytes for one at
/// worst).
constexpr std::uint64_t kSearchedTakes = 5;

template <class Predicate>
bool any_key(const imap::SearchKey& key, const Predicate& predicate) {
  return predicate(key) ||
         std::ranges::any_of(key.children, [&](auto& child) { return any_key(child, predicate); });
}

/// Calls visit(key) for the key and all beneath it.
template <class Key, class Visit>
void each_key(Key& key, const Visit& visit) {
  visit(key);
  for (auto& child : key.children) each_key(child, visit);
}

/// The MODSEQ numbers of a future that a restore has taken back. The number behind the last change
/// is none: so a client asks whether there is anything new.
std::set<std::uint64_t> lost_numbers(store::Reader& reader, store::AccountId account,
                                     const imap::SearchKey& key) {
  std::set<std::uint64_t> lost;
  each_key(key, [&](const imap::SearchKey& one) {
    if (one.kind == Kind::ModSeq && one.number != 0 &&
        !mailbox::knows_change(reader, account, one.number - 1))
      lost.insert(one.number);
  });
  return lost;
}

/// Save dates are no part of the rows.
bool asks_for_save_date(const imap::SearchKey& key) {
  return any_key(key, [](auto& one) {
    return one.kind == Kind::SavedBefore || one.kind == Kind::SavedOn ||
           one.kind == Kind::SavedSince || one.kind == Kind::SaveDateSupported;
  });
}

/// All header fields that are asked for are kept in the records.
bool asks_for_kept_fields(const imap::SearchKey& key) {
  return !any_key(key, [](auto& one) {
    return one.kind == Kind::Header && !mailbox::keeps_field(mailbox::kHeaderSet, one.field);
  });
}

}  // namespace

struct Session::Searching {
  Searching(imap::SearchProgram planned, Time at)
      : program(std::move(planned)),
        texts(program.key),
        cost(imap::cost(program.key)),
        rows_decide(!asks_for_save_date(program.key)),
        kept_fields(asks_for_kept_fields(program.key)),
        now(at) {}

  imap::SearchProgram program;
  imap::SearchTexts texts;
  imap::SearchCost cost;
  bool rows_decide;  ///< rows may be asked by themselves
  bool kept_fields;  ///< the records' header fields are enough for header keys
  Time now;
  imap::NumberSet found;              ///< sequence numbers of rows that were enough
  std::vector<std::uint32_t> behind;  ///< of messages for which more had to be read
  std::size_t unread = 0;             ///< messages that are damaged: not among them

  std::size_t memory() const {
    return found.ranges().size() * sizeof(imap::NumberRange) +
           behind.capacity() * sizeof(std::uint32_t);
  }
};

Task<imap::Reply> Session::handle(imap::SearchCommand command) {
  auto& program = command.program;
  if (imap::uses_modseq(program.key)) enable_condstore();
  co_await unpark();
  if (auto refusal = imap::prepare_strings(program)) {
    // RFC 5182 §2.1: a search that fails leaves nothing saved.
    if (program.wants(imap::SearchReturn::Save)) selected_->saved = {};
    co_return std::move(*refusal);
  }

  if (imap::uses_modseq(program.key)) {
    auto lost = co_await services_.store.read([&, id = account()](store::Reader& reader) {
      return lost_numbers(reader, id, program.key);
    });
    // Who has seen that future knows nothing of what has happened since: all is new.
    each_key(program.key, [&](imap::SearchKey& key) {
      if (key.kind == Kind::ModSeq && lost.contains(key.number)) key.number = 0;
    });
  }

  auto& messages = selected_->messages;
  auto size = static_cast<std::uint32_t>(messages.size());
  imap::Meaning meaning;
  meaning.keywords = messages.view().keywords();
  meaning.largest_number = size;
  meaning.largest_uid = size == 0 ? 0 : messages.at(size).uid;
  if (imap::uses_saved_result(program.key)) {
    meaning.saved_uids = selected_->saved;
    meaning.saved_numbers = imap::NumberSet::from_ranges(co_await by_uid(selected_->saved));
  }
  imap::resolve(program.key, std::move(meaning));
  imap::plan(program.key);

  Searching searching(std::move(program), services_.clock.now());
  auto done = co_await search(searching);
  if (!done) {
    if (searching.program.wants(imap::SearchReturn::Save)) selected_->saved = {};
    co_return refusal(done.error());
  }
  co_await tell_found(searching, command.uid);
  if (searching.unread != 0)
    co_return imap::ok(fmt::format("Searched, but {} {} cannot be read", searching.unread,
                                   searching.unread == 1 ? "message" : "messages"));
  co_return imap::ok("Searched");
}

Task<Result<void>> Session::search(Searching& searching) {
  auto& messages = selected_->messages;
  auto& key = searching.program.key;
  SequenceRanges ranges;
  auto size = static_cast<std::uint32_t>(messages.size());
  if (auto uids = imap::required_uids(key))
    ranges = co_await by_uid(*uids);
  else if (auto numbers = imap::required_numbers(key))
    ranges = numbers->ranges();
  else if (size > 0)
    ranges.push_back({1, size});

  SequenceRanges undecided;
  // A row may cost two thousand keys: the clock is looked at by what has been asked.
  auto keys = imap::count_keys(key);
  std::size_t asked = 0;
  Turn turn;
  RowWalk walk(messages);
  for (auto& range : ranges) {
    for (auto sequence = range.first; sequence <= std::min(range.last, size); ++sequence) {
      asked += keys;
      if (asked >= kRowsPerTurn) {
        asked = 0;
        if (turn.is_over()) co_await take_turn(turn);
      }
      auto& row = walk.at(sequence);
      // Nothing but its UID is known of a message that went while this session was idle.
      if (row.email == 0) continue;
      std::optional<bool> decided;
      if (searching.rows_decide) {
        SearchedRow message(sequence, row, selected_->recent.contains(row.uid));
        decided = imap::evaluate(key, message, searching.now, imap::SearchCost::Row);
      }
      if (decided && *decided) searching.found.add(sequence);
      if (decided) continue;
      if (undecided.empty() || undecided.back().last + 1 != sequence)
        undecided.push_back({sequence, sequence});
      else
        undecided.back().last = sequence;
    }
  }
  SequencePieces pieces(undecided);
  for (auto numbers = pieces.next(kRecordsPerRead); !numbers.empty();
       numbers = pieces.next(kRecordsPerRead)) {
    std::span<const std::uint32_t> left = numbers;
    while (!left.empty()) {
      CO_TRY(auto done, co_await search_records(searching, left));
      left = left.subspan(done);
    }
  }
  if (!searching.behind.empty()) {
    auto both = searching.found.ranges();
    for (auto number : searching.behind) both.push_back({number, number});
    searching.found = imap::NumberSet::from_ranges(std::move(both));
  }
  co_return Result<void>{};
}

Task<Result<std::size_t>> Session::search_records(Searching& searching,
                                                  std::span<const std::uint32_t> sequences) {
  co_await go_on();
  auto& messages = selected_->messages;
  std::vector<mailbox::Uid> uids;
  for (auto sequence : sequences) uids.push_back(messages.at(sequence).uid);
  auto records =
      co_await services_.store.read([&, id = account(), mailbox = selected_->mailbox,
                                     most = at_once(kRecordBytesPerRead)](store::Reader& reader) {
        return mailbox::get_messages_or_ghosts(reader, id, mailbox, uids, most);
      });
  std::deque<SearchedMessage> open;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!records[i]) continue;
    auto& row = messages.at(sequences[i]);
    open.emplace_back(sequences[i], row, selected_->recent.contains(row.uid),
                      std::move(*records[i]), searching.texts);
  }
  CO_TRY_DO(co_await search_messages(searching, open));
  co_return records.size();
}

namespace {

using Verdicts = std::vector<std::optional<bool>>;

/// Evaluates on a worker. What a message is parsed to may take a hundred times its bytes: it goes
/// with each message, so that there is never more of it than there are workers.
Task<Verdicts> decide(WorkerPool& workers, const imap::SearchKey& key, Time now,
                      std::span<SearchedMessage* const> messages, imap::SearchCost available) {
  co_return co_await run_on(workers, [&key, now, messages, available] {
    Verdicts verdicts;
    for (auto* message : messages) {
      verdicts.push_back(imap::evaluate(key, *message, now, available));
      message->forget();
    }
    return verdicts;
  });
}

}  // namespace

Task<Result<void>> Session::search_messages(Searching& searching,
                                            std::deque<SearchedMessage>& open) {
  auto& key = searching.program.key;
  // As far as the records go; a digest that was left out has no header fields.
  auto from_record = searching.cost >= imap::SearchCost::Header && searching.kept_fields
                         ? imap::SearchCost::Header
                         : imap::SearchCost::Record;
  std::vector<SearchedMessage*> undecided;
  std::vector<SearchedMessage*> whole;
  auto records = searching.memory();
  for (auto& message : open) {
    records += message.record().memory();
    auto& digest = message.record().digest;
    if (digest.complete && digest.header_set == mailbox::kHeaderSet)
      whole.push_back(&message);
    else
      undecided.push_back(&message);
  }
  work_with(records);
  auto verdicts = co_await decide(services_.workers, key, searching.now, whole, from_record);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (!verdicts[i])
      undecided.push_back(whole[i]);
    else if (*verdicts[i])
      searching.behind.push_back(whole[i]->number());
  }

  std::vector<SearchedMessage*> turn;
  std::size_t bytes = 0;  // of the messages of this turn; a large one's are in its permit
  auto most = at_once(kBytesPerTurn);
  for (std::size_t i = 0; i < undecided.size(); ++i) {
    co_await go_on();
    auto& message = *undecided[i];
    std::optional<Semaphore::Permit> permit;
    if (message.size() > std::min(kSmallMessage, most)) {
      permit.emplace(co_await services_.large_messages.acquire(
          (searching.cost < imap::SearchCost::Body ? 1 : kSearchedTakes) *
          std::min(message.size(), settings_.search_bytes)));
      co_await go_on();
    } else {
      bytes += message.size();
      work_with(records + bytes);
    }
    auto read = co_await read_for_search(searching, message);
    if (read)
      turn.push_back(&message);
    else if (read.error().code == ErrorCode::Corrupt || read.error().code == ErrorCode::Io)
      ++searching.unread;  // one that is damaged keeps nobody from finding the others
    else
      co_return std::unexpected(std::move(read).error());
    if (!permit && bytes < most && i + 1 < undecided.size()) continue;
    verdicts = co_await decide(services_.workers, key, searching.now, turn, imap::SearchCost::Body);
    for (std::size_t n = 0; n < turn.size(); ++n)
      if (*verdicts[n]) searching.behind.push_back(turn[n]->number());
    turn.clear();
    bytes = 0;
    work_with(records);
  }
  co_return Result<void>{};
}

Task<Result<void>> Session::read_for_search(const Searching& searching, SearchedMessage& message) {
  Content content(services_.store, message.record());
  if (searching.cost < imap::SearchCost::Body) {
    mailbox::Sections sections(message.record());
    if (sections.good()) {
      CO_TRY(auto header, co_await content.read_all(sections.bytes(sections.header())));
      message.set_header(std::move(header));
      co_return Result<void>{};
    }
  }
  CO_TRY(auto bytes, co_await content.whole_body(settings_.search_bytes, message.record().prefix));
  message.set_bytes(std::move(bytes));
  co_return Result<void>{};
}

Task<void> Session::tell_found(Searching& searching, bool uid) {
  auto& program = searching.program;
  auto found = std::move(searching.found);
  auto only_ends =
      program.extended && !program.wants(imap::SearchReturn::All) &&
      !program.wants(imap::SearchReturn::Count) &&
      (program.wants(imap::SearchReturn::Min) || program.wants(imap::SearchReturn::Max));
  // RFC 5182 §2.1, RFC 7162 §3.1.5: with MIN or MAX alone, only those count.
  if (only_ends && !found.empty()) {
    imap::NumberSet ends;
    if (program.wants(imap::SearchReturn::Min)) ends.add(found.lowest());
    if (program.wants(imap::SearchReturn::Max)) ends.add(found.highest());
    found = std::move(ends);
  }
  auto saves = program.wants(imap::SearchReturn::Save);
  auto wants_modseq = imap::uses_modseq(program.key);
  Turn turn;
  std::uint64_t modseq = 0;
  imap::NumberSet uids;
  if (uid || saves || wants_modseq) {
    RowWalk walk(selected_->messages);
    std::size_t rows = 0;
    for (auto& range : found.ranges()) {
      for (std::uint64_t number = range.first; number <= range.last; ++number) {
        auto& row = walk.at(static_cast<std::uint32_t>(number));
        uids.add(row.uid);
        modseq = std::max<std::uint64_t>(modseq, row.changed);
        if (++rows % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
      }
    }
  }
  if (saves) selected_->saved = uids;

  auto save_only = program.options == static_cast<std::uint8_t>(imap::SearchReturn::Save);
  if (program.extended && save_only) co_return;
  using Form = imap::SearchResponse::Form;
  auto form =
      program.extended || state_.has(imap::Enabled::Imap4Rev2) ? Form::ESearch : Form::Search;
  imap::SearchResponse response(form, uid ? std::move(uids) : std::move(found),
                                wants_modseq ? std::optional(modseq) : std::nullopt);
  response.begin(out(), tag_, uid, program);
  while (response.append_some(out())) {
    if (output_.full()) co_await output_.flush();
    if (turn.is_over()) co_await take_turn_within_line(turn);
  }
  response.end(out());
}

}  // namespace hikyaku::imapd
