#include "store/schema.h"

#include <optional>
#include <string>

#include "store/rows.h"

namespace hikyaku::store {
namespace {

/// `row`: what schema_key() says.
Result<void> check_row(const std::optional<std::string>& row, const Options& options) {
  if (!row || decode_number(*row) <= options.schema) return {};
  return fail(ErrorCode::Unsupported,
              "the store {} was written by a newer version of this program (schema {}, this one "
              "knows {}); use that one, or restore a backup from before",
              options.directory, decode_number(*row), options.schema);
}

}  // namespace

Result<void> check_schema(const IndexView& view, const Options& options) {
  return check_row(view.get(schema_key(), Reach::Disk), options);
}

Result<void> check_schema(const GroupRecord& group, const Options& options) {
  const auto& rows = group.writes.entries();
  auto row = rows.find(std::string_view(schema_key()));
  if (row == rows.end()) return {};
  return check_row(row->second, options);
}

}  // namespace hikyaku::store
