#include "mailbox/record.h"

#include "base/codec.h"

namespace hikyaku::mailbox {

std::string encode(const MessageRecord& record) {
  Encoder out;
  out.varint(record.email);
  out.varint(record.thread);
  out.varint(record.blob);
  out.varint(record.size);
  out.svarint(record.received.time_since_epoch().count());
  out.svarint(record.saved.time_since_epoch().count());
  out.text(record.prefix);
  const auto& digest = record.digest;
  out.text(digest.envelope);
  out.text(digest.body_structure);
  out.text(digest.header_fields);
  out.text(digest.parts);
  out.u8(digest.header_set);
  out.u8(digest.complete ? 1 : 0);
  out.u64_be(digest.message_id_hash);
  out.varint(digest.reference_hashes.size());
  for (auto hash : digest.reference_hashes) out.u64_be(hash);
  return out.take();
}

bool decode(std::string_view bytes, MessageRecord& record) {
  Decoder in(bytes);
  record.email = in.varint();
  record.thread = in.varint();
  record.blob = in.varint();
  record.size = in.varint();
  record.received = Time(milliseconds(in.svarint()));
  record.saved = Time(milliseconds(in.svarint()));
  record.prefix = in.text();
  auto& digest = record.digest;
  digest.envelope = in.text();
  digest.body_structure = in.text();
  digest.header_fields = in.text();
  digest.parts = in.text();
  digest.header_set = in.u8();
  digest.complete = in.u8() & 1;
  digest.message_id_hash = in.u64_be();
  auto count = in.varint();
  if (in.failed() || count > in.remaining() / 8) return false;
  digest.reference_hashes.clear();
  digest.reference_hashes.reserve(count);
  for (; count > 0; --count) digest.reference_hashes.push_back(in.u64_be());
  return !in.failed();
}

}  // namespace hikyaku::mailbox
