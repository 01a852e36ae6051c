#include "store/overlay.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "store/group.h"
#include "store/key.h"
#include "store/memory_index.h"
#include "store/operations.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

using Rows = std::map<std::string, std::string>;

std::string key_of(int number) {
  return Key(1, 0xF0).u8(static_cast<std::uint8_t>(number)).bytes();
}

/// One random write, applied to whatever has the three functions.
struct Write {
  int kind;
  int a;
  int b;
  template <class Target>
  void apply(Target& target) const {
    if (kind < 4) {
      target.put(key_of(a), std::to_string(b));
    } else if (kind < 6) {
      target.erase(key_of(a));
    } else {
      target.erase_range({key_of(std::min(a, b)), key_of(std::max(a, b))});
    }
  }
};

struct Model {
  Rows rows;
  void put(const std::string& key, const std::string& value) { rows[key] = value; }
  void erase(const std::string& key) { rows.erase(key); }
  void erase_range(const KeyRange& range) {
    rows.erase(rows.lower_bound(range.begin), rows.lower_bound(range.end));
  }
};

std::vector<Write> random_writes() {
  std::vector<Write> writes;
  auto count = *rc::gen::inRange(0, 25);
  for (int i = 0; i < count; ++i)
    writes.push_back({*rc::gen::inRange(0, 7), *rc::gen::inRange(0, 30), *rc::gen::inRange(0, 30)});
  return writes;
}

Rows scan(const LayeredReader& reader, const KeyRange& range, bool forward) {
  Rows rows;
  std::vector<std::string> order;
  auto visit = [&](std::string_view key, std::string_view value) {
    rows.emplace(key, value);
    order.emplace_back(key);
    return true;
  };
  if (forward) {
    reader.scan_forward(range, visit);
  } else {
    reader.scan_backward(range, visit);
    std::ranges::reverse(order);
  }
  RC_ASSERT(std::ranges::is_sorted(order));
  RC_ASSERT(order.size() == rows.size());
  return rows;
}

}  // namespace

TEST_CASE("overlay: index, group and step together read like one map") {
  CHECK(rc::check([] {
    Model model;
    Overlay layers[3];
    for (auto& layer : layers)
      for (const auto& write : random_writes()) {
        write.apply(model);
        write.apply(layer);
      }
    MemoryIndex index(std::make_shared<MemoryIndexDisk>());
    RC_ASSERT(index.apply(layers[0], {1, 1, 1}).has_value());
    auto view = index.view();
    LayeredReader reader(&layers[2], &layers[1], *view, Reach::Memory);
    for (int i = 0; i < 30; ++i) {
      auto expected = model.rows.find(key_of(i));
      auto value = reader.get(key_of(i));
      RC_ASSERT(value.has_value() == (expected != model.rows.end()));
      if (value) RC_ASSERT(*value == expected->second);
    }
    auto from = *rc::gen::inRange(0, 30);
    KeyRange range{key_of(from), key_of(*rc::gen::inRange(from, 31))};
    Rows expected(model.rows.lower_bound(range.begin), model.rows.lower_bound(range.end));
    RC_ASSERT(scan(reader, range, true) == expected);
    RC_ASSERT(scan(reader, range, false) == expected);

    // Merged into one, written and read back, they still say the same.
    Overlay merged = layers[1];
    merged.merge(layers[2]);
    auto bytes = encode_operations(merged);
    RC_ASSERT(bytes.size() <= merged.encoded_bound() + 10);
    auto decoded = decode_operations(bytes);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == merged);
    RC_ASSERT(decoded->encoded_bound() == merged.encoded_bound());
    LayeredReader again(nullptr, &*decoded, *view, Reach::Memory);
    RC_ASSERT(scan(again, range, true) == expected);
    RC_ASSERT(scan(again, range, false) == expected);
  }));
}

TEST_CASE("overlay: a scan may write behind and before itself") {
  MemoryIndex index(std::make_shared<MemoryIndexDisk>());
  Overlay rows;
  for (int i = 0; i < 20; ++i) rows.put(key_of(i), "v");
  REQUIRE(index.apply(rows, {1, 1, 1}));
  auto view = index.view();
  for (bool forward : {true, false}) {
    Overlay step;
    LayeredReader reader(&step, nullptr, *view, Reach::Memory);
    int seen = 0;
    auto visit = [&](std::string_view key, std::string_view value) {
      CHECK(value == "v");
      step.put(key, "w");
      CHECK(value == "v");
      step.erase_range({std::string(key), std::string(key) + '\0'});
      ++seen;
      return true;
    };
    KeyRange all{key_of(0), key_of(20)};
    forward ? reader.scan_forward(all, visit) : reader.scan_backward(all, visit);
    CHECK(seen == 20);
    CHECK_FALSE(reader.get(key_of(3)));
  }
}
