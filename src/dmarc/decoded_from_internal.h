// What programs take for addresses in a From value that decode its encoded words before they parse
// it, against RFC 2047 §6.2; part of author.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::dmarc {

/// What is decoded may hold encoded words again: some programs decode on arrival, and on display.
/// Where there are still some after that, nobody can say what is shown.
inline constexpr int kRounds = 2;

struct DecodedFrom {
  struct Address {
    std::string local;   ///< as it stands there, without quotes; may be empty
    std::string domain;  ///< A-labels in lower case where it is a domain name, else as it stands
  };
  /// With a dot in the domain, each once. Nothing that was not in `value` before the decoding is
  /// left out; what stood there may be among them.
  std::vector<Address> addresses;
  /// Nobody here can say what others read: a charset that hides ASCII and is not known.
  bool unclear = false;
  /// There is more than is looked at: "@", addresses, encoded words, words within words.
  bool too_many = false;
};

/// `value`: of one From field, of any bytes, at most about 64 KB. Work is linear in its size.
DecodedFrom read_decoded(std::string_view value);
/// Everything that may be an address in a value that programs read differently: whatever stands
/// around an "@", before and after decoding, dot or not.
DecodedFrom read_anything(std::string_view value);

/// Whether the "@" at `at` may make an address: behind it stands a name of two labels and more,
/// blanks, comments and quotes left out.
bool has_remote_domain(std::string_view text, std::size_t at);

/// What stands between quotes with its encoded words decoded, controls and line ends too.
std::string decode_with_controls(std::string_view value);

}  // namespace hikyaku::dmarc
