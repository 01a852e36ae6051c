// Which messages a command is about.
#include "imapd/limits.h"
#include "imapd/session.h"

namespace hikyaku::imapd {

Task<SequenceRanges> Session::by_uid(const imap::NumberSet& uids) {
  SequencesOf sequences(selected_->messages, uids);
  Turn turn;
  while (sequences.find_some(kRowsPerTurn))
    if (turn.is_over()) co_await take_turn(turn);
  co_return sequences.take();
}

Task<std::expected<SequenceRanges, imap::Reply>> Session::named(const imap::SequenceSet& set,
                                                                bool uid) {
  auto& messages = selected_->messages;
  if (set.is_saved_result()) co_return co_await by_uid(selected_->saved);
  if (!uid) co_return by_number(messages, set);
  auto size = static_cast<std::uint32_t>(messages.size());
  auto uids = set.resolve(size == 0 ? 0 : messages.at(size).uid);
  co_return co_await by_uid(uids);
}

Task<Session::Chosen> Session::choose(const SequenceRanges& sequences, mailbox::Flags flags) {
  auto& messages = selected_->messages;
  Chosen chosen;
  if (flags == 0) chosen.uids.reserve(count(sequences));
  RowWalk walk(messages);
  Turn turn;
  std::size_t rows = 0;
  for (auto& range : sequences) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      if (++rows % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
      auto& row = walk.at(sequence);
      if (flags != 0 && (row.flags & flags) == 0) continue;
      chosen.uids.push_back(row.uid);
      chosen.bytes += row.size;
      if (messages.ghosts() > 0 && messages.is_ghost(sequence)) chosen.has_ghost = true;
    }
  }
  co_return chosen;
}

Task<std::string> Session::text_of(const std::vector<std::uint32_t>& ascending) {
  std::string text;
  imap::NumberSet piece;
  Turn turn;
  for (std::size_t i = 0; i < ascending.size();) {
    auto first = ascending[i];
    auto last = first;
    while (++i < ascending.size() && ascending[i] == last + 1) ++last;
    piece.add(first, last);
    if (piece.ranges().size() < kRowsPerTurn && i < ascending.size()) continue;
    if (!text.empty()) text += ',';
    piece.append_to(text);
    piece = {};
    if (turn.is_over()) co_await take_turn(turn);
  }
  co_return text;
}

}  // namespace hikyaku::imapd
