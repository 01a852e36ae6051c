// What a report about somebody's mail may show of it (RFC 6590, RFC 9991): whom it was for, and
// what was in it, is nobody's business.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::dmarc {

/// How much of the original's header goes out.
enum class HeaderShown : std::uint8_t {
  Minimal,   ///< whose it claims to be, its date and number
  Redacted,  ///< also its signatures, list, structure and program: what helps to find the sender
};

/// For one report.
class Redactor {
 public:
  /// Local parts of addresses are replaced by a keyed digest of them, so that the same person is
  /// recognised in several reports without being named (RFC 6590 §3). Secret and lasting.
  explicit Redactor(std::string key) : key_(std::move(key)) {}

  /// Somebody whom the message is for.
  void hide(std::string_view address, std::string_view display_name = {});
  /// Everybody whom a header names as a recipient.
  void hide_recipients(std::string_view header);

  /// What of somebody hidden is looked for.
  enum class Of : std::uint8_t {
    Any,      ///< the local part or the name
    Address,  ///< local part and domain: for domains that must be told, such as the author's
  };
  /// Whether it names somebody hidden, whatever stands between the words and around them: plain, in
  /// encoded words, with "%" or "=" and hexadecimal digits.
  bool names_hidden(std::string_view text, Of of = Of::Any) const;

  /// "joe@example.org" → "KEYED_DIGEST@example.org"; what is no address becomes empty. A domain
  /// that names somebody hidden is not shown.
  std::string address(std::string_view address, Of domain = Of::Address) const;
  /// A property of Authentication-Results: an address, the name of a host or a domain.
  std::string property(std::string_view name, std::string_view value) const;
  /// The fields that a report may show, in a form of our own: of each only what has a fixed form,
  /// and of the program's name the words that name nobody.
  std::string header(std::string_view header, HeaderShown shown) const;

 private:
  struct Hidden {
    std::vector<std::string> words;  ///< lower case, without what stands between them
    std::string joined;              ///< the same in one
    Of of = Of::Any;
  };
  void add(std::string_view text, Of of);

  std::string key_;
  std::vector<Hidden> hidden_;
};

}  // namespace hikyaku::dmarc
