#include "auth/alias_faults.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "auth/directory.h"
#include "smtp/path.h"

namespace hikyaku::auth {
namespace {

/// Addresses of a circle that are told.
constexpr std::size_t kShown = 8;

class Search {
 public:
  Search(store::Reader& reader, std::string_view delimiters)
      : reader_(reader), delimiters_(delimiters) {
    for (auto& alias : list_aliases(reader))
      aliases_.emplace(std::move(alias.address), std::move(alias.targets));
  }

  std::vector<AliasFault> run() {
    for (auto& [address, targets] : aliases_) walk(address);
    for (auto& domain : list_domains(reader_))
      if (!domain.catch_all.empty() && is_dead(domain.catch_all))
        faults_.push_back({AliasFault::What::CatchAll, domain.name, domain.catch_all, {}});
    auto place = [](const AliasFault& f) { return std::tie(f.what, f.address, f.target); };
    std::ranges::sort(faults_, {}, place);
    return std::move(faults_);
  }

 private:
  using Aliases = std::map<std::string, std::vector<std::string>, std::less<>>;
  using Place = Aliases::const_iterator;

  /// The alias that the mail for this address goes to next, if it is one.
  Place alias_of(const std::string& address) const {
    if (auto found = aliases_.find(address); found != aliases_.end()) return found;
    auto at = address.rfind('@');
    auto local = std::string_view(address).substr(0, at);
    auto name = smtp::split_detail(local, delimiters_).first;
    if (delimiters_.empty() || name.size() == local.size() || find_account(reader_, address))
      return aliases_.end();
    return aliases_.find(std::string(name) + address.substr(at));
  }

  bool is_dead(const std::string& address) const {
    return alias_of(address) == aliases_.end() && kind(address) == Resolution::Kind::Unknown;
  }
  Resolution::Kind kind(const std::string& address) const {
    return resolve(reader_, address, delimiters_).kind;
  }

  /// Follows what was not followed yet; nobody knows how far that leads, so without recursion.
  void walk(const std::string& from) {
    struct Step {
      Place alias;
      std::size_t next = 0;  ///< of its targets
    };
    std::vector<Step> way;
    auto enter = [&](Place alias) {
      if (!seen_.insert(alias->first).second) return;
      on_way_.emplace(alias->first, way.size());
      way.push_back({alias});
    };
    enter(aliases_.find(from));
    while (!way.empty()) {
      auto& [alias, next] = way.back();
      if (next == alias->second.size()) {
        on_way_.erase(alias->first);
        way.pop_back();
        continue;
      }
      auto& target = alias->second[next++];
      auto following = alias_of(target);
      if (following == aliases_.end()) {
        if (kind(target) == Resolution::Kind::Unknown) add(AliasFault::What::Nobody, alias, target);
      } else if (auto begin = on_way_.find(following->first); begin != on_way_.end()) {
        std::string round;
        for (auto i = begin->second; i < way.size(); ++i) {
          // Of a long one the beginning and the end.
          if (i - begin->second == kShown && i + 1 < way.size()) {
            round += "… -> ";
            i = way.size() - 1;
          }
          round += way[i].alias->first + " -> ";
        }
        add(AliasFault::What::Circle, alias, target, round + following->first);
      } else {
        enter(following);
      }
    }
  }

  void add(AliasFault::What what, Place alias, const std::string& target, std::string way = {}) {
    faults_.push_back({what, alias->first, target, std::move(way),
                       kind(alias->first) == Resolution::Kind::Local});
  }

  store::Reader& reader_;
  std::string_view delimiters_;
  Aliases aliases_;
  std::set<std::string, std::less<>> seen_;
  std::map<std::string, std::size_t, std::less<>> on_way_;  ///< and where
  std::vector<AliasFault> faults_;
};

}  // namespace

std::vector<AliasFault> alias_faults(store::Reader& reader, std::string_view delimiters) {
  return Search(reader, delimiters).run();
}

}  // namespace hikyaku::auth
