#include "auth/alias_faults.h"

#include <map>
#include <set>
#include <tuple>

#include "auth/alias_pages.h"
#include "auth/directory.h"
#include "base/async.h"
#include "smtp/path.h"
#include "store/counting_reader.h"

namespace hikyaku::auth {
namespace {

/// Addresses of a circle that are told.
constexpr std::size_t kShown = 8;
/// Rows that one read looks at, about.
constexpr std::size_t kRowsPerRead = 1'000;
/// Aliases that one circle is looked for in.
constexpr std::size_t kMostFollowed = 1'000;
/// Steps between two looks at what else is to be done on this loop.
constexpr std::size_t kStepsPerTurn = 1'000;

/// What the directory says of an address that is no alias's own.
struct Facts {
  bool is_account = false;
  Resolution::Kind kind = Resolution::Kind::Unknown;
};

/// A way by its addresses; of a long one the beginning and the end.
std::string drawn(const std::vector<std::string_view>& addresses) {
  std::string way;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i == kShown && i + 1 < addresses.size()) {
      way += "… -> ";
      i = addresses.size() - 1;
    }
    way += std::string(addresses[i]) + " -> ";
  }
  return way;
}

/// The alias that mail for an address goes by, if it is one: as it stands, or without its detail.
std::optional<Alias> followed_alias(store::Reader& reader, const std::string& address,
                                    std::string_view delimiters) {
  if (auto alias = find_alias(reader, address)) return alias;
  auto at = address.rfind('@');
  auto local = std::string_view(address).substr(0, at);
  auto name = smtp::split_detail(local, delimiters).first;
  if (delimiters.empty() || name.size() == local.size() || find_account(reader, address))
    return std::nullopt;
  return find_alias(reader, std::string(name) + address.substr(at));
}

class Search {
 public:
  Search(store::Store& store, std::string delimiters)
      : store_(store), delimiters_(std::move(delimiters)) {}

  Task<std::vector<AliasFault>> run() {
    co_await read_aliases();
    auto domains = co_await store_.read([](store::Reader& reader) { return list_domains(reader); });
    co_await look_up_targets(domains);
    co_await follow_all();
    for (auto& domain : domains)
      if (!domain.catch_all.empty() && is_dead(domain.catch_all))
        faults_.insert({AliasFault::What::CatchAll, domain.name, domain.catch_all, {}});
    co_return co_await take_faults();
  }

 private:
  using Aliases = std::map<std::string, std::vector<std::string>, std::less<>>;
  using Place = Aliases::const_iterator;
  struct InOrder {
    bool operator()(const AliasFault& a, const AliasFault& b) const {
      return std::tie(a.what, a.address, a.target) < std::tie(b.what, b.address, b.target);
    }
  };

  Task<void> read_aliases() {
    AliasPage page;
    do {
      page = co_await store_.read([from = page.next](store::Reader& reader) {
        return list_alias_page(reader, from, kRowsPerRead);
      });
      for (auto& alias : page.aliases)
        aliases_.emplace(std::move(alias.address), std::move(alias.targets));
    } while (!page.next.empty());
  }

  /// Whatever will be asked about where the aliases lead.
  Task<void> look_up_targets(const std::vector<Domain>& domains) {
    std::set<std::string> wanted;
    for (auto& domain : domains)
      if (!domain.catch_all.empty()) wanted.insert(domain.catch_all);
    for (auto& [address, targets] : aliases_)
      for (auto& target : targets) {
        if (!aliases_.contains(target)) wanted.insert(target);
        co_await give_way();
      }
    co_await look_up(std::move(wanted));
  }

  Task<void> look_up(std::set<std::string> wanted) {
    for (auto next = wanted.begin(); next != wanted.end();) {
      auto found = co_await store_.read([&](store::Reader& reader) {
        store::CountingReader counted(reader);
        std::vector<Facts> facts;
        for (auto it = next; it != wanted.end() && counted.rows() < kRowsPerRead; ++it)
          facts.push_back(
              {find_account(counted, *it).has_value(), resolve(counted, *it, delimiters_).kind});
        return facts;
      });
      for (auto& facts : found) facts_.insert_or_assign(*next++, facts);
    }
  }

  /// The alias that the mail for this address goes to next, if it is one.
  Place alias_of(const std::string& address) const {
    if (auto found = aliases_.find(address); found != aliases_.end()) return found;
    auto at = address.rfind('@');
    auto local = std::string_view(address).substr(0, at);
    auto name = smtp::split_detail(local, delimiters_).first;
    if (delimiters_.empty() || name.size() == local.size() || facts_.at(address).is_account)
      return aliases_.end();
    return aliases_.find(std::string(name) + address.substr(at));
  }

