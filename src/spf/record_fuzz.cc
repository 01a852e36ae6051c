// A record may be any bytes: it is read or refused in words; what was read points into it; names
// and explanations made of its macro strings keep their form.
#include <cstdlib>

#include "base/text.h"
#include "dns/name.h"
#include "spf/macro.h"
#include "spf/mend.h"
#include "spf/record.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool is_one_line(std::string_view text) {
  for (unsigned char c : text)
    if (c < 0x20 || c == 0x7F) return false;
  return hikyaku::is_utf8(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::spf;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto record = parse_record(input);
  if (!record) require(is_one_line(record.error().text) && record.error().text.size() < 600);
  if (auto mended = mend_record(input))
    require(parse_record(*mended).has_value() && parse_record(with_all_last(*mended)).has_value());
  MacroValues values{.local_part = "strong-bad",
                     .sender_domain = "email.example.com",
                     .domain = "email.example.com",
                     .helo = input.substr(0, 300),
                     .validated = "mx.example.org",
                     .receiver = {},
                     .ip = *IpAddress::parse("2001:db8::cb01"),
                     .now = Time()};
  auto check_name = [&](std::string_view spec) {
    auto name = expand_name(spec, values);
    if (name) require(dns::normal_name(*name) == *name && dns::name_to_wire(*name).size() <= 255);
  };
  check_name(input);
  if (auto text = expand_explanation(input, values, 200))
    require(text->size() <= 200 && is_one_line(*text));
  if (!record) return 0;
  for (auto& directive : record->directives) {
    require(within(directive.text, input) && within(directive.domain_spec, input));
    require(directive.v4_prefix <= 32 && directive.v6_prefix <= 128);
    require(asks_dns(directive.mechanism) || directive.domain_spec.empty());
    require(!check_domain_spec(directive.domain_spec) || directive.domain_spec.empty());
    check_name(directive.domain_spec);
  }
  check_name(record->redirect);
  check_name(record->explanation);
  return 0;
}
