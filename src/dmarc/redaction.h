// What a report about somebody's mail may show of it (RFC 6590, RFC 9991): whom it was for, and
// what was in it, is nobody's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::dmarc {

/// How much of the original's header goes out.
enum class HeaderShown : std::uint8_t {
  Minimal,   ///< whose it claims to be, its date and number
  Redacted,  ///< also its signatures, list, structure and program: what helps to find the sender
};

/// A value as a field of a report shows it, cut: what is not visible ASCII becomes "?".
std::string one_line(std::string_view value);

/// For one report. What strangers write costs a moment, however it is made: a message of 256 KB to
/// a thousand recipients some 20 ms.
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
  /// encoded words, with "%" or "=" and hexadecimal digits. So does, as far as anybody can tell,
  /// what is longer than what is looked through, or written over more often than anybody needs; and
  /// anything when more are hidden than can be looked for.
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
  /// What is looked for: words in lower case, without what stands between them.
  class Names {
   public:
    void add(const std::vector<std::string>& words);
    bool stand_in(const std::vector<std::string>& words) const;
    std::size_t size() const { return long_.size() + short_.size(); }

   private:
    /// The words in one; recognised inside of other words. None begins with another one, so that
    /// what stands at a place in a text is found by one look.
    std::set<std::string, std::less<>> long_;
    std::set<std::string, std::less<>> short_;  ///< whole words, a space behind each
  };
  void add(std::string_view text, Of of);

  std::string key_;
  Names any_;      ///< all of them
  Names address_;  ///< Of::Address
  bool too_many_ = false;
};

}  // namespace hikyaku::dmarc
