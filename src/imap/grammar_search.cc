// SEARCH (RFC 9051 §6.4.4; RFC 3501; RFC 4731; RFC 5032; RFC 5182; RFC 7162; RFC 8474; RFC 8514).
#include <array>

#include "base/text.h"
#include "imap/characters.h"
#include "imap/grammar.h"

namespace hikyaku::imap {
namespace {

using Kind = SearchKey::Kind;

/// What comes after a key's name.
enum class Takes { Nothing, Flag, NotFlag, Keyword, NotKeyword, String, Date, Number, Seconds, Id };

struct KeyRule {
  std::string_view name;
  Kind kind;
  Takes takes;
  Flag flag = Flag::Seen;
};
constexpr std::array kKeys = std::to_array<KeyRule>({
    {"ALL", Kind::All, Takes::Nothing},
    {"ANSWERED", Kind::System, Takes::Flag, Flag::Answered},
    {"DELETED", Kind::System, Takes::Flag, Flag::Deleted},
    {"DRAFT", Kind::System, Takes::Flag, Flag::Draft},
    {"FLAGGED", Kind::System, Takes::Flag, Flag::Flagged},
    {"RECENT", Kind::System, Takes::Flag, Flag::Recent},
    {"SEEN", Kind::System, Takes::Flag, Flag::Seen},
    {"OLD", Kind::System, Takes::NotFlag, Flag::Recent},
    {"UNANSWERED", Kind::System, Takes::NotFlag, Flag::Answered},
    {"UNDELETED", Kind::System, Takes::NotFlag, Flag::Deleted},
    {"UNDRAFT", Kind::System, Takes::NotFlag, Flag::Draft},
    {"UNFLAGGED", Kind::System, Takes::NotFlag, Flag::Flagged},
    {"UNSEEN", Kind::System, Takes::NotFlag, Flag::Seen},
    {"KEYWORD", Kind::Keyword, Takes::Keyword},
    {"UNKEYWORD", Kind::Keyword, Takes::NotKeyword},
    {"SUBJECT", Kind::Subject, Takes::String},
    {"FROM", Kind::From, Takes::String},
    {"TO", Kind::To, Takes::String},
    {"CC", Kind::Cc, Takes::String},
    {"BCC", Kind::Bcc, Takes::String},
    {"BODY", Kind::Body, Takes::String},
    {"TEXT", Kind::Text, Takes::String},
    {"BEFORE", Kind::Before, Takes::Date},
    {"ON", Kind::On, Takes::Date},
    {"SINCE", Kind::Since, Takes::Date},
    {"SENTBEFORE", Kind::SentBefore, Takes::Date},
    {"SENTON", Kind::SentOn, Takes::Date},
    {"SENTSINCE", Kind::SentSince, Takes::Date},
    {"SAVEDBEFORE", Kind::SavedBefore, Takes::Date},
    {"SAVEDON", Kind::SavedOn, Takes::Date},
    {"SAVEDSINCE", Kind::SavedSince, Takes::Date},
    {"SAVEDATESUPPORTED", Kind::SaveDateSupported, Takes::Nothing},
    {"LARGER", Kind::Larger, Takes::Number},
    {"SMALLER", Kind::Smaller, Takes::Number},
    {"OLDER", Kind::Older, Takes::Seconds},
    {"YOUNGER", Kind::Younger, Takes::Seconds},
    {"EMAILID", Kind::EmailId, Takes::Id},
    {"THREADID", Kind::ThreadId, Takes::Id},
});

/// Reads search keys; counts them and the depth of what it is in.
class KeyParser {
 public:
  KeyParser(Scanner& in, const GrammarLimits& limits) : in_(in), limits_(limits) {}

  /// search-key *(SP search-key) until `end` says so.
  Result<SearchKey> parse_list(bool in_parentheses) {
    SearchKey all{.kind = Kind::And};
    do {
      TRY(auto key, parse_key());
      all.children.push_back(std::move(key));
    } while (in_.take(' '));
    if (in_parentheses) TRY_DO(in_.expect(')'));
    return all;
  }

 private:
  /// Recursion goes through here only: depth_ bounds it.
  Result<SearchKey> parse_key() {
    if (++keys_ > limits_.search_keys)
      return fail(ErrorCode::TooLarge, "SEARCH may have {} keys", limits_.search_keys);
    if (depth_ == limits_.search_depth)
      return fail(ErrorCode::TooLarge, "SEARCH keys may be nested {} deep", limits_.search_depth);
    ++depth_;
    auto key = parse_key_here();
    --depth_;
    return key;
  }

  Result<SearchKey> parse_key_here() {
    if (in_.take('(')) return parse_list(true);
    auto start = in_;
    if (!in_.at_end() && is_sequence_char(in_.rest().front())) return parse_set(Kind::Numbers);
    auto name = in_.take_while(is_atom_char);
    if (!name) return in_.wrong("a search key");
    for (auto& rule : kKeys) {
      if (iequals(rule.name, *name)) return parse_argument(rule);
    }
    if (iequals(*name, "NEW")) return new_key();
    if (iequals(*name, "NOT")) return parse_children(Kind::Not, 1);
    if (iequals(*name, "OR")) return parse_children(Kind::Or, 2);
    if (iequals(*name, "HEADER")) return parse_header();
    if (iequals(*name, "MODSEQ")) return parse_modseq();
    if (iequals(*name, "UID")) {
      TRY_DO(in_.expect_space());
      return parse_set(Kind::Uids);
    }
    return start.wrong("a search key");
  }

  static SearchKey negated(SearchKey key) {
    SearchKey result{.kind = Kind::Not};
    result.children.push_back(std::move(key));
    return result;
  }

