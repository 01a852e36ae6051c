// Sender: whether a mail with a report was shown to come from the domain that it names. Anybody may
// write to the address for reports: RFC 9990 wants their mail to pass DMARC, and only what does
// (or is proved likewise) is counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "base/phrase.h"
#include "dmarc/evaluate.h"

namespace hikyaku::reports {

struct Sender {
  /// Stored: values are never given another meaning.
  enum class State : std::uint8_t {
    Unrecorded,  ///< it came before this was kept: counted, as it was then
    Proved,      ///< it comes from `domain`
    Failed,      ///< DMARC: nothing shows that it does
    NoPolicy,    ///< `domain` has no DMARC policy, and neither SPF nor DKIM speaks for it
    CannotAsk,   ///< DNS could not be asked
    NoAuthor,    ///< its From field names nobody, or programs read it differently
    Unchecked,   ///< senders are not checked, or not this one: it came from this machine
  };
  State state = State::Unchecked;
  std::string domain;  ///< the author's; may be empty unless Proved

  bool counts() const { return state == State::Proved || state == State::Unrecorded; }
  bool operator==(const Sender&) const = default;
};
/// "proved", "failed", "no-policy", …
std::string_view to_string(Sender::State state);
std::optional<Sender::State> parse_sender_state(std::string_view name);
/// Why it is not counted; {} is the domain.
const Phrase& explain(Sender::State state);
/// The same in English, as it is recorded.
std::string reason(const Sender& sender);

/// DMARC pass; or, where no policy says what is aligned, SPF or DKIM pass of the author domain
/// itself or of one above it.
Sender sender_of(const dmarc::Verdict& verdict);

void put_sender(Encoder& out, const Sender& sender);
/// Unrecorded when nothing follows.
Sender get_sender(Decoder& in);

}  // namespace hikyaku::reports
