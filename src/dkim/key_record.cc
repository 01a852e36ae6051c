#include "dkim/key_record.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "dkim/tag_list.h"

namespace hikyaku::dkim {
namespace {

/// A TXT record holds at most 64 KB; the longest key that is taken needs 1.4 KB.
constexpr TagLimits kLimits{.bytes = 16 * 1024, .tags = 32};

bool names(std::string_view list, std::string_view word) {
  return std::ranges::any_of(split_colons(list), [&](auto piece) { return piece == word; });
}

hikyaku::Result<crypto::PublicKey> read_key(std::string_view type, std::string_view bytes) {
  if (type == "rsa") {
    TRY(auto key, crypto::PublicKey::from_der(bytes));
    if (key.type() != crypto::KeyType::Rsa)
      return fail(ErrorCode::Invalid, "p= holds another kind of key than k=rsa says");
    return key;
  }
  // The 32 bytes alone, not SubjectPublicKeyInfo (RFC 8463 §4).
  return crypto::PublicKey::from_ed25519(bytes);
}

}  // namespace

hikyaku::Result<KeyRecord> parse_key_record(std::string_view text) {
  auto list = TagList::parse(text, kLimits);
  if (!list) return fail(ErrorCode::Invalid, "the key record is malformed: {}", list.error().text);
  KeyRecord record;
  if (auto version = list->find("v")) {
    if (*version != "DKIM1")
      return fail(ErrorCode::Invalid, "the key record is of another version: v={}",
                  printable(*version, 40));
    if (list->tags().front().name != "v")
      return fail(ErrorCode::Invalid, "the key record has v= elsewhere than at its beginning");
  }
  if (auto hashes = list->find("h")) {
    record.sha1 = names(*hashes, "sha1");
    record.sha256 = names(*hashes, "sha256");
  }
  if (auto services = list->find("s"))
    record.for_mail = names(*services, "*") || names(*services, "email");
  if (auto flags = list->find("t")) {
    record.testing = names(*flags, "y");
    record.strict = names(*flags, "s");
  }
  if (auto notes = list->find("n")) record.notes = *notes;
  if (auto type = list->find("k")) record.type = *type;

  auto data = list->find("p");
  if (!data) return fail(ErrorCode::Invalid, "the key record has no key (p=)");
  if (data->empty()) {
    record.revoked = true;
    return record;
  }
  if (record.type != "rsa" && record.type != "ed25519") return record;
  auto bytes = decode_base64_value(*data);
  if (!bytes) return fail(ErrorCode::Invalid, "the key (p=) is not in base64");
  auto key = read_key(record.type, *bytes);
  if (!key) return fail(ErrorCode::Invalid, "the key (p=) cannot be read: {}", key.error().text);
  record.key = *std::move(key);
  return record;
}

std::string write_key_record(const crypto::PublicKey& key) {
  return "v=DKIM1; k=" + std::string(crypto::to_string(key.type())) +
         "; p=" + base64_encode(key.dkim_bytes());
}

}  // namespace hikyaku::dkim
