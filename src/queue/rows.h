// The rows of the queue: their keys, and values as bytes (tables.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "queue/queue.h"
#include "store/key.h"

namespace hikyaku::queue {

/// Milliseconds since 1970, as keys and values have times; what was before is 0.
std::uint64_t millis(Time time);
Time time_from(std::uint64_t ms);

store::Key message_key(MessageId id);
store::Key entry_key(MessageId id, std::uint32_t number);
store::Key attempting_key(MessageId id, std::uint32_t number);
store::Key due_key(const Entry& entry);
store::Key low_water_key();
store::Key totals_key();

std::string encode(const Message& message);
/// `id`: of the key.
Message decode_message(MessageId id, std::string_view value);
std::string encode(const Entry& entry);
/// `id`, `number`: of the key.
Entry decode_entry(MessageId id, std::uint32_t number, std::string_view value);

/// An empty queue has no row of them.
void put_totals(store::Transaction& tx, const Totals& totals);

}  // namespace hikyaku::queue
