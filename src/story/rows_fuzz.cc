// Stored rows of a story, each of any bytes: it is told all the same, and as JSON.
#include <cstdlib>

#include "store/memory_transaction.h"
#include "story/story.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::story;
  constexpr MessageId kId = 1;
  static const auto filled = [] {
    store::MemoryTransaction memory;
    Arrival arrival;
    arrival.mail_from = "a@a.test";
    arrival.message_id = "<1@a.test>";
    record_arrival(memory, kId, arrival, {RecipientOutcome{}});
    record_attempt(memory, kId, Attempt{}, Time{});
    record_note(memory, kId, "released", Time{});
    return memory;
  }();
  auto memory = filled;
  for (auto& [key, value] : filled.keys())
    memory.put(key, {reinterpret_cast<const char*>(data), size});
  auto story = find_story(memory, kId);
  if (!story || story->events.size() != 2) std::abort();
  for (auto language : {Language::English, Language::Japanese})
    if (tell(*story, language).empty()) std::abort();
  if (to_json(*story).empty()) std::abort();
  (void)find_by_address(memory, "a@a.test", Time{}, 10);
  (void)find_by_message_id(memory, "<1@a.test>", Time{}, 10);
  return 0;
}
