// The labels of charsets and what reads each (see charset.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hikyaku::mime {

/// Who converts.
enum class Codec : std::uint8_t { Utf8, Iso2022jp, EucJp, Icu, Iconv };

struct Charset {
  std::string_view label;
  std::string_view name;  ///< to be sent under
  Codec codec;
  std::string_view converter;  ///< the converter's name in ICU or iconv
};

/// Small letters, without space, quotes and anything that no label has; empty for no label and for
/// overlong ones.
std::string normal_label(std::string_view label);

/// The entry for a normal label; nullptr when the table does not know it.
const Charset* find_charset(std::string_view normal_label);

}  // namespace hikyaku::mime
