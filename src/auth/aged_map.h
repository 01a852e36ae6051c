// AgedMap: a map with room for so many; who needs room takes that of the oldest.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

namespace hikyaku::auth {

/// Age counts from when a key was put in: what is found or changed later grows no younger, but by
/// renew(). Goes through from the oldest to the youngest.
template <class Key, class Value>
class AgedMap {
 public:
  struct Item {
    Key key;
    Value value;
  };
  explicit AgedMap(std::size_t most) : most_(most == 0 ? 1 : most) {}

  /// nullptr if it is not there.
  Value* find(const Key& key) {
    auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->value;
  }
  /// What is there, or a new one.
  Value& get(const Key& key) {
    if (auto* value = find(key)) return *value;
    if (items_.size() >= most_) erase(Key(items_.front().key));
    items_.push_back({key, Value{}});
    places_.emplace(key, std::prev(items_.end()));
    return items_.back().value;
  }
  /// A new one, in place of what is there.
  Value& renew(const Key& key) {
    erase(key);
    return get(key);
  }
  void erase(const Key& key) {
    auto found = places_.find(key);
    if (found == places_.end()) return;
    items_.erase(found->second);
    places_.erase(found);
  }
  /// How many it were.
  template <class Predicate>
  std::size_t erase_if(Predicate predicate) {
    return items_.remove_if([&](const Item& item) {
      if (!predicate(item)) return false;
      places_.erase(item.key);
      return true;
    });
  }
  std::size_t size() const { return items_.size(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  using Items = std::list<Item>;
  std::size_t most_;
  Items items_;
  std::unordered_map<Key, typename Items::iterator> places_;
};

}  // namespace hikyaku::auth