  /// NEW = RECENT UNSEEN (RFC 3501 §6.4.4).
  static SearchKey new_key() {
    SearchKey both{.kind = Kind::And};
    both.children.push_back({.kind = Kind::System, .flag = Flag::Recent});
    both.children.push_back(negated({.kind = Kind::System, .flag = Flag::Seen}));
    return both;
  }

  Result<SearchKey> parse_set(Kind kind) {
    SearchKey key{.kind = kind};
    TRY(key.set, in_.expect_sequence_set());
    return key;
  }

  Result<SearchKey> parse_children(Kind kind, int count) {
    SearchKey key{.kind = kind};
    for (int i = 0; i < count; ++i) {
      TRY_DO(in_.expect_space());
      TRY(auto child, parse_key());
      key.children.push_back(std::move(child));
    }
    return key;
  }

  Result<std::string> parse_string() {
    TRY_DO(in_.expect_space());
    TRY(auto text, in_.expect_astring("a string to search for"));
    if (text.size() > limits_.search_text)
      return fail(ErrorCode::TooLarge, "a string to search for may have {} bytes",
                  limits_.search_text);
    return text;
  }

  Result<SearchKey> parse_header() {
    SearchKey key{.kind = Kind::Header};
    TRY(key.field, parse_string());
    TRY(key.text, parse_string());
    return key;
  }

  /// MODSEQ [entry-name entry-type-req] n. All our mod-sequences are the message's: the entry does
  /// not narrow it (RFC 7162 §3.1.5 allows that).
  Result<SearchKey> parse_modseq() {
    SearchKey key{.kind = Kind::ModSeq};
    TRY_DO(in_.expect_space());
    if (in_.next_is('"')) {
      TRY_DO(in_.expect_string("an entry name"));
      TRY_DO(in_.expect_space());
      if (!in_.take_word("priv") && !in_.take_word("shared") && !in_.take_word("all"))
        return in_.wrong("priv, shared or all");
      TRY_DO(in_.expect_space());
    }
    TRY(key.number, in_.expect_number64("a mod-sequence"));
    return key;
  }

  Result<Day> parse_day() {
    TRY_DO(in_.expect_space());
    auto start = in_;
    TRY(auto text, in_.expect_astring("a date"));
    auto day = parse_date(text);
    if (!day) return start.wrong("a date such as 1-Feb-1994");
    return *day;
  }

  Result<SearchKey> parse_argument(const KeyRule& rule) {
    SearchKey key{.kind = rule.kind, .flag = rule.flag};
    switch (rule.takes) {
      case Takes::Nothing:
      case Takes::Flag:
        break;
      case Takes::NotFlag:
        return negated(std::move(key));
      case Takes::Keyword:
      case Takes::NotKeyword: {
        TRY_DO(in_.expect_space());
        TRY(auto keyword, in_.expect_atom("a keyword"));
        key.text = std::string(keyword);
        if (rule.takes == Takes::NotKeyword) return negated(std::move(key));
        break;
      }
      case Takes::String: {
        TRY(key.text, parse_string());
        break;
      }
      case Takes::Date: {
        TRY(key.day, parse_day());
        break;
      }
      case Takes::Number:
      case Takes::Seconds: {
        TRY_DO(in_.expect_space());
        TRY(key.number, in_.expect_number64("a number"));
        if (rule.takes == Takes::Seconds && (key.number == 0 || key.number > UINT32_MAX))
          return fail(ErrorCode::Invalid, "{} needs seconds from 1 to {}", rule.name, UINT32_MAX);
        break;
      }
      case Takes::Id: {
        TRY_DO(in_.expect_space());
        auto id = in_.take_while(is_object_id_char);
        if (!id || id->size() > 255) return in_.wrong("an object id");
        key.text = std::string(*id);
        break;
      }
    }
    return key;
  }

  Scanner& in_;
  const GrammarLimits& limits_;
  std::size_t keys_ = 0;
  std::size_t depth_ = 0;
};

/// "(" options ")" after RETURN and SP.
Result<> parse_return(Scanner& in, SearchProgram& program) {
  program.extended = true;
  TRY_DO(in.expect_space());
  TRY_DO(in.expect('('));
  auto add = [&](SearchReturn option) { program.options |= static_cast<std::uint8_t>(option); };
  for (bool first = true; !in.take(')'); first = false) {
    if (!first) TRY_DO(in.expect_space());
    if (in.take_word("MIN"))
      add(SearchReturn::Min);
    else if (in.take_word("MAX"))
      add(SearchReturn::Max);
    else if (in.take_word("ALL"))
      add(SearchReturn::All);
    else if (in.take_word("COUNT"))
      add(SearchReturn::Count);
    else if (in.take_word("SAVE"))
      add(SearchReturn::Save);
    else
      return in.wrong("MIN, MAX, ALL, COUNT or SAVE");
  }
  if (program.options == 0) add(SearchReturn::All);
  return {};
}

}  // namespace

Result<SearchCommand> parse_search(Scanner& in, bool uid, const GrammarLimits& limits) {
  SearchCommand command;
  command.uid = uid;
  auto& program = command.program;
  TRY_DO(in.expect_space());
  if (in.take_word("RETURN")) {
    TRY_DO(parse_return(in, program));
    TRY_DO(in.expect_space());
  }
  if (in.take_word("CHARSET")) {
    TRY_DO(in.expect_space());
    TRY(auto charset, in.expect_astring("a charset"));
    program.charset = to_upper(charset);
    TRY_DO(in.expect_space());
  }
  TRY(program.key, KeyParser(in, limits).parse_list(false));
  return command;
}

}  // namespace hikyaku::imap