  bool is_dead(const std::string& address) const {
    return alias_of(address) == aliases_.end() &&
           facts_.at(address).kind == Resolution::Kind::Unknown;
  }

  /// Follows each alias once; nobody knows how far that leads, so without recursion.
  Task<void> follow_all() {
    for (auto alias = aliases_.cbegin(); alias != aliases_.cend(); ++alias)
      for (enter(alias); !way_.empty(); co_await give_way()) step();
  }

  void enter(Place alias) {
    if (!seen_.insert(alias->first).second) return;
    on_way_.emplace(alias->first, way_.size());
    way_.push_back({alias});
  }

  void step() {
    auto& [alias, next] = way_.back();
    if (next == alias->second.size()) {
      on_way_.erase(alias->first);
      way_.pop_back();
      return;
    }
    auto& target = alias->second[next++];
    auto following = alias_of(target);
    if (following == aliases_.end()) {
      if (is_dead(target)) faults_.insert({AliasFault::What::Nobody, alias->first, target, {}});
    } else if (auto begin = on_way_.find(following->first); begin != on_way_.end()) {
      faults_.insert({AliasFault::What::Circle, alias->first, target,
                      round_from(begin->second) + following->first});
    } else {
      enter(following);
    }
  }

  std::string round_from(std::size_t begin) const {
    std::vector<std::string_view> addresses;
    for (auto i = begin; i < way_.size(); ++i) addresses.push_back(way_[i].alias->first);
    return drawn(addresses);
  }

  Task<std::vector<AliasFault>> take_faults() {
    std::set<std::string> aliases;
    for (auto& fault : faults_)
      if (fault.what != AliasFault::What::CatchAll) aliases.insert(fault.address);
    co_await look_up(std::move(aliases));
    std::vector<AliasFault> taken;
    while (!faults_.empty()) {
      auto fault = std::move(faults_.extract(faults_.begin()).value());
      if (fault.what != AliasFault::What::CatchAll)
        fault.delivered = facts_.at(fault.address).kind == Resolution::Kind::Local;
      taken.push_back(std::move(fault));
      co_await give_way();
    }
    co_return taken;
  }

  Task<void> give_way() {
    if (++steps_ % kStepsPerTurn == 0) co_await yield_now();
  }

  struct Step {
    Place alias;
    std::size_t next = 0;  ///< of its targets
  };

  store::Store& store_;
  std::string delimiters_;
  Aliases aliases_;
  std::map<std::string, Facts, std::less<>> facts_;
  std::vector<Step> way_;
  std::set<std::string, std::less<>> seen_;
  std::map<std::string, std::size_t, std::less<>> on_way_;  ///< and where
  std::multiset<AliasFault, InOrder> faults_;
  std::size_t steps_ = 0;
};

}  // namespace

Task<std::vector<AliasFault>> find_alias_faults(store::Store& store, std::string delimiters) {
  Search search(store, std::move(delimiters));
  co_return co_await search.run();
}

std::optional<AliasFault> find_circle(store::Reader& reader, std::string_view address,
                                      std::string_view delimiters) {
  auto first = find_alias(reader, address);
  if (!first) return std::nullopt;
  struct Step {
    Alias alias;
    std::size_t came_from;
  };
  // The nearest first, so that what is told is the shortest way round.
  std::vector<Step> steps{{std::move(*first), 0}};
  std::set<std::string> seen{steps.front().alias.address};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (auto target : std::vector(steps[i].alias.targets)) {
      auto next = followed_alias(reader, target, delimiters);
      if (!next) continue;
      auto& start = steps.front().alias.address;
      if (next->address == start) {
        std::vector<std::string_view> way;
        for (auto at = i; at != 0; at = steps[at].came_from)
          way.insert(way.begin(), steps[at].alias.address);
        way.insert(way.begin(), start);
        auto by = way.size() > 1 ? std::string(way[1]) : target;
        auto delivered = resolve(reader, start, delimiters).kind == Resolution::Kind::Local;
        return AliasFault{AliasFault::What::Circle, start, std::move(by), drawn(way) + start,
                          delivered};
      }
      if (seen.size() < kMostFollowed && seen.insert(next->address).second)
        steps.push_back({std::move(*next), i});
    }
  }
  return std::nullopt;
}

}  // namespace hikyaku::auth
