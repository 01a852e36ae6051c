// Disposition: what becomes of a message, decided from what was found and what is known here (RFC
// 9989 §7, §8). Pure: everything that may weigh is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "dmarc/evaluate.h"

namespace hikyaku::dmarc {

enum class Action : std::uint8_t {
  Deliver,
  Junk,    ///< into the recipient's Junk, with the reason
  Defer,   ///< 4xx: what could not be asked may be answered later
  Refuse,  ///< 550 at the end of DATA
};
std::string_view to_string(Action action);

/// What can speak for refusing a message whose domain asks for it: p=reject alone never is enough
/// (RFC 9989 §7.4).
enum class For : std::uint8_t {
  SpfFailMailFrom,  ///< SPF `fail` of MAIL FROM
  SpfFailHelo,      ///< SPF `fail` of HELO
  NoReverseName,    ///< no name of the client's address leads back to it
  Blocklisted,      ///< the weight of the DNS blocklists reaches the limit
  TrustReject,      ///< the domain is one whose p=reject is trusted here
};
/// What can speak against it.
enum class Against : std::uint8_t {
  TrustedArc,      ///< a valid ARC chain of a trusted sealer says that it passed before
  KnownList,       ///< a mailing list known here
  KnownForwarder,  ///< a forwarder known here
  LocalException,  ///< somebody here said so
};
std::string_view to_string(For reason);
std::optional<For> parse_for(std::string_view text);
std::string_view to_string(Against reason);
std::optional<Against> parse_against(std::string_view text);

/// What speaks against refusing, and by what name it is known here: the sealer, or the entry of the
/// settings that applies.
struct Objection {
  Against reason = Against::TrustedArc;
  std::string what;  ///< may be empty: it was not kept
  bool operator==(const Objection&) const = default;
};

/// The rules of the house, all of them data.
struct Rules {
  std::vector<For> speaks_for{For::SpfFailMailFrom, For::SpfFailHelo, For::NoReverseName,
                              For::Blocklisted, For::TrustReject};
  std::vector<Against> speaks_against{Against::TrustedArc, Against::KnownList,
                                      Against::KnownForwarder, Against::LocalException};
  /// Of `speaks_against`, what lifts the policy altogether: delivered rather than put into Junk.
  std::vector<Against> exempts{Against::LocalException};
  double blocklist_weight = 1.0;          ///< from here on Blocklisted speaks
  std::vector<std::string> trust_reject;  ///< domains (normal form); what is below them, too
  /// SPF `fail` of a domain without DMARC record refuses by itself.
  bool spf_refuse_fail = false;
  /// A From field that programs read differently, or none (but see claims_nobody):
  /// Deliver, Junk or Refuse.
  Action unreadable_author = Action::Junk;
};

/// What is known about the message beside DMARC's verdict. Texts name what was found, for people.
struct Circumstances {
  spf::Result spf_mail_from = spf::Result::None;
  spf::Result spf_helo = spf::Result::None;
  std::optional<bool> reverse_name_confirmed;  ///< nullopt: not asked, or could not be
  double blocklist_weight = 0;
  /// No From, Sender or Resent field at all, as in mail typed by hand: no reader is shown anybody.
  /// There is no domain whose policy could be asked for (RFC 9989 §4.4), so such mail is delivered,
  /// unless the domain of MAIL FROM disowns it.
  bool claims_nobody = false;
  /// That may be the author's, and were not looked at since there were too many: one of them may be
  /// good. Nothing is refused for good then.
  std::size_t unchecked_signatures = 0;
  std::string trusted_arc;      ///< the sealer; empty: none
  std::string known_list;       ///< the entry that says so; empty: none
  std::string known_forwarder;  ///< likewise
  std::string local_exception;  ///< likewise
};

/// Why a message is treated otherwise than its domain asks (RFC 9990 §3.1.1.8, PolicyOverrideType).
enum class OverrideType : std::uint8_t {
  LocalPolicy,
  MailingList,
  Other,
  PolicyTestMode,
  TrustedForwarder,
};
std::string_view to_string(OverrideType type);

struct Override {
  OverrideType type = OverrideType::Other;
  std::string comment;
  bool operator==(const Override&) const = default;
};

/// What a report says was done (RFC 9990, ActionDispositionType).
enum class Applied : std::uint8_t { None, Pass, Quarantine, Reject };
std::string_view to_string(Applied applied);

struct Disposition {
  enum class Why : std::uint8_t {
    NoPolicy,    ///< DMARC says nothing
    SpfFail,     ///< the same, and SPF says fail: marked; the sender gets no notices
    SpfRefused,  ///< the same, and that is enough here (spf_refuse_fail)
    Passed,
    PolicyNone,        ///< failed, and the domain asks for nothing
    Quarantined,       ///< failed, and the domain asks for this
    Refused,           ///< failed, the domain asks for refusal, and something speaks for it
    NothingFor,        ///< the same, but nothing else speaks for it
    SpeaksAgainst,     ///< the same, but something speaks against it
    Exempt,            ///< failed, but an exception lifts the policy
    CannotAsk,         ///< DNS could not be asked
    MayPassLater,      ///< failed for now; a check could not be finished
    UnreadableAuthor,  ///< what a reader is shown cannot be said
    Unchecked,         ///< failed, the domain asks for refusal, but not everything was looked at
  };
  Action action = Action::Deliver;
  Why why = Why::NoPolicy;
  std::vector<For> speaks_for;            ///< what was found and counts
  std::vector<Objection> speaks_against;  ///< likewise
  Applied applied = Applied::None;
  std::optional<Override>
      overridden;  ///< for the report; set when the treatment is not the published

  /// In one sentence, for those who run the server: it names entries of the settings.
  std::string describe(Language language) const;
};

/// "no-policy", "spf-fail", …: as in the story of a message.
std::string_view to_string(Disposition::Why why);
std::optional<Disposition::Why> parse_why(std::string_view text);

Disposition decide(const Verdict& verdict, const Circumstances& circumstances, const Rules& rules);

/// The text of the 550 5.7.1 or 451 4.7.1 for Refuse and Defer: what failed, and what would help.
std::string reply_text(const Disposition& disposition, const Verdict& verdict);

}  // namespace hikyaku::dmarc
