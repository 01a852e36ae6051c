// Tag lists, signatures and key records: whatever is read keeps its promises.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "base/text.h"
#include "dkim/key_record.h"
#include "dkim/signature.h"

namespace {

using namespace hikyaku;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_list(std::string_view text) {
  auto list = dkim::TagList::parse(text);
  if (!list) return require(is_utf8(list.error().text));
  std::set<std::string_view> names;
  for (auto& tag : list->tags()) {
    require(tag.name.data() >= text.data());
    require(tag.value.data() + tag.value.size() <= text.data() + text.size());
    require(names.insert(tag.name).second);
    require(list->find(tag.name) == tag.value);
  }
}

void check_signature(std::string_view text, dkim::SignatureField field) {
  auto signature = dkim::parse_signature(text, field);
  if (!signature) {
    require(!signature.error().problem.empty());
    return require(is_utf8(signature.error().problem));
  }
  require(!signature->value.empty() && !signature->body_hash.empty());
  require(is_ascii(signature->domain) && is_ascii(signature->selector));
  require(signature->fields.size() <= dkim::SignatureLimits{}.fields);
  if (field == dkim::SignatureField::Dkim) require(is_utf8(signature->identity));
}

void check_emptied(std::string_view text) {
  std::string raw = "X:" + std::string(text);
  mime::Field field{raw, std::string_view(raw).substr(0, 1), std::string_view(raw).substr(2)};
  std::string once, twice;
  auto emptied = dkim::without_signature_value(field, once);
  require(dkim::without_signature_value(emptied, twice).raw == emptied.raw);
}

void check_key(std::string_view text) {
  auto record = dkim::parse_key_record(text);
  if (!record) return require(is_utf8(record.error().text));
  if (!record->key) return;
  auto again = dkim::parse_key_record(dkim::write_key_record(*record->key));
  require(again && again->key && *again->key == *record->key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  check_list(text);
  check_signature(text, dkim::SignatureField::Dkim);
  check_signature(text, dkim::SignatureField::ArcMessage);
  check_emptied(text);
  check_key(text);
  return 0;
}
