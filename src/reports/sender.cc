#include "reports/sender.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::reports {
namespace {

using State = Sender::State;

constexpr std::size_t kDomainLength = 255;
constexpr std::array<std::string_view, 7> kNames{"unrecorded", "proved",    "failed",   "no-policy",
                                                 "cannot-ask", "no-author", "unchecked"};

constexpr Phrase kProved{"it comes from {}", "{} から届きました"};
constexpr Phrase kFailed{"nothing shows that it comes from {}",
                         "{} からのものであることを示すものがありません"};
constexpr Phrase kNoPolicy{"{} has no DMARC policy, and neither SPF nor DKIM speaks for it",
                           "{} には DMARC ポリシーがなく、SPF も DKIM も差出人を示していません"};
constexpr Phrase kCannotAsk{"{} could not be asked", "{} に問い合わせできません"};
constexpr Phrase kNoAuthor{"its From field names no one domain", "差出人のドメインが定まりません"};
constexpr Phrase kUnchecked{"its sender was not checked", "差出人は検証されていません"};

/// Who has a domain has the names below it, too; but not the other way round.
bool speaks_for(std::string_view identifier, std::string_view author) {
  return identifier == author ||
         (identifier.find('.') != std::string_view::npos && dns::is_within(author, identifier));
}

}  // namespace

std::string_view to_string(State state) {
  return kNames.at(static_cast<std::size_t>(state));
}

std::optional<State> parse_sender_state(std::string_view name) {
  auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<State>(found - kNames.begin());
}

const Phrase& explain(State state) {
  switch (state) {
    case State::Proved:
      return kProved;
    case State::Failed:
      return kFailed;
    case State::NoPolicy:
      return kNoPolicy;
    case State::CannotAsk:
      return kCannotAsk;
    case State::NoAuthor:
      return kNoAuthor;
    case State::Unrecorded:
    case State::Unchecked:
      break;
  }
  return kUnchecked;
}

std::string reason(const Sender& sender) {
  return say(Language::English, explain(sender.state), printable(sender.domain, kDomainLength));
}

Sender sender_of(const dmarc::Verdict& verdict) {
  Sender sender{State::NoAuthor, std::string(verdict.header_from())};
  switch (verdict.result) {
    case dmarc::Result::Pass:
      sender.state = State::Proved;
      return sender;
    case dmarc::Result::Fail:
      sender.state = State::Failed;
      return sender;
    case dmarc::Result::TempError:
      sender.state = State::CannotAsk;
      return sender;
    case dmarc::Result::PermError:
      return sender;
    case dmarc::Result::None:
      break;
  }
  if (!verdict.author.is_plain() || verdict.outcomes.size() != 1) return sender;
  auto proved = std::ranges::any_of(verdict.outcomes[0].identifiers, [&](auto& identifier) {
    return speaks_for(identifier.domain, sender.domain);
  });
  sender.state = proved ? State::Proved : State::NoPolicy;
  return sender;
}

void put_sender(Encoder& out, const Sender& sender) {
  out.u8(static_cast<std::uint8_t>(sender.state));
  out.text(utf8_prefix(sender.domain, kDomainLength));
}

Sender get_sender(Decoder& in) {
  if (in.at_end()) return {State::Unrecorded, {}};
  auto state = in.u8();
  Sender sender;
  if (state < kNames.size()) sender.state = static_cast<State>(state);
  sender.domain = utf8_prefix(in.text(), kDomainLength);
  return sender;
}

}  // namespace hikyaku::reports
