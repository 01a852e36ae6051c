#include "app/kept_messages.h"

#include <algorithm>

#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kAtOnce = 100;

struct FlagName {
  mailbox::Flags flag;
  std::string_view name;
};
constexpr FlagName kFlagNames[] = {{mailbox::kSeen, "\\Seen"},
                                   {mailbox::kAnswered, "\\Answered"},
                                   {mailbox::kFlagged, "\\Flagged"},
                                   {mailbox::kDeleted, "\\Deleted"},
                                   {mailbox::kDraft, "\\Draft"}};

}  // namespace

std::vector<KeptMessage> kept_messages(store::Reader& reader, store::AccountId account,
                                       mailbox::MailboxId mailbox, mailbox::Uid first) {
  std::vector<KeptMessage> messages;
  mailbox::scan_summaries(reader, account, mailbox, first, UINT32_MAX, [&](auto& summary) {
    messages.push_back({summary, 0, {}, {}});
    return messages.size() < kAtOnce;
  });
  for (auto& message : messages) {
    auto record = mailbox::get_message(reader, account, mailbox, message.summary.uid);
    if (!record) continue;
    message.blob = record->blob;
    message.prefix = std::move(record->prefix);
    message.header_fields = std::move(record->digest.header_fields);
  }
  return messages;
}

std::vector<std::string> flag_names(mailbox::Flags flags,
                                    const std::vector<std::string>& keywords) {
  std::vector<std::string> names;
  for (auto& [flag, name] : kFlagNames)
    if (flags & flag) names.emplace_back(name);
  for (std::size_t i = 0; i < keywords.size(); ++i)
    if (flags >> (mailbox::kFirstKeyword + i) & 1) names.push_back(keywords[i]);
  return names;
}

mailbox::Flags system_flag(std::string_view name) {
  auto found = std::ranges::find_if(kFlagNames, [&](auto& one) { return iequals(one.name, name); });
  return found == std::end(kFlagNames) ? 0 : found->flag;
}

}  // namespace hikyaku::app
