#include "app/queue_selection.h"

#include <doctest/doctest.h>

#include "story/story.h"

namespace hikyaku::app {
namespace {

bool means(std::string_view text, std::string recipient, queue::MessageId message = 7,
           std::uint32_t number = 0) {
  queue::Entry entry;
  entry.message = message;
  entry.number = number;
  entry.recipient = std::move(recipient);
  auto selection = QueueSelection::parse(text);
  REQUIRE(selection);
  return selection->matches(entry);
}

TEST_CASE("an address means itself, and nobody whose address holds it") {
  CHECK(means("ann@example.org", "ann@example.org"));
  CHECK(means("Ann@Example.ORG", "aNN@example.org"));
  CHECK(means("ann@BÜCHER.example", "ann@xn--bcher-kva.example"));
  CHECK(means("ann@xn--bcher-kva.example", "ann@bücher.example"));
  CHECK(means("ann@[192.0.2.1]", "ann@[192.0.2.1]"));
  for (auto other : {"joann@example.org", "ann@example.org.uk", "ann@example.or", "nn@example.org",
                     "ann@mail.example.org"})
    CHECK_FALSE(means("ann@example.org", other));
}

TEST_CASE("@DOMAIN means all addresses of this domain, and of no other") {
  CHECK(means("@example.org", "ann@example.org"));
  CHECK(means("@EXAMPLE.org", "bob@Example.ORG"));
  CHECK(means("@bücher.example", "ann@xn--bcher-kva.example"));
  for (auto other : {"ann@example.org.uk", "ann@mail.example.org", "ann@anexample.org"})
    CHECK_FALSE(means("@example.org", other));
}

TEST_CASE("a message, one of its recipients, or all") {
  auto id = story::to_text(7);
  CHECK(means("all", "ann@example.org"));
  CHECK(means(id, "ann@example.org", 7, 3));
  CHECK_FALSE(means(id, "ann@example.org", 8, 3));
  CHECK(means(id + ".3", "ann@example.org", 7, 3));
  CHECK_FALSE(means(id + ".3", "ann@example.org", 7, 4));
  for (auto none : {"", "nonsense", "example.org"}) CHECK_FALSE(QueueSelection::parse(none));
}

}  // namespace
}  // namespace hikyaku::app
