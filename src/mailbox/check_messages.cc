// What is stored of each message, against the message.
#include <fmt/core.h>

#include "mailbox/change.h"
#include "mailbox/check.h"
#include "mailbox/digest.h"
#include "mailbox/record.h"

namespace hikyaku::mailbox {
namespace {

/// The whole body; an error for one that cannot be read.
Task<Result<std::string>> read_body(store::Store& store, store::BlobId id) {
  CO_TRY(auto blob, co_await store.open_blob(id));
  std::string bytes;
  while (bytes.size() < blob->size()) {
    CO_TRY(auto piece, co_await blob->read(bytes.size(), 1 << 20));
    if (piece.empty()) co_return fail(ErrorCode::Corrupt, "the body is cut off");
    bytes += piece;
  }
  co_return bytes;
}

struct Row {
  MailboxId mailbox = 0;
  Uid uid = 0;
};

/// The messages of the account, without those that were expunged.
std::vector<Row> list_messages(store::Reader& reader, AccountId account) {
  std::vector<Row> rows;
  reader.scan(store::Key(account, kTableSummary).children(),
              [&](std::string_view key, std::string_view value) {
                auto fields = store::key_fields(key);
                auto mailbox = fields.u32_be();
                SummaryGroup group;
                if (!group.decode(value, base_of(fields.u32_be()))) return true;
                for (const auto& message : group.rows()) rows.push_back({mailbox, message.uid});
                return true;
              });
  return rows;
}

}  // namespace

Task<void> check_messages(store::Store& store, AccountId account, AccountReport& report) {
  auto rows =
      co_await store.read([=](store::Reader& reader) { return list_messages(reader, account); });
  for (auto [mailbox, uid] : rows) {
    auto key = message_key(account, mailbox, uid).bytes();
    auto value = co_await store.read([&](store::Reader& reader) { return reader.get(key); });
    MessageRecord record;
    if (!value || !decode(*value, record)) continue;  // said before
    auto body = co_await read_body(store, record.blob);
    if (!body) {
      auto path = co_await store.read(
          [=](store::Reader& reader) { return path_of(reader, account, mailbox); });
      report.problems.push_back(fmt::format("message {} of mailbox {} cannot be read: {}", uid,
                                            mailbox, body.error().describe()));
      report.unreadable.push_back({path, mailbox, uid, record.size, record.received,
                                   record.digest.header_fields, body.error().describe()});
      continue;
    }
    ++report.digests;
    auto fresh = make_digest(record.prefix, *body);
    // With other fields kept than today it was written by another version.
    if (fresh == record.digest || fresh.header_set != record.digest.header_set) continue;
    report.problems.push_back(fmt::format(
        "what is stored of message {} of mailbox {} is not in the message", uid, mailbox));
    record.digest = std::move(fresh);
    report.rows.push_back({key, encode(record)});
  }
}

}  // namespace hikyaku::mailbox
