// DMARC policy records (RFC 9989 §4.7, §4.8): reading them as receivers must, and looking at them
// as their owners should.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"

namespace hikyaku::dmarc {

/// What the owner of a domain wishes for mail that fails. Ordered from mild to strict.
enum class Policy : std::uint8_t { None, Quarantine, Reject };
std::string_view to_string(Policy policy);
std::optional<Policy> parse_policy(std::string_view text);

/// What the record says about its own name (RFC 9989 §4.7, `psd`).
enum class Psd : std::uint8_t {
  Unknown,  ///< u, or absent: find out by walking
  Yes,      ///< a public suffix
  No,       ///< an Organizational Domain
};

enum class Alignment : std::uint8_t { Relaxed, Strict };
std::string_view to_string(Alignment alignment);

/// `fo`: when failure reports are wanted (RFC 9989 §4.7); each is enough. Without `fo` it is 0.
struct FailureOptions {
  bool all = true;    ///< 0: no mechanism gave an aligned pass
  bool any = false;   ///< 1: one of them gave none
  bool dkim = false;  ///< d: a signature failed, aligned or not
  bool spf = false;   ///< s: SPF failed, aligned or not
  bool operator==(const FailureOptions&) const = default;
};

/// A record as a receiver reads it: unknown tags skipped, tags with a value that does not parse
/// absent, of a repeated tag the first counts. Lists of addresses stay text until somebody wants to
/// send (report_address.h).
struct Record {
  std::string text;  ///< as published

  std::optional<Policy> p, sp, np;      ///< nullopt: absent or invalid
  bool bad_sp = false, bad_np = false;  ///< there, and no policy
  Psd psd = Psd::Unknown;
  bool testing = false;  ///< t=y: the policy is to be applied one step weaker
  Alignment adkim = Alignment::Relaxed;
  Alignment aspf = Alignment::Relaxed;
  FailureOptions fo;

  /// Values of `rua` and `ruf`; empty if absent.
  std::string_view rua() const { return std::string_view(text).substr(rua_at, rua_size); }
  std::string_view ruf() const { return std::string_view(text).substr(ruf_at, ruf_size); }

  std::size_t rua_at = 0, rua_size = 0, ruf_at = 0, ruf_size = 0;  ///< places in `text`
};

/// Records longer than this are read no further: what a TXT record can hold at most.
inline constexpr std::size_t kMaxRecord = 65'535;

/// nullopt when the text is no DMARC record: `v=DMARC1` must stand first, in this case (RFC 9989
/// §4.8).
std::optional<Record> parse_record(std::string text);
bool is_record(std::string_view text);

/// The policy one step weaker: what `t=y` asks for.
Policy weaker(Policy policy);

/// Something in a record that its owner will want to change, or know.
struct Remark {
  enum class Kind : std::uint8_t {
    // The text is no DMARC record at all, but is meant as one.
    Version,       ///< v=DMRC1, v=dmarc1, v=DMARC2
    VersionPlace,  ///< v is not the first tag, or space stands before it
    NoSeparator,   ///< v=DMARC1 p=reject
    // It is one, but does not say what was meant.
    Comma,         ///< a comma where a semicolon is meant
    UnknownTag,    ///< skipped; `suggestion` when a known one is near
    BadValue,      ///< as if the tag were absent; `suggestion` when a known value is near
    NoValue,       ///< a piece without "="
    Repeated,      ///< the first counts
    NoPolicy,      ///< no usable p: p=none when there is an rua, else the record has no effect
    BadUri,        ///< an address of rua or ruf that is no URI; `suggestion` "mailto:…" when bare
    BadCharacter,  ///< characters that do not belong into a record, such as typographic quotes
    // It works; there is something to know.
    Scheme,        ///< a URI that is not mailto: nobody needs to support it
    Historic,      ///< pct, rf, ri: without effect since RFC 9989
    SizeLimit,     ///< "!10m": without effect since RFC 9989
    Sampling,      ///< pct below 100; t=y is what came of it
    SuffixClaim,   ///< psd=y: the domain says that it is a public suffix
    NoReports,     ///< no rua: nobody will tell the owner anything
    UnusedOption,  ///< fo without ruf
  };
  Kind kind;
  std::string tag;         ///< lower case, where one is concerned
  std::string value;       ///< what stands there, printable
  std::string suggestion;  ///< what was probably meant; may be empty

  /// True if the record does not do what it says: something to correct.
  bool is_mistake() const { return kind <= Kind::BadCharacter; }
  /// One sentence, with the remedy.
  std::string describe(Language language) const;
};

/// Everything to be said about a TXT string at a _dmarc name. Empty for a good record, and for a
/// string that is not meant as a DMARC record (see `is_meant_as_record`).
std::vector<Remark> examine_record(std::string_view text);

/// The record that was meant by one with mistakes: its version, separators and what is misspelt are
/// mended, tags that mean nothing go, the rest stands as it is. nullopt when there is no mistake,
/// or when it cannot be told what was meant ("p=maybe").
std::optional<std::string> mend_record(std::string_view text);

/// True for records, and for what somebody mistyped.
bool is_meant_as_record(std::string_view text);

}  // namespace hikyaku::dmarc
