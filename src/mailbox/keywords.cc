#include <algorithm>

#include "base/text.h"
#include "mailbox/change.h"

namespace hikyaku::mailbox {

bool is_keyword(std::string_view name) {
  // RFC 9051 §9: flag-keyword is an atom.
  return !name.empty() && name.size() <= kMaxKeywordLength &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return c > ' ' && c < 0x7F &&
                  std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
         });
}

std::vector<std::string> load_keywords(store::Reader& reader, AccountId account,
                                       MailboxId mailbox) {
  std::vector<std::string> keywords;
  reader.scan(store::Key(account, kTableKeyword).u32(mailbox).children(),
              [&](std::string_view, std::string_view name) {
                keywords.emplace_back(name);
                return true;
              });
  return keywords;
}

namespace {

Flags bit_of(std::string_view name, const std::vector<std::string>& keywords) {
  for (std::size_t i = 0; i < keywords.size() && i < static_cast<std::size_t>(kMaxKeywords); ++i)
    if (iequals(keywords[i], name))
      return Flags{1} << (static_cast<std::size_t>(kFirstKeyword) + i);
  return 0;
}

}  // namespace

Interned intern(Change& change, OpenMailbox& mailbox, const std::vector<std::string>& names) {
  Interned result;
  if (names.empty()) return result;
  auto keywords = load_keywords(change.tx(), change.account(), mailbox.id);
  for (const auto& name : names) {
    auto bit = bit_of(name, keywords);
    if (bit == 0) {
      if (!is_keyword(name) || keywords.size() >= static_cast<std::size_t>(kMaxKeywords)) {
        result.all = false;
        continue;
      }
      auto number = static_cast<std::uint8_t>(keywords.size());
      change.tx().put(keyword_key(change.account(), mailbox.id, number), name);
      change.record(mailbox);
      keywords.push_back(name);
      bit = bit_of(name, keywords);
    }
    result.bits |= bit;
  }
  return result;
}

std::vector<std::string> names_of(Flags flags, const std::vector<std::string>& keywords) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < keywords.size(); ++i)
    if (flags >> (static_cast<std::size_t>(kFirstKeyword) + i) & 1) names.push_back(keywords[i]);
  return names;
}

std::vector<std::string> keywords(store::Reader& reader, AccountId account, MailboxId mailbox) {
  return load_keywords(reader, account, mailbox);
}

Flags find_keywords(store::Reader& reader, AccountId account, MailboxId mailbox,
                    const std::vector<std::string>& names) {
  Flags bits = 0;
  if (names.empty()) return bits;
  auto keywords = load_keywords(reader, account, mailbox);
  for (const auto& name : names) bits |= bit_of(name, keywords);
  return bits;
}

}  // namespace hikyaku::mailbox
