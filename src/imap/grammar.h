// One whole command's text, literals inside, as a Command. The reader that collects it is parser.h.
#pragma once

#include <string_view>

#include "base/result.h"
#include "imap/command.h"
#include "imap/mailbox_name.h"
#include "imap/scanner.h"

namespace hikyaku::imap {

/// How much one command may ask for. Exceeding one is TooLarge, which becomes NO [LIMIT].
struct GrammarLimits {
  std::size_t sequence_ranges = SequenceSet::kMaxRanges;
  std::size_t search_keys = 2'000;
  std::size_t search_depth = 50;    ///< of parentheses, NOT and OR; bounds recursion
  std::size_t search_text = 1'000;  ///< bytes of one string to look for
  std::size_t fetch_bodies = 200;
  std::size_t header_fields = 500;  ///< in one FETCH
  std::size_t part_depth = 100;     ///< numbers in one section
  std::size_t flags = 200;
  std::size_t patterns = 100;  ///< of one LIST
  std::size_t pattern_bytes = 1'000;
  std::size_t enable_capabilities = 100;
  std::size_t id_fields = 30;  ///< RFC 2971 §3.3
  std::size_t id_field_bytes = 30;
  std::size_t id_value_bytes = 1'024;
  std::size_t special_uses = 20;
  std::size_t initial_response = 16'384;  ///< bytes of base64
};

/// Tag and verb of a command, from its first line. Both may be missing or wrong.
struct CommandHead {
  std::string_view tag;  ///< empty if there is none that may be repeated
  Verb verb = Verb::Unknown;
  bool uid = false;
  std::string_view name;   ///< the verb as written (without UID)
  std::size_t length = 0;  ///< up to the end of the verb
};
CommandHead read_head(std::string_view text);

/// The whole command (`text` without its last CRLF). Errors: Invalid (BAD), TooLarge (NO [LIMIT]),
/// Unsupported (a mailbox name that is none: NO [CANNOT]). APPEND is not for this function.
Result<Command> parse_command(std::string_view text, NameForm form, const GrammarLimits& limits);

/// APPEND's mailbox, after the verb: SP mailbox.
Result<AppendCommand> parse_append(Scanner& in);
/// One message's options and the announcement of its literal, from SP to the end of the line.
Result<AppendMessage> parse_append_message(Scanner& in, const GrammarLimits& limits);

// The longer commands, from the SP after their name; in files of their own.
Result<SearchCommand> parse_search(Scanner& in, bool uid, const GrammarLimits& limits);
Result<FetchCommand> parse_fetch(Scanner& in, bool uid, const GrammarLimits& limits);
Result<StoreCommand> parse_store(Scanner& in, bool uid, const GrammarLimits& limits);
Result<ListCommand> parse_list(Scanner& in, bool lsub, const GrammarLimits& limits);
Result<SelectCommand> parse_select(Scanner& in, bool read_only, const GrammarLimits& limits);
Result<StatusItems> parse_status_items(Scanner& in);
Result<Flags> parse_flag_list(Scanner& in, const GrammarLimits& limits);

}  // namespace hikyaku::imap
