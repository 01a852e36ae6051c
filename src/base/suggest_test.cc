#include "base/suggest.h"

#include <doctest/doctest.h>
#include <string>

using namespace hikyaku;

TEST_CASE("edit distance") {
  struct Case {
    std::string_view a, b;
    int distance;
  };
  const Case cases[] = {
      {"serve", "serve", 0}, {"sevre", "serve", 1},  // neighbours swapped
      {"serv", "serve", 1},  {"serves", "serve", 1}, {"SERVE", "serve", 0},
      {"", "abc", 3},        {"abc", "", 3},         {"kitten", "sitting", 3},
  };
  for (auto& c : cases) {
    CAPTURE(c.a);
    CHECK(edit_distance(c.a, c.b, 5) == c.distance);
  }
  CHECK(edit_distance("abcdef", "ghijkl", 2) == 3);  // no further than asked
  CHECK(edit_distance(std::string(65, 'a'), std::string(65, 'a'), 2) == 3);
}

TEST_CASE("did you mean") {
  const std::string_view verbs[] = {"serve", "quickstart", "queue", "quota", "version"};
  CHECK(closest("sevre", verbs) == "serve");
  CHECK(closest("quickstrat", verbs) == "quickstart");
  CHECK(closest("vers", verbs) == "version");  // the one that begins so
  CHECK(closest("qu", verbs) == "");           // three begin so
  CHECK(closest("banana", verbs) == "");
  CHECK(closest("", verbs) == "");
}
