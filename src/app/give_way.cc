#include "app/give_way.h"

#include <algorithm>
#include <map>
#include <queue>
#include <string>

#include "app/admission.h"

namespace hikyaku::app {
namespace {

constexpr seconds kSilent{10};
constexpr seconds kLongCommand{60};

using Crowd = std::vector<const SessionFacts*>;

/// Chooses until enough comes free.
class Choice {
 public:
  explicit Choice(std::uint64_t needed) : needed_(needed) {}

  bool enough() const { return freed_ >= needed_; }
  void add(const SessionFacts& facts) {
    freed_ += facts.activity.memory;
    ids_.push_back(facts.id);
  }
  /// It has been told to go already.
  void expect(const SessionFacts& facts) { freed_ += facts.activity.memory; }
  std::vector<std::uint64_t> take() {
    std::ranges::sort(ids_);
    return std::move(ids_);
  }

 private:
  std::uint64_t needed_;
  std::uint64_t freed_ = 0;
  std::vector<std::uint64_t> ids_;
};

/// The longest silent last.
void sort_by_silence(Crowd& crowd) {
  std::ranges::sort(crowd, [](auto* a, auto* b) {
    return std::pair(a->idle, a->activity.memory) < std::pair(b->idle, b->activity.memory);
  });
}

struct Network {
  std::uint64_t memory = 0;
  Crowd crowd;
};

/// Of networks beyond their fair share, the largest first; what is left of all.
Crowd reduce_the_largest(const Crowd& strangers, std::uint64_t fair, Choice& choice) {
  std::map<std::string, Network> networks;
  for (auto* one : strangers) {
    auto& network = networks[network_of(one->peer.address)];
    network.memory += one->activity.memory;
    network.crowd.push_back(one);
  }
  std::priority_queue<std::pair<std::uint64_t, Network*>> largest;
  for (auto& [name, network] : networks) {
    sort_by_silence(network.crowd);
    largest.emplace(network.memory, &network);
  }
  while (!choice.enough() && !largest.empty() && largest.top().first > fair) {
    auto& network = *largest.top().second;
    largest.pop();
    choice.add(*network.crowd.back());
    network.memory -= network.crowd.back()->activity.memory;
    network.crowd.pop_back();
    if (!network.crowd.empty()) largest.emplace(network.memory, &network);
  }
  Crowd left;
  for (auto& [name, network] : networks)
    left.insert(left.end(), network.crowd.begin(), network.crowd.end());
  return left;
}

}  // namespace

bool is_stranger(const Activity& activity) {
  return activity.account == 0 && activity.protocol != "control" && activity.protocol != "local";
}

std::vector<std::uint64_t> choose_to_give_way(const std::vector<SessionFacts>& all,
                                              Shortage shortage) {
  Choice choice(shortage.bytes);
  Crowd strangers;
  for (auto& one : all) {
    if (one.activity.end != Activity::End::Not)
      choice.expect(one);
    else if (is_stranger(one.activity))
      strangers.push_back(&one);
  }
  auto left = reduce_the_largest(strangers, shortage.fair, choice);
  sort_by_silence(left);
  for (auto one = left.rbegin(); one != left.rend() && !choice.enough(); ++one) {
    auto& facts = **one;
    if (facts.activity.busy ? shortage.urgent && facts.idle >= kLongCommand : facts.idle >= kSilent)
      choice.add(facts);
  }
  return choice.take();
}

}  // namespace hikyaku::app
