#include "app/lost_names.h"

#include <fmt/format.h>

#include "app/shown_time.h"
#include "auth/directory.h"
#include "base/text.h"
#include "mailbox/body_messages.h"
#include "mailbox/messages.h"
#include "mime/encoded_word.h"
#include "mime/header.h"

namespace hikyaku::app {
namespace {

/// Of a header field, characters.
constexpr std::size_t kMostShown = 100;
/// A body may be many messages': so many are named.
constexpr std::size_t kMostNames = 10;

}  // namespace

std::string known_by(std::string_view fields) {
  std::string known;
  mime::HeaderView header(fields);
  for (auto field : {"From", "Subject"})
    if (auto value = mime::decode_words(header.value(field)); !value.empty())
      known += fmt::format(", {}: {}", field, printable(value, kMostShown));
  return known;
}

std::string describe(const MessageName& message) {
  return fmt::format("{}, {}, UID {}, {}{}", message.address, message.path, message.uid,
                     minute_in_utc(format_rfc3339(message.received)), known_by(message.fields));
}

std::string address_of(store::Reader& reader, store::AccountId id) {
  auto account = auth::get_account(reader, id);
  return account ? account->address : fmt::format("account {}", id);
}

std::string name_lost_body(store::Reader& reader, const store::LostBody& body) {
  std::string names;
  for (const auto& message : mailbox::messages_of_body(reader, body.id, kMostNames)) {
    auto address = address_of(reader, message.account);
    if (!names.empty()) names += "; ";
    if (auto record = mailbox::get_message(reader, message.account, message.mailbox, message.uid))
      names += describe(
          {address, message.path, message.uid, record->received, record->digest.header_fields});
    else
      names += fmt::format("{}, {}, UID {}", address, message.path, message.uid);
  }
  return names;
}

}  // namespace hikyaku::app
