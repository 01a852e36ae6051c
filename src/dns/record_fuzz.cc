// RDATA as a resolver hands it on, any bytes: each type's value has the form that others rely on.
#include <cstdlib>

#include "dns/name.h"
#include "dns/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::dns;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto address = decode_a(bytes); address && !address->is_v4()) std::abort();
  if (auto address = decode_aaaa(bytes); address && size != 16) std::abort();
  if (auto text = decode_txt(bytes); text && text->size() > size) std::abort();
  if (auto tlsa = decode_tlsa(bytes); tlsa && tlsa->data.size() != size - 3) std::abort();
  auto is_normal = [](const std::string& name) { return normal_name(name) == name; };
  if (auto name = decode_name(bytes); name && !is_normal(*name)) std::abort();
  if (auto srv = decode_srv(bytes); srv && !is_normal(srv->target)) std::abort();
  if (auto mx = decode_mx(bytes); mx && !is_normal(mx->exchange)) std::abort();
  if (auto type = parse_type(bytes); type && parse_type(to_string(*type)) != type) std::abort();
  return 0;
}
