// Writing untagged responses into a buffer that grows (RFC 9051 §7). Nothing a message or a user
// has written can end a line or a string.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "imap/command.h"
#include "imap/flags.h"
#include "imap/mailbox_name.h"
#include "imap/quote.h"
#include "imap/reply.h"
#include "imap/sequence_set.h"

namespace hikyaku::imap {

/// For an ordinary literal, which cannot hold NUL (RFC 9051 §9 CHAR8): 0x80 in place of each, so
/// that sizes and offsets stay what they are.
void mask_nul(std::span<char> bytes);

/// "* 5 FETCH (…)" CRLF, item by item. Items follow one another in any order; end() closes it.
///
///     FetchResponse fetch(out, number);
///     fetch.uid(17);
///     fetch.flags(bits, keywords);
///     fetch.end();
class FetchResponse {
 public:
  FetchResponse(std::string& out, std::uint32_t number);

  void flags(FlagBits system, const std::vector<std::string>& keywords = {});
  /// The keywords of a mailbox by number, and a bit for each that the message has.
  void flags(FlagBits system, std::uint64_t keyword_bits, const std::vector<std::string>& names);
  void uid(std::uint32_t uid);
  void modseq(std::uint64_t modseq);
  void internal_date(Time date);
  void rfc822_size(std::uint64_t size);
  void email_id(std::string_view id);
  /// NIL when empty.
  void thread_id(std::string_view id);
  /// NIL when not kept.
  void save_date(std::optional<Time> date);
  /// Finished text, as stored: "(…)".
  void envelope(std::string_view finished);
  void body_structure(std::string_view finished);
  void body(std::string_view finished);

  /// Content as a literal, NUL masked; `label` from response_label().
  void literal(std::string_view label, std::string_view bytes);
  /// The announcement alone: the caller puts exactly `size` bytes behind it (perhaps not through
  /// this buffer) before the next item, none of them NUL.
  void begin_literal(std::string_view label, std::uint64_t size);
  /// The same as literal8 (RFC 3516 §4.2), for decoded content that holds NUL.
  void begin_literal8(std::string_view label, std::uint64_t size);
  void nil(std::string_view label);
  void number(std::string_view label, std::uint64_t value);  ///< BINARY.SIZE

  void end();

 private:
  void item(std::string_view name);

  std::string& out_;
  bool first_ = true;
};

/// "* 5 EXISTS", "* 1 RECENT", "* 3 EXPUNGE".
void append_exists(std::string& out, std::uint32_t count);
void append_recent(std::string& out, std::uint32_t count);
void append_expunge(std::string& out, std::uint32_t number);
/// "* VANISHED (EARLIER) 1:5" (RFC 7162 §3.2.10).
void append_vanished(std::string& out, const NumberSet& uids, bool earlier);

void append_capability(std::string& out, std::string_view list);
void append_enabled(std::string& out, const std::vector<std::string>& capabilities);
/// "* FLAGS (\Answered … keywords)", and the PERMANENTFLAGS reply; `can_create`: with "\*".
void append_mailbox_flags(std::string& out, const std::vector<std::string>& keywords);
Reply permanent_flags(const std::vector<std::string>& keywords, bool writable, bool can_create);

/// "* ID (…)", "* ID NIL".
void append_id(std::string& out,
               const std::vector<std::pair<std::string, std::optional<std::string>>>& fields);

/// One line of LIST or LSUB.
struct ListEntry {
  std::string name;
  std::vector<std::string_view> attributes;  ///< "\HasChildren" …, in order
  /// RECURSIVEMATCH: the criteria that a descendant meets ("SUBSCRIBED"), RFC 5258 §3.5.
  std::vector<std::string_view> child_info;
};
void append_list(std::string& out, const ListEntry& entry, NameForm form, bool lsub = false);
/// LIST with an empty pattern: the separator and the root (RFC 9051 §6.3.9).
void append_list_root(std::string& out, bool lsub = false);
/// One personal namespace with "/" and no others (RFC 9051 §6.3.10).
void append_namespace(std::string& out);

/// Values for STATUS; those asked for are written.
struct StatusValues {
  std::uint32_t messages = 0;
  std::uint32_t recent = 0;
  std::uint32_t uid_next = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint64_t size = 0;
  std::uint64_t highest_modseq = 0;
  std::string mailbox_id;
};
void append_status(std::string& out, std::string_view mailbox, NameForm form, StatusItems items,
                   const StatusValues& values);

/// What a SEARCH has found, in pieces: it may be megabytes.
/// "* SEARCH 1 5 7", with "(MODSEQ n)" if given and anything was found (RFC 7162 §3.1.5); or
/// "* ESEARCH (TAG "a1") UID MIN 1 MAX 7 COUNT 3 ALL 1,5,7" by the program's options; what does not
/// exist is left out (RFC 4731 §3.1). Without options, ALL: what IMAP4rev2 answers to a SEARCH
/// without RETURN (RFC 9051 §6.4.4). Not to be used when SAVE is the only option: nothing is asked
/// for then (RFC 5182 §2.1).
class SearchResponse {
 public:
  enum class Form { Search, ESearch };
  SearchResponse(Form form, NumberSet found, std::optional<std::uint64_t> modseq)
      : form_(form), found_(std::move(found)), modseq_(modseq) {}

  /// Up to the first number.
  void begin(std::string& out, std::string_view tag, bool uid, const SearchProgram& program);
  /// The next numbers, some kilobytes of them. False when there are no more.
  bool append_some(std::string& out);
  void end(std::string& out) const;

 private:
  void append_next(std::string& out);

  Form form_;
  NumberSet found_;
  std::optional<std::uint64_t> modseq_;
  bool has_numbers_ = true;
  std::size_t range_ = 0;   ///< the next to be written
  std::uint32_t done_ = 0;  ///< numbers of it that are written
};

}  // namespace hikyaku::imap
