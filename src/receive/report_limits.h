// ReportLimits: how many failure reports leave, and what was not told. Private to receive/.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/time.h"

namespace hikyaku::receive {

/// Counts by the hour of the clock, which only goes forward here: `now` is the present time, and an
/// earlier one counts in the newest hour. From any event loop.
class ReportLimits {
 public:
  ReportLimits(std::uint32_t per_domain, std::uint32_t total)
      : per_domain_(per_domain), total_(total) {}

  /// A mail to one address.
  struct Leaving {
    std::string about;  ///< Organizational Domain of the author
    std::string host;   ///< domain of the address
  };
  /// Whether one more may leave in this hour; counts nothing. For each host `per_domain`, about
  /// each author's domain kDestinations times that, and `total` in all.
  bool has_room(const Leaving& one, Time now);
  /// The same; it counts if it may.
  bool may_leave(const Leaving& one, Time now);
  /// These, counted at `counted`, did not leave after all.
  void did_not_leave(const std::vector<Leaving>& those, Time counted);

  /// Whether the DNS may be asked in this hour if a destination elsewhere agrees to reports about
  /// this author's domain; it counts if it may. As often as reports may leave about it, and
  /// kMostAsked times in all. Apart from what leaves: strangers can name anybody's address.
  bool may_ask(const std::string& about, Time now);

  static constexpr std::size_t kDestinations = 4;  ///< of one message
  static constexpr std::size_t kMostAsked = 10'000;

  /// So many messages that `domain` wanted to hear of were not told: they are added to the next
  /// report's Incidents, unless a day passes before that (two at most).
  void withhold(const std::string& domain, std::uint64_t messages, Time now);
  /// How many there are; they are forgotten here.
  std::uint64_t take_withheld(const std::string& domain, Time now);

 private:
  using Untold = std::map<std::string, std::uint64_t>;
  using Counts = std::map<std::string, std::uint32_t>;

  void begin_hour(Time now);
  bool fits(const Leaving& one) const;
  std::uint64_t most_about() const { return std::uint64_t(per_domain_) * kDestinations; }

  const std::uint32_t per_domain_;
  const std::uint32_t total_;
  std::mutex mutex_;  ///< for what follows
  std::int64_t hour_ = 0;
  std::uint32_t leaving_ = 0;
  std::uint32_t asked_ = 0;
  Counts to_;           ///< what leaves, by host
  Counts about_;        ///< the same, by author's domain
  Counts asked_about_;  ///< by author's domain
  Untold today_, yesterday_;
};

}  // namespace hikyaku::receive
