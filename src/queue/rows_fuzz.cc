// Stored rows of the queue, any bytes: what is read is written the same again, and the queue's own
// functions go over them.
#include <cstdlib>

#include "queue/rows.h"
#include "store/memory_transaction.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::queue;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto message = encode(decode_message(1, bytes));
  if (encode(decode_message(1, message)) != message) std::abort();
  auto entry = encode(decode_entry(1, 0, bytes));
  if (encode(decode_entry(1, 0, entry)) != entry) std::abort();

  store::MemoryTransaction memory;
  Message queued;
  queued.id = 1;
  add(memory, queued, store::MemoryTransaction::stage(1), {Entry{}});
  for (auto& [key, value] : auto(memory.keys())) memory.put(key, bytes);
  (void)totals(memory);
  for (auto& listed : list(memory, 0, 10)) {
    (void)notify_of(listed);
    (void)original_recipient(listed);
  }
  Time now(milliseconds(1'800'000'000'000));
  (void)due(memory, now, 10);
  (void)expired_attempts(memory, now, {}, 10);
  (void)recover_interrupted(memory, now);
  (void)release(memory, 1, 0, now);
  return 0;
}
