// SEARCH: the tree of keys, and its evaluation on a message (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC
// 5032 WITHIN, RFC 7162 MODSEQ, RFC 8474 OBJECTID, RFC 8514 SAVEDATE).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "imap/date.h"
#include "imap/flags.h"
#include "imap/reply.h"
#include "imap/sequence_set.h"
#include "mime/text.h"

namespace hikyaku::imap {

/// How much must be read of a message to decide a key. In order of cost.
enum class SearchCost {
  Row,     ///< numbers, flags, dates, size: in the view
  Record,  ///< the message's record: object ids, Date header, stored header fields
  Header,  ///< the header from the body's blob
  Body,    ///< the whole message
};

/// One search key.
struct SearchKey {
  enum class Kind {
    All,
    And,      ///< all of `children` (none: everything)
    Or,       ///< any of `children`
    Not,      ///< not `children[0]`
    Numbers,  ///< message numbers in `set`
    Uids,     ///< UIDs in `set`
    System,   ///< the system flag `flag` is set
    Keyword,  ///< the keyword `text` is set
    Header,   ///< a field `field` contains `text` (empty: exists)
    Subject,  ///< as Header, but known to be asked often
    From,
    To,
    Cc,
    Bcc,
    Body,    ///< the text of the message without its header
    Text,    ///< header or body
    Before,  ///< internal date before `day`
    On,
    Since,
    SentBefore,  ///< the same by the Date field
    SentOn,
    SentSince,
    SavedBefore,  ///< the same by the date it came into this mailbox
    SavedOn,
    SavedSince,
    SaveDateSupported,
    Larger,  ///< more than `number` octets
    Smaller,
    Older,  ///< internal date at least `number` seconds ago
    Younger,
    ModSeq,    ///< mod-sequence at least `number`
    EmailId,   ///< `text`
    ThreadId,  ///< `text`
  };
  Kind kind = Kind::All;
  Flag flag = Flag::Seen;
  std::uint64_t number = 0;  ///< of a Keyword: its bit, 0 if no message has it; filled by resolve
  Day day{};
  std::string field{};
  std::string text{};
  SequenceSet set{};
  /// What `set` means now; filled by resolve. Those that are "$" share theirs: it may be large, and
  /// there may be many of them.
  std::shared_ptr<const NumberSet> resolved{};
  std::vector<SearchKey> children{};

  friend bool operator==(const SearchKey&, const SearchKey&) = default;
};

/// RETURN options (RFC 4731 §3.1, RFC 5182 §2.1), one bit each.
enum class SearchReturn : std::uint8_t { Min = 1, Max = 2, All = 4, Count = 8, Save = 16 };

/// The arguments of one SEARCH.
struct SearchProgram {
  /// With RETURN the answer is ESEARCH. "RETURN ()" means ALL, which is then among `options`.
  bool extended = false;
  std::uint8_t options = 0;
  std::string charset;  ///< as given, in capitals; empty: US-ASCII or UTF-8
  SearchKey key;        ///< an And of all keys

  bool wants(SearchReturn option) const {
    return (options & static_cast<std::uint8_t>(option)) != 0;
  }
  friend bool operator==(const SearchProgram&, const SearchProgram&) = default;
};

/// What a message says to a search. Everything is asked at most as often as keys need it; a search
/// that stops at Row never asks for a header.
class SearchMessage {
 public:
  virtual ~SearchMessage() = default;

  // Row
  virtual std::uint32_t number() const = 0;
  virtual std::uint32_t uid() const = 0;
  virtual FlagBits system_flags() const = 0;
  virtual std::uint64_t keyword_bits() const = 0;  ///< one for each of Meaning's keywords
  virtual Time internal_date() const = 0;
  virtual std::optional<Time> save_date() const = 0;
  virtual std::uint64_t size() const = 0;
  virtual std::uint64_t modseq() const = 0;

  // Record
  /// The day in the Date field as the sender wrote it, zone disregarded; the internal date's when
  /// there is no readable one.
  virtual Day sent_day() const = 0;
  virtual std::string_view email_id() const = 0;
  virtual std::string_view thread_id() const = 0;

  // Header, Body. The needle is as prepare_strings() left it, folded: one of the key's
  // SearchTexts. An empty needle is in every text that exists.
  /// A field `name` exists whose decoded value contains `needle`.
  virtual bool header_contains(std::string_view name, std::string_view needle) const = 0;
  /// Any field (name or value) of the message or of one of its parts contains it.
  virtual bool any_header_contains(std::string_view needle) const = 0;
  virtual bool body_contains(std::string_view needle) const = 0;
};

/// Decides `key` for `message` reading no more than `available` allows; nullopt when that is not
/// enough. With SearchCost::Body the answer is always there. `now` is for OLDER and YOUNGER.
/// The key should have been planned; the depth of its tree bounds the recursion (the parser's
/// limit).
std::optional<bool> evaluate(const SearchKey& key, const SearchMessage& message, Time now,
                             SearchCost available = SearchCost::Body);

/// The texts that a key looks for, each once: a message that is asked for one of them is looked
/// through for all.
struct SearchTexts {
  explicit SearchTexts(const SearchKey& key);

  mime::FoldedTexts bodies;   ///< of BODY and TEXT
  mime::FoldedTexts headers;  ///< of TEXT
  /// Of HEADER, SUBJECT, FROM and so on: by the field's name in small letters.
  std::map<std::string, mime::FoldedTexts, std::less<>> fields;
};

/// How many keys there are in the tree.
std::size_t count_keys(const SearchKey& key);
/// The most costly thing that the key may need.
SearchCost cost(const SearchKey& key);

/// Puts cheap keys before costly ones in every And and Or, and merges nested Ands and Ors.
void plan(SearchKey& key);

/// What keys mean in a mailbox as it is now.
struct Meaning {
  std::uint32_t largest_number = 0;
  std::uint32_t largest_uid = 0;
  NumberSet saved_numbers;
  NumberSet saved_uids;
  std::vector<std::string> keywords;  ///< by the number of their bit; at most 64
};
/// Fills `resolved` of every Numbers and Uids key: "*" as the largest number or UID (0: the mailbox
/// is empty), "$" as the saved result's numbers and UIDs; and the bit of every Keyword key.
void resolve(SearchKey& key, Meaning meaning);

/// The UIDs or numbers outside of which nothing can match, when the top of the tree names some:
/// a search over 100,000 messages with "UID 5:9" looks at five. nullopt: all must be looked at.
/// After resolve.
std::optional<NumberSet> required_uids(const SearchKey& key);
std::optional<NumberSet> required_numbers(const SearchKey& key);

/// Turns every string to look for from the program's charset into folded UTF-8 (mime/text.h). A
/// string that is not what its charset says is read as what it most probably is. The refusal
/// (BADCHARSET) when the charset is not known.
std::optional<Reply> prepare_strings(SearchProgram& program);

/// MODSEQ is among the keys: the answer then carries the highest (RFC 7162 §3.1.5).
bool uses_modseq(const SearchKey& key);
/// A set of message numbers is among the keys ("$" is none: it stands for messages).
bool uses_message_numbers(const SearchKey& key);
/// "$" is among the keys.
bool uses_saved_result(const SearchKey& key);

}  // namespace hikyaku::imap
