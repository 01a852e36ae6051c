#include "store/owners.h"

#include <algorithm>

#include "store/key.h"
#include "store/rows.h"

namespace hikyaku::store {

bool is_owner(Reader& reader, BlobId blob, std::string_view owner) {
  return reader.get(owner_key(blob, owner)).has_value();
}

std::vector<std::string> owners_of(Reader& reader, BlobId blob, std::size_t most) {
  std::vector<std::string> owners;
  auto prefix = owners_key(blob);
  reader.scan(prefix.children(), [&](std::string_view key, std::string_view) {
    owners.emplace_back(key.substr(prefix.bytes().size()));
    return owners.size() < most;
  });
  return owners;
}

AccountId highest_owner(Reader& reader) {
  AccountId highest = kInstance;
  reader.scan(Key(kInstance, kOwnerTable).children(), [&](std::string_view key, std::string_view) {
    auto fields = key_fields(key);
    fields.u64_be();  // the body
    highest = std::max<AccountId>(highest, fields.u32_be());
    return true;
  });
  return highest;
}

}  // namespace hikyaku::store
