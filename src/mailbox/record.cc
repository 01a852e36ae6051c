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

namespace {

void take_texts(Decoder& in, MessageTexts& texts) {
  texts.email = in.varint();
  texts.thread = in.varint();
  texts.blob = in.varint();
  texts.size = in.varint();
  texts.received = Time(milliseconds(in.svarint()));
  texts.saved = Time(milliseconds(in.svarint()));
  texts.prefix = in.text();
  texts.envelope = in.text();
  texts.body_structure = in.text();
  texts.header_fields = in.text();
  texts.parts = in.text();
  texts.header_set = in.u8();
  texts.complete = in.u8() & 1;
}

}  // namespace

bool decode(std::string_view bytes, MessageTexts& texts) {
  Decoder in(bytes);
  take_texts(in, texts);
  return !in.failed();
}

bool decode(std::string_view bytes, MessageRecord& record) {
  Decoder in(bytes);
  MessageTexts texts;
  take_texts(in, texts);
  record.email = texts.email;
  record.thread = texts.thread;
  record.blob = texts.blob;
  record.size = texts.size;
  record.received = texts.received;
  record.saved = texts.saved;
  record.prefix = texts.prefix;
  auto& digest = record.digest;
  digest.envelope = texts.envelope;
  digest.body_structure = texts.body_structure;
  digest.header_fields = texts.header_fields;
  digest.parts = texts.parts;
  digest.header_set = texts.header_set;
  digest.complete = texts.complete;
  digest.message_id_hash = in.u64_be();
  auto count = in.varint();
  if (in.failed() || count > in.remaining() / 8) return false;
  digest.reference_hashes.clear();
  digest.reference_hashes.reserve(count);
  for (; count > 0; --count) digest.reference_hashes.push_back(in.u64_be());
  return !in.failed();
}

}  // namespace hikyaku::mailbox
