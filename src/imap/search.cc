#include "imap/search.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "mime/charset.h"
#include "mime/text.h"

namespace hikyaku::imap {
namespace {

using Kind = SearchKey::Kind;

/// What a key needs itself, without its children.
SearchCost own_cost(Kind kind) {
  switch (kind) {
    case Kind::SentBefore:
    case Kind::SentOn:
    case Kind::SentSince:
    case Kind::EmailId:
    case Kind::ThreadId:
      return SearchCost::Record;
    case Kind::Header:
    case Kind::Subject:
    case Kind::From:
    case Kind::To:
    case Kind::Cc:
    case Kind::Bcc:
      return SearchCost::Header;
    case Kind::Body:
    case Kind::Text:
      return SearchCost::Body;
    default:
      return SearchCost::Row;
  }
}

bool compare_day(Kind kind, Day own, Day asked) {
  switch (kind) {
    case Kind::Before:
    case Kind::SentBefore:
    case Kind::SavedBefore:
      return own < asked;
    case Kind::On:
    case Kind::SentOn:
    case Kind::SavedOn:
      return own == asked;
    default:
      return own >= asked;
  }
}

std::string_view field_name(const SearchKey& key) {
  switch (key.kind) {
    case Kind::Subject:
      return "Subject";
    case Kind::From:
      return "From";
    case Kind::To:
      return "To";
    case Kind::Cc:
      return "Cc";
    case Kind::Bcc:
      return "Bcc";
    default:
      return key.field;
  }
}

/// A key without children, for whose cost there is enough.
bool matches(const SearchKey& key, const SearchMessage& message, Time now) {
  switch (key.kind) {
    case Kind::Numbers:
      return key.resolved->contains(message.number());
    case Kind::Uids:
      return key.resolved->contains(message.uid());
    case Kind::System:
      return has(message.system_flags(), key.flag);
    case Kind::Keyword:
      return (message.keyword_bits() & key.number) != 0;
    case Kind::Header:
    case Kind::Subject:
    case Kind::From:
    case Kind::To:
    case Kind::Cc:
    case Kind::Bcc:
      return message.header_contains(field_name(key), key.text);
    case Kind::Body:
      return message.body_contains(key.text);
    case Kind::Text:
      return message.any_header_contains(key.text) || message.body_contains(key.text);
    case Kind::Before:
    case Kind::On:
    case Kind::Since:
      return compare_day(key.kind, day_of(message.internal_date()), key.day);
    case Kind::SentBefore:
    case Kind::SentOn:
    case Kind::SentSince:
      return compare_day(key.kind, message.sent_day(), key.day);
    case Kind::SavedBefore:
    case Kind::SavedOn:
    case Kind::SavedSince: {
      // RFC 8514 §4.3: without a save date the internal date is used.
      auto saved = message.save_date();
      return compare_day(key.kind, day_of(saved ? *saved : message.internal_date()), key.day);
    }
    case Kind::SaveDateSupported:
      return message.save_date().has_value();
    case Kind::Larger:
      return message.size() > key.number;
    case Kind::Smaller:
      return message.size() < key.number;
    case Kind::Older:
      return message.internal_date() <= now - seconds(key.number);
    case Kind::Younger:
      return message.internal_date() >= now - seconds(key.number);
    case Kind::ModSeq:
      return message.modseq() >= key.number;
    case Kind::EmailId:
      return message.email_id() == key.text;
    case Kind::ThreadId:
      return !message.thread_id().empty() && message.thread_id() == key.text;
    case Kind::All:
    case Kind::And:
    case Kind::Or:
    case Kind::Not:
      break;
  }
  return true;
}

/// And (decides at the first false) or Or (at the first true).
std::optional<bool> evaluate_children(const SearchKey& key, const SearchMessage& message, Time now,
                                      SearchCost available) {
  bool deciding = key.kind == Kind::Or;
  bool open = false;
  for (auto& child : key.children) {
    auto result = evaluate(child, message, now, available);
    if (result == deciding) return deciding;
    open |= !result;
  }
  if (open) return std::nullopt;
  return !deciding;
}

/// What `key` demands of `kind`'s set, if anything.
std::optional<NumberSet> required(const SearchKey& key, Kind kind) {
  if (key.kind == kind) return *key.resolved;
  if (key.kind != Kind::And) return std::nullopt;
  std::optional<NumberSet> all;
  const NumberSet* saved = nullptr;
  for (auto& child : key.children) {
    if (child.kind == kind && child.set.is_saved_result() &&
        std::exchange(saved, child.resolved.get()) != nullptr)
      continue;  // the same "$" once more
    auto one = required(child, kind);
    if (!one) continue;
    all = all ? all->intersection(*one) : std::move(*one);
  }
  return all;
}

template <class Predicate>
bool any_key(const SearchKey& key, Predicate predicate) {
  if (predicate(key)) return true;
  return std::ranges::any_of(key.children, [&](auto& child) { return any_key(child, predicate); });
}

void fold_strings(SearchKey& key, std::string_view charset) {
  if (own_cost(key.kind) >= SearchCost::Header)
    key.text = mime::fold(mime::to_utf8(key.text, charset));
  for (auto& child : key.children) fold_strings(child, charset);
}

}  // namespace

SearchTexts::SearchTexts(const SearchKey& key) : bodies({}), headers({}) {
  std::vector<std::string> in_bodies;
  std::vector<std::string> in_headers;
  std::map<std::string, std::vector<std::string>> in_fields;
  auto collect = [&](const auto& self, const SearchKey& one) -> void {
    if (one.kind == Kind::Body || one.kind == Kind::Text) in_bodies.push_back(one.text);
    if (one.kind == Kind::Text) in_headers.push_back(one.text);
    if (own_cost(one.kind) == SearchCost::Header)
      in_fields[to_lower(field_name(one))].push_back(one.text);
    for (auto& child : one.children) self(self, child);
  };
  collect(collect, key);
  bodies = mime::FoldedTexts(std::move(in_bodies));
  headers = mime::FoldedTexts(std::move(in_headers));
  for (auto& [name, texts] : in_fields) fields.emplace(name, std::move(texts));
}

std::optional<bool> evaluate(const SearchKey& key, const SearchMessage& message, Time now,
                             SearchCost available) {
  switch (key.kind) {
    case Kind::And:
    case Kind::Or:
      return evaluate_children(key, message, now, available);
    case Kind::Not: {
      auto child = evaluate(key.children.front(), message, now, available);
      if (!child) return std::nullopt;
      return !*child;
    }
    default:
      break;
  }
  if (own_cost(key.kind) > available) return std::nullopt;
  return matches(key, message, now);
}

std::size_t count_keys(const SearchKey& key) {
  std::size_t count = 1;
  for (auto& child : key.children) count += count_keys(child);
  return count;
}

SearchCost cost(const SearchKey& key) {
  auto most = own_cost(key.kind);
  for (auto& child : key.children) most = std::max(most, cost(child));
  return most;
}

void plan(SearchKey& key) {
  for (auto& child : key.children) plan(child);
  if (key.kind != Kind::And && key.kind != Kind::Or) return;
  std::vector<SearchKey> flat;
  for (auto& child : key.children) {
    if (child.kind == key.kind)
      std::ranges::move(child.children, std::back_inserter(flat));
    else
      flat.push_back(std::move(child));
  }
  std::vector<std::pair<SearchCost, std::size_t>> order;
  for (std::size_t i = 0; i < flat.size(); ++i) order.emplace_back(cost(flat[i]), i);
  std::ranges::sort(order);
  key.children.clear();
  for (auto& [ignored, index] : order) key.children.push_back(std::move(flat[index]));
}

namespace {

using Shared = std::shared_ptr<const NumberSet>;

struct SharedMeaning {
  Meaning& meaning;
  Shared saved_numbers = std::make_shared<const NumberSet>(std::move(meaning.saved_numbers));
  Shared saved_uids = std::make_shared<const NumberSet>(std::move(meaning.saved_uids));
};

Shared set_of(const SearchKey& key, std::uint32_t largest, const Shared& saved) {
  if (key.set.is_saved_result()) return saved;
  return std::make_shared<const NumberSet>(key.set.resolve(largest));
}

std::uint64_t keyword_bit(std::string_view name, const std::vector<std::string>& keywords) {
  auto found = std::ranges::find_if(keywords, [&](auto& one) { return iequals(one, name); });
  return found == keywords.end() ? 0 : std::uint64_t{1} << (found - keywords.begin());
}

void resolve(SearchKey& key, const SharedMeaning& shared) {
  auto& meaning = shared.meaning;
  if (key.kind == Kind::Numbers)
    key.resolved = set_of(key, meaning.largest_number, shared.saved_numbers);
  if (key.kind == Kind::Uids) key.resolved = set_of(key, meaning.largest_uid, shared.saved_uids);
  if (key.kind == Kind::Keyword) key.number = keyword_bit(key.text, meaning.keywords);
  for (auto& child : key.children) resolve(child, shared);
}

}  // namespace

void resolve(SearchKey& key, Meaning meaning) {
  resolve(key, SharedMeaning{meaning});
}

std::optional<NumberSet> required_uids(const SearchKey& key) {
  return required(key, Kind::Uids);
}

std::optional<NumberSet> required_numbers(const SearchKey& key) {
  return required(key, Kind::Numbers);
}

std::optional<Reply> prepare_strings(SearchProgram& program) {
  if (!program.charset.empty() && !mime::is_known_charset(program.charset))
    return bad_charset(program.charset);
  fold_strings(program.key, program.charset);
  return std::nullopt;
}

bool uses_modseq(const SearchKey& key) {
  return any_key(key, [](auto& one) { return one.kind == Kind::ModSeq; });
}

bool uses_message_numbers(const SearchKey& key) {
  return any_key(key,
                 [](auto& one) { return one.kind == Kind::Numbers && !one.set.is_saved_result(); });
}

bool uses_saved_result(const SearchKey& key) {
  return any_key(key, [](auto& one) { return one.set.is_saved_result(); });
}

}  // namespace hikyaku::imap
