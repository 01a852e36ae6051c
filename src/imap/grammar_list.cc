// LIST, LSUB, STATUS items, SELECT (RFC 9051 §6.3; RFC 5258; RFC 5819; RFC 6154; RFC 7162).
#include <array>

#include "base/text.h"
#include "imap/grammar.h"

namespace hikyaku::imap {
namespace {

struct NamedStatusItem {
  std::string_view name;
  StatusItem item;
};
constexpr std::array<NamedStatusItem, 9> kStatusItems{{{"MESSAGES", StatusItem::Messages},
                                                       {"RECENT", StatusItem::Recent},
                                                       {"UIDNEXT", StatusItem::UidNext},
                                                       {"UIDVALIDITY", StatusItem::UidValidity},
                                                       {"UNSEEN", StatusItem::Unseen},
                                                       {"DELETED", StatusItem::Deleted},
                                                       {"SIZE", StatusItem::Size},
                                                       {"HIGHESTMODSEQ", StatusItem::HighestModSeq},
                                                       {"MAILBOXID", StatusItem::MailboxId}}};

Result<> parse_select_options(Scanner& in, ListCommand& command) {
  TRY_DO(in.expect('('));
  for (bool first = true; !in.take(')'); first = false) {
    if (!first) TRY_DO(in.expect_space());
    if (in.take_word("SUBSCRIBED"))
      command.select_subscribed = true;
    else if (in.take_word("REMOTE"))
      command.select_remote = true;
    else if (in.take_word("RECURSIVEMATCH"))
      command.select_recursive_match = true;
    else if (in.take_word("SPECIAL-USE"))
      command.select_special_use = true;
    else
      return in.wrong("a selection option of LIST");
  }
  if (command.select_recursive_match && !command.select_subscribed && !command.select_special_use)
    return fail(ErrorCode::Invalid, "RECURSIVEMATCH needs SUBSCRIBED beside it");
  return {};
}

Result<> parse_return_options(Scanner& in, ListCommand& command) {
  TRY_DO(in.expect_space());
  TRY_DO(in.expect('('));
  for (bool first = true; !in.take(')'); first = false) {
    if (!first) TRY_DO(in.expect_space());
    if (in.take_word("SUBSCRIBED")) {
      command.return_subscribed = true;
    } else if (in.take_word("CHILDREN")) {
      command.return_children = true;
    } else if (in.take_word("SPECIAL-USE")) {
      command.return_special_use = true;
    } else if (in.take_word("STATUS")) {
      TRY_DO(in.expect_space());
      TRY(command.return_status, parse_status_items(in));
    } else {
      return in.wrong("a return option of LIST");
    }
  }
  return {};
}

Result<> add_pattern(Scanner& in, ListCommand& command, const GrammarLimits& limits) {
  TRY(auto wire, in.expect_list_mailbox());
  if (wire.size() > limits.pattern_bytes)
    return fail(ErrorCode::TooLarge, "a mailbox pattern may have {} bytes", limits.pattern_bytes);
  if (command.patterns.size() == limits.patterns)
    return fail(ErrorCode::TooLarge, "LIST may have {} patterns", limits.patterns);
  command.patterns.push_back(decode_pattern(wire, in.form()));
  return {};
}

Result<NumberSet> expect_known_set(Scanner& in) {
  auto at = in;
  TRY(auto set, in.expect_sequence_set());
  if (set.has_star() || set.is_saved_result()) return at.wrong("a set of numbers without *");
  return set.resolve(0);
}

/// QRESYNC's parameters, after SP.
Result<QResync> parse_qresync(Scanner& in) {
  QResync qresync;
  TRY_DO(in.expect('('));
  TRY(qresync.uid_validity, in.expect_nz_number("a UIDVALIDITY"));
  TRY_DO(in.expect_space());
  TRY(qresync.modseq, in.expect_number64("a mod-sequence"));
  bool more = in.take(' ');
  if (more && !in.next_is('(')) {
    TRY(qresync.known_uids, expect_known_set(in));
    more = in.take(' ');
  }
  if (more) {
    TRY_DO(in.expect('('));
    TRY(auto numbers, expect_known_set(in));
    TRY_DO(in.expect_space());
    TRY(auto uids, expect_known_set(in));
    TRY_DO(in.expect(')'));
    if (numbers.count() != uids.count())
      return fail(ErrorCode::Invalid, "QRESYNC's sequence and UID sets differ in length");
    qresync.sequence_match.emplace(std::move(numbers), std::move(uids));
  }
  TRY_DO(in.expect(')'));
  return qresync;
}

}  // namespace

Result<StatusItems> parse_status_items(Scanner& in) {
  StatusItems items;
  TRY_DO(in.expect('('));
  do {
    bool known = false;
    for (auto& named : kStatusItems) {
      if (!in.take_word(named.name)) continue;
      items.add(named.item);
      known = true;
      break;
    }
    if (!known) return in.wrong("a STATUS item");
  } while (in.take(' '));
  TRY_DO(in.expect(')'));
  return items;
}

Result<ListCommand> parse_list(Scanner& in, bool lsub, const GrammarLimits& limits) {
  ListCommand command;
  command.lsub = lsub;
  TRY_DO(in.expect_space());
  if (!lsub && in.next_is('(')) {
    command.extended = true;
    TRY_DO(parse_select_options(in, command));
    TRY_DO(in.expect_space());
  }
  TRY(auto reference, in.expect_astring("a reference name"));
  if (reference.size() > limits.pattern_bytes)
    return fail(ErrorCode::TooLarge, "a reference may have {} bytes", limits.pattern_bytes);
  command.reference = decode_pattern(reference, in.form());
  TRY_DO(in.expect_space());
  if (!lsub && in.take('(')) {
    command.extended = true;
    do {
      TRY_DO(add_pattern(in, command, limits));
    } while (in.take(' '));
    TRY_DO(in.expect(')'));
  } else {
    TRY_DO(add_pattern(in, command, limits));
  }
  if (!lsub && in.take(' ')) {
    if (!in.take_word("RETURN")) return in.wrong("RETURN");
    command.extended = true;
    TRY_DO(parse_return_options(in, command));
  }
  return command;
}

Result<SelectCommand> parse_select(Scanner& in, bool read_only, const GrammarLimits&) {
  SelectCommand command;
  command.read_only = read_only;
  TRY_DO(in.expect_space());
  TRY(command.mailbox, in.expect_mailbox());
  if (!in.take(' ')) return command;
  TRY_DO(in.expect('('));
  do {
    if (in.take_word("CONDSTORE")) {
      command.condstore = true;
    } else if (in.take_word("QRESYNC")) {
      TRY_DO(in.expect_space());
      TRY(command.qresync, parse_qresync(in));
    } else {
      return in.wrong("CONDSTORE or QRESYNC");
    }
  } while (in.take(' '));
  TRY_DO(in.expect(')'));
  return command;
}

}  // namespace hikyaku::imap
