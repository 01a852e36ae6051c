#include "store/group.h"

#include <algorithm>
#include <stdexcept>

namespace hikyaku::store {
namespace {

void check_key(std::string_view key) {
  if (key.size() < 5 || key.size() > kMaxKey)
    throw std::length_error("a key has its account, its table, and at most 4096 bytes");
}

std::uint64_t millis(Time time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

/// What a body's row and its place in the group's list take at most.
constexpr std::uint64_t kBodyRow = 96;
/// And the row of a segment's use.
constexpr std::uint64_t kUseRow = 64;

}  // namespace

const NewBody* Writes::find(BlobId id) const {
  if (bodies.empty() || id < bodies.front().id || id > bodies.back().id) return nullptr;
  return &bodies[static_cast<std::size_t>(id - bodies.front().id)];
}

const NewBody* Writes::find(const StagedBody* state) const {
  for (const auto& body : bodies)
    if (body.state.get() == state) return &body;
  return nullptr;
}

std::uint64_t Writes::body_bytes() const {
  std::uint64_t bytes = uses.size() * kUseRow;
  for (const auto& body : bodies)
    bytes += kBodyRow + (body.state->bulk_segment ? 0 : body.state->stored);
  return bytes;
}

void Writes::merge(Writes step) {
  rows.merge(step.rows);
  // From here on the body has its id for everybody who holds it.
  for (const auto& body : step.bodies) body.state->id = body.id;
  std::ranges::move(step.bodies, std::back_inserter(bodies));
  std::ranges::move(step.uses, std::back_inserter(uses));
  notifications.merge(step.notifications);
  next_blob = step.next_blob;
}

StepTransaction::StepTransaction(const Context& context)
    : context_(context),
      layers_(&writes_.rows, &context_.group.rows, context_.view, context_.reach) {
  writes_.next_blob = context_.group.next_blob;
}

std::optional<std::string> StepTransaction::get(std::string_view key) {
  return layers_.get(key);
}

void StepTransaction::scan(const KeyRange& range, Direction direction,
                           const LayeredReader::Visit& visit) {
  if (range.begin >= range.end) return;
  if (direction == Direction::Forward) {
    layers_.scan_forward(range, visit);
  } else {
    layers_.scan_backward(range, visit);
  }
}

const NewBody* StepTransaction::find_new(BlobId blob) const {
  if (auto* body = writes_.find(blob)) return body;
  return context_.group.find(blob);
}

std::optional<StepTransaction::Known> StepTransaction::find_body(BlobId blob) {
  if (auto* body = find_new(blob)) {
    const auto& state = *body->state;
    return Known{state.size, state.stored, state.bulk_segment};
  }
  auto row = get(place_key(blob));
  if (!row) return std::nullopt;
  auto place = decode_body_place(*row);
  if (!place) throw IndexError(place.error().text);
  return Known{place->size, place->stored, place->segment};
}

std::optional<std::uint64_t> StepTransaction::blob_size(BlobId blob) {
  auto body = find_body(blob);
  return body ? std::optional(body->size) : std::nullopt;
}

void StepTransaction::put(std::string_view key, std::string_view value) {
  check_key(key);
  writes_.rows.put(key, value);
  if (writes_.rows.encoded_bound() > kMaxTransaction)
    throw std::length_error("a transaction may write 64 MB");
}

void StepTransaction::erase(std::string_view key) {
  check_key(key);
  writes_.rows.erase(key);
}

void StepTransaction::erase_range(const KeyRange& range) {
  check_key(range.begin);
  writes_.rows.erase_range(range);
}

bool StepTransaction::has_put(std::string_view key) const {
  auto* entry = writes_.rows.find(key);
  return entry && *entry;
}

BlobId StepTransaction::own(const StagedBlob& blob, std::string_view owner) {
  auto state = staged_body(blob);
  if (!state) throw std::invalid_argument("own: no staged body");
  BlobId id = state->id;
  if (id == 0)
    if (auto* body = writes_.find(state.get())) id = body->id;
  if (id != 0) {
    own(id, owner);
    return id;
  }
  check_key(owner);
  id = writes_.next_blob++;
  writes_.bodies.push_back({id, state});
  writes_.uses.push_back({state->bulk_segment, static_cast<std::int64_t>(state->stored), 0, id});
  writes_.rows.put(owner_key(id, owner), "");
  return id;
}

void StepTransaction::own(BlobId blob, std::string_view owner) {
  check_key(owner);
  auto body = find_body(blob);
  if (!body) throw std::invalid_argument("own: no such body");
  writes_.rows.put(owner_key(blob, owner), "");
  // Back from among those whose time runs out?
  auto freed = get(freed_at_key(blob));
  if (!freed) return;
  Time when{milliseconds(static_cast<std::int64_t>(decode_number(*freed)))};
  writes_.rows.erase(freed_at_key(blob));
  writes_.rows.erase(freed_key(when, blob));
  auto stored = static_cast<std::int64_t>(body->stored);
  writes_.uses.push_back({body->segment, stored, -stored, 0});
}

void StepTransaction::disown(BlobId blob, std::string_view owner) {
  auto row = owner_key(blob, owner);
  if (!get(row)) return;
  writes_.rows.erase(row);
  bool owned = false;
  scan(owners_key(blob).children(), Direction::Forward,
       [&](std::string_view, std::string_view) { return !(owned = true); });
  if (owned) return;
  auto body = find_body(blob);
  if (!body) throw IndexError("a body has owners but no place");
  auto now = static_cast<std::uint64_t>(context_.now.time_since_epoch().count());
  writes_.rows.put(freed_at_key(blob), encode_number(now));
  writes_.rows.put(freed_key(context_.now, blob), "");
  auto stored = static_cast<std::int64_t>(body->stored);
  writes_.uses.push_back({body->segment, -stored, stored, 0});
}

bool StepTransaction::forget(BlobId blob, Time freed) {
  // Whatever else is so, its time is over.
  writes_.rows.erase(freed_key(freed, blob));
  auto since = get(freed_at_key(blob));
  auto when = static_cast<std::uint64_t>(freed.time_since_epoch().count());
  if (!since || decode_number(*since) != when) return false;
  auto body = find_body(blob);
  writes_.rows.erase(freed_at_key(blob));
  if (!body || find_new(blob)) return false;
  writes_.rows.erase(place_key(blob));
  writes_.uses.push_back({body->segment, 0, -static_cast<std::int64_t>(body->stored), 0});
  return true;
}

void StepTransaction::free_again(BlobId blob, Time freed, Time now) {
  writes_.rows.erase(freed_key(freed, blob));
  auto since = get(freed_at_key(blob));
  if (!since || decode_number(*since) != millis(freed)) return;
  writes_.rows.put(freed_at_key(blob), encode_number(millis(now)));
  writes_.rows.put(freed_key(now, blob), "");
}

void StepTransaction::relocate(BlobId blob, const BodyPlace& from, const BodyPlace& to) {
  auto row = get(place_key(blob));
  if (!row || *row != encode(from)) return;
  writes_.rows.put(place_key(blob), encode(to));
  bool retained = get(freed_at_key(blob)).has_value();
  auto was = static_cast<std::int64_t>(from.stored);
  auto is = static_cast<std::int64_t>(to.stored);
  writes_.uses.push_back({from.segment, retained ? 0 : -was, retained ? -was : 0, 0});
  writes_.uses.push_back({to.segment, retained ? 0 : is, retained ? is : 0, blob});
}

void StepTransaction::notify(AccountId account, std::uint32_t topic) {
  writes_.notifications.emplace(account, topic);
}

}  // namespace hikyaku::store
