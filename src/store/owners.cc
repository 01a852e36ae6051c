#include "store/owners.h"

#include "store/rows.h"

namespace hikyaku::store {

bool is_owner(Reader& reader, BlobId blob, std::string_view owner) {
  return reader.get(owner_key(blob, owner)).has_value();
}

}  // namespace hikyaku::store
