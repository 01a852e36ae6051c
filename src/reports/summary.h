// Who sends as our domains, as others report it: received rows summed by domain and source network.
// Pure, bounded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reports/received.h"

namespace hikyaku::reports {

/// A network of senders: an IPv4 /24 or an IPv6 /48.
struct Source {
  IpAddress network;
  int prefix = 0;
  IpAddress address;  ///< the one that sent most
  std::uint64_t messages = 0;
  std::uint64_t passed = 0;     ///< DMARC: by DKIM or SPF
  std::uint64_t dkim = 0;       ///< passed by DKIM, aligned
  std::uint64_t spf = 0;        ///< passed by SPF, aligned
  std::uint64_t spf_alone = 0;  ///< of these without DKIM
  std::uint64_t quarantined = 0, rejected = 0;
  std::set<std::string> signers;  ///< whose signatures were on it; a few

  /// Our SPF record lists it, or it has a key of ours: half of its mail or more passes.
  bool is_authorized() const { return passed * 2 >= messages && messages > 0; }
  /// Our signatures come from there, but not by our SPF record: it passes our mail on. What it
  /// changes on the way (a list's footer) fails, and is the smaller part.
  bool is_forwarder() const { return spf == 0 && dkim > 0 && dkim * 2 >= messages; }
  /// The same, but most of its mail proves nothing: a list that changes nearly everything, or
  /// somebody who sends a letter of ours again beside forgeries. Reports cannot tell them apart.
  bool is_doubtful() const {
    return spf == 0 && dkim > 0 && !is_forwarder() && dkim * 10 >= messages;
  }
};

struct DomainSummary {
  std::string domain;
  std::optional<dmarc::Policy> policy;  ///< as the newest report has it
  std::uint64_t reports = 0;
  std::set<std::string> reporters;  ///< a few hundred at most
  std::uint64_t messages = 0, passed = 0;
  Day first = 0, last = 0;  ///< days that the reports are about
  Day policy_since = 0;     ///< the first day of those, up to the last, that name no milder policy
  std::vector<Source> sources;  ///< the largest first
  std::uint64_t left_out = 0;   ///< records of its reports that could not be read
  std::uint64_t uncounted = 0;  ///< messages of networks beyond the limit
};

/// What its owner had better do next.
struct Advice {
  enum class Kind : std::uint8_t {
    Nothing,     ///< no message passed: nothing that is ours was seen, only who claims to be us
    Unsigned,    ///< sources that are ours by SPF (or this server) and do not sign with DKIM
    Forwarders,  ///< they pass on what we signed, and change some of it
    Doubtful,    ///< a signature of ours on some, nothing on most: a list, or a forger
    Strangers,   ///< mail that nobody of ours sent, and p=none or quarantine lets it pass
    SafeToQuarantine,  ///< all that is reported is ours and passes, for four weeks of p=none
    SafeToReject,      ///< the same, for four weeks of p=quarantine
    MoreReports,       ///< what is ours passes, but the days are too few to be sure
    Complete,          ///< p=reject, and what is ours passes
  };
  Kind kind = Kind::MoreReports;
  std::vector<std::string> sources;  ///< names or networks
  std::uint64_t messages = 0;
};

class Summary {
 public:
  explicit Summary(std::size_t networks = 20'000) : limit_(networks) {}

  void add(const ReceivedReport& report);
  void add(const ReceivedReport& report, const dmarc::ReportRecord& row);
  /// By domain.
  std::vector<DomainSummary> take();

 private:
  struct Counting {
    DomainSummary summary;
    Time newest{};
    std::map<Day, dmarc::Policy> mildest;  ///< that was reported of the day; the newest days
    struct Network {
      Source source;
      std::map<IpAddress, std::uint64_t> addresses;
    };
    std::map<IpAddress, Network> networks;

    /// The summary's policy_since.
    Day since() const;
  };
  std::size_t limit_;
  std::size_t networks_ = 0;
  std::map<std::string, Counting> domains_;
};

/// `ours`: addresses of this server.
std::vector<Advice> advise(const DomainSummary& summary, const std::vector<IpAddress>& ours);

}  // namespace hikyaku::reports
