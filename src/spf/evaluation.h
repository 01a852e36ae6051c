// What a check knows while it runs. Inner tool of check.cc and mechanisms.cc.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spf/check.h"
#include "spf/macro.h"
#include "spf/record.h"
#include "spf/verdict.h"

namespace hikyaku::spf {

/// A record that is being read: the checked domain's own, one that it includes, one that it
/// redirects to. Each knows the one that led to it.
struct Reading : Policy {
  enum class Why : std::uint8_t { Own, Include, Redirect };
  Why why = Why::Own;
  Record record;
  std::size_t position = 0;   ///< the next directive
  std::uint16_t index = 0;    ///< in Verdict::policies
  std::uint8_t depth = 0;     ///< as in Step
  std::size_t step = 0;       ///< the step that led here (Include, Redirect)
  Reading* leader = nullptr;  ///< where that step stands
};

/// What became of a mechanism. Over: the check has ended with an error.
enum class Found : std::uint8_t { Nothing, Match, Over };

class Evaluation {
 public:
  Evaluation(dns::Resolver& resolver, const Clock& clock, Query query, const Limits& limits);

  /// Works out domain and sender (§4.3). False: there is nothing to check, the verdict is ready.
  bool begin();

  /// The record of `reading.domain` from the answer, in reading.text and reading.record (§4.4 to
  /// §4.6). False: the verdict is ready.
  bool select_record(Reading& reading, dns::Answer<std::string>&& answer);

  std::size_t begin_step(const Reading& reading, std::string_view term);
  void end_step(std::size_t step, Effect effect);

  /// Counts a term that asks the DNS. False: one too many, the verdict is ready.
  bool count_term();
  /// Ends the check. Always false.
  bool over(Result result, Problem problem, std::string detail);

  /// all, ip4, ip6: what needs no question.
  Found compare(const Directive& directive) const;
  /// The name that a term means: its domain-spec expanded, or the domain itself. nullopt when that
  /// is no name.
  std::optional<std::string> target(const Reading& reading, std::string_view domain_spec) const;
  /// Whether it contains a local-part that is not ASCII (RFC 8616 §4).
  bool matches_nothing(std::string_view domain_spec) const;

  /// Whether learn_names_for_macro() must come before target().
  bool needs_names(std::string_view domain_spec) const;
  /// For %{p}: counts as a term of its own (§4.6.4). False: the verdict is ready.
  Task<bool> learn_names_for_macro();

  /// a, mx, ptr, exists.
  Task<Found> ask(const Reading& reading, const Directive& directive);
  /// Fetches the explanation of a Fail; leaves it empty when there is none to be had (§6.2).
  Task<void> explain(const Reading& reading);

  Verdict verdict;

 private:
  /// Keeps what was asked and answered; takes the answer's name away.
  template <class Record>
  void keep(std::string_view name, dns::Type type, dns::Answer<Record>& answer) {
    // Unless there were aliases it is the name asked for, and saves making another.
    verdict.lookups.push_back(
        {.name = answer.name == name ? std::move(answer.name) : std::string(name),
         .type = type,
         .status = answer.status,
         .records =
             static_cast<std::uint16_t>(std::min<std::size_t>(answer.records.size(), UINT16_MAX)),
         .ttl = answer.ttl});
  }
  /// The same. False: no answer, or too late; the verdict is ready.
  template <class Record>
  bool note(std::string_view name, dns::Type type, dns::Answer<Record>& answer) {
    keep(name, type, answer);
    return in_time() && (!answer.failed() || failed(name, type, answer.problem));
  }
  /// The same, and counts an answer without records (§4.6.4).
  template <class Record>
  bool note_of_term(std::string_view name, dns::Type type, dns::Answer<Record>& answer) {
    return note(name, type, answer) && (!answer.absent() || count_void(name, type));
  }
  bool in_time();
  bool failed(std::string_view name, dns::Type type, std::string_view problem);
  bool count_void(std::string_view name, dns::Type type);
  bool matches(const dns::Answer<IpAddress>& answer, const Directive& directive) const;
  MacroValues values(const Reading& reading) const;
  /// The name for %{p} (§7.2).
  std::string_view validated_for(std::string_view domain) const;
  /// The names of the client that lead back to it (§5.5), looked up once. `counts`: an answer
  /// without records counts (§4.6.4). False: the verdict is ready.
  Task<bool> learn_names(bool counts);
  Task<dns::Answer<IpAddress>> addresses(std::string name);
  Task<Found> ask_addresses(std::string name, const Directive& directive);
  dns::Type address_type() const { return query_.ip.is_v4() ? dns::Type::A : dns::Type::AAAA; }
  Task<Found> ask_mx(std::string name, const Directive& directive);

  dns::Resolver& resolver_;
  const Clock& clock_;
  const Query query_;
  const Limits limits_;
  const Time began_;
  std::string sender_domain_;  ///< only when it had to be converted to A-labels
  std::string_view domain_part_;
  std::string_view local_part_;
  unsigned terms_ = 0;
  unsigned voids_ = 0;
  std::optional<std::vector<std::string>> validated_;
};

}  // namespace hikyaku::spf
