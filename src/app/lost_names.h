// Messages that cannot be read, in words by which people know them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "mailbox/types.h"
#include "store/verify.h"

namespace hikyaku::app {

struct MessageName {
  std::string_view address;  ///< of the account
  std::string_view path;     ///< of the mailbox
  mailbox::Uid uid = 0;
  Time received{};
  std::string_view fields;  ///< raw header fields, as far as they are known
};
/// "anna@example.org, INBOX, UID 4, 2026-11-21 22:44 UTC, From: …, Subject: …"
std::string describe(const MessageName& message);
/// ", From: …, Subject: …", of raw header fields.
std::string known_by(std::string_view fields);

/// The address of an account, or its number.
std::string address_of(store::Reader& reader, store::AccountId account);

/// For store::VerifyOptions: the messages that have the body; empty: none is known.
std::string name_lost_body(store::Reader& reader, const store::LostBody& body);

}  // namespace hikyaku::app
