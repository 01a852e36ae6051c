#include "app/sessions.h"

#include <algorithm>
#include <future>

#include "base/completion.h"

namespace hikyaku::app {

Sessions::Sessions(net::Cores& cores, const Log& log) : cores_(cores) {
  for (std::size_t i = 0; i < cores.size(); ++i) loops_.push_back(std::make_unique<Loop>(log));
}

void Sessions::spawn(std::string_view protocol, std::unique_ptr<net::Stream> stream, Serve serve) {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if (&cores_[i] != Executor::current()) continue;
    loops_[i]->gate.spawn(run(*loops_[i], protocol, std::move(stream), std::move(serve)));
    return;
  }
}

Task<void> Sessions::run(Loop& loop, std::string_view protocol, std::unique_ptr<net::Stream> stream,
                         Serve serve) {
  Activity activity;
  activity.protocol = protocol;
  activity.id = ++last_id_;
  activity.memory_of_all = &memory_;
  memory_.begin_session();
  activity.hold(net::Stream::kPlainMemory);
  auto place =
      loop.sessions
          .emplace(activity.id, Entry{stream.get(), &activity, std::chrono::steady_clock::now()})
          .first;
  auto peer = stream->peer();
  co_await loop.rounds.run(serve(std::move(stream), activity));
  loop.sessions.erase(place);
  note_end(loop, activity, peer);
  activity.hold(0);
  memory_.end_session();
}

void Sessions::note_end(Loop& loop, const Activity& activity, const Endpoint& peer) {
  if (activity.protocol == kControlProtocol) return;
  auto now = std::chrono::steady_clock::now();
  auto bytes = activity.bytes_in + activity.bytes_out;
  loop.ended_accounts.add(activity.user, activity.commands, bytes, now);
  if (peer.port != 0)
    loop.ended_addresses.add(peer.address.to_string(), activity.commands, bytes, now);
}

SessionFacts Sessions::facts_of(std::uint64_t id, const Entry& entry, Moment now) {
  auto since = [&](Moment then) { return std::chrono::floor<seconds>(now - then); };
  SessionFacts facts;
  facts.id = id;
  facts.activity = *entry.activity;
  facts.peer = entry.stream->peer();
  if (auto process = entry.stream->peer_process()) facts.uid = process->uid;
  if (auto tls = entry.stream->tls()) facts.tls = tls->version;
  facts.bytes_in = entry.stream->bytes_in();
  facts.bytes_out = entry.stream->bytes_out();
  facts.age = since(entry.since);
  facts.idle = since(std::max(entry.since, entry.activity->since_command));
  return facts;
}

Activity* Sessions::activity_of(const net::Stream& stream) const {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if (&cores_[i] != Executor::current()) continue;
    for (auto& [id, entry] : loops_[i]->sessions)
      if (entry.stream == &stream) return entry.activity;
  }
  return nullptr;
}

Task<std::vector<SessionFacts>> Sessions::list() {
  auto all = co_await gather([](const Activity&) { return true; });
  std::ranges::sort(all, {}, &SessionFacts::id);
  co_return all;
}

Task<Sessions::Ended> Sessions::ended() {
  Ended all;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    Completion<Ended> here;
    cores_[i].post([loop = loops_[i].get(), give = here.giver()]() mutable {
      Ended found;
      auto now = std::chrono::steady_clock::now();
      loop->ended_accounts.add_to(found.accounts, now);
      loop->ended_addresses.add_to(found.addresses, now);
      give(std::move(found));
    });
    auto found = co_await here;
    for (auto& [name, sum] : found.accounts) all.accounts[name] += sum;
    for (auto& [name, sum] : found.addresses) all.addresses[name] += sum;
  }
  co_return all;
}

/// In no order.
Task<std::vector<SessionFacts>> Sessions::gather(Wanted wanted) {
  std::vector<SessionFacts> all;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    Completion<std::vector<SessionFacts>> here;
    cores_[i].post([loop = loops_[i].get(), wanted, give = here.giver()]() mutable {
      std::vector<SessionFacts> found;
      auto now = std::chrono::steady_clock::now();
      for (auto& [id, entry] : loop->sessions)
        if (wanted(*entry.activity)) found.push_back(facts_of(id, entry, now));
      give(std::move(found));
    });
    auto found = co_await here;
    std::ranges::move(found, std::back_inserter(all));
  }
  co_return all;
}

Task<std::size_t> Sessions::end(Choose choose, Activity::End why) {
  std::size_t ended = 0;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    Completion<std::size_t> here;
    cores_[i].post([loop = loops_[i].get(), choose, why, give = here.giver()]() mutable {
      std::size_t count = 0;
      auto now = std::chrono::steady_clock::now();
      for (auto& [id, entry] : loop->sessions) {
        if (entry.activity->end != Activity::End::Not || !choose(facts_of(id, entry, now)))
          continue;
        entry.activity->end = why;
        entry.stream->shut_down();
        ++count;
      }
      give(count);
    });
    ended += co_await here;
  }
  co_return ended;
}

void Sessions::make_room() {
  if (!memory_.crowded()) return pace_.relax();
  if (!pace_.begin(std::chrono::steady_clock::now())) return;
  for (std::size_t i = 0; i < loops_.size(); ++i)
    if (&cores_[i] == Executor::current()) loops_[i]->gate.spawn(end_strangers());
}

Task<void> Sessions::end_strangers() {
  auto total = memory_.total();
  auto wanted = total / 8 * 5;
  auto held = memory_.held();
  if (held <= wanted) co_return;
  // Those that are told to go count, too.
  auto found = co_await gather([](const Activity& activity) {
    return is_stranger(activity) || activity.end != Activity::End::Not;
  });
  bool some_go =
      std::ranges::any_of(found, [](auto& one) { return one.activity.end != Activity::End::Not; });
  auto chosen = choose_to_give_way(
      found, {.bytes = held - wanted, .fair = total / 16, .urgent = memory_.full()});
  if (chosen.empty() && !some_go) pace_.found_nobody(std::chrono::steady_clock::now());
  if (chosen.empty()) co_return;
  // Between the two looks some may have logged in.
  co_await end(
      [chosen](const SessionFacts& facts) {
        return is_stranger(facts.activity) && std::ranges::binary_search(chosen, facts.id);
      },
      Activity::End::Crowded);
}

void Sessions::end_all(milliseconds grace) {
  std::vector<std::future<void>> ended;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    auto done = std::make_shared<std::promise<void>>();
    ended.push_back(done->get_future());
    cores_[i].post([loop = loops_[i].get(), grace, done] {
      for (auto& [id, entry] : loop->sessions) entry.stream->shut_down(grace);
      loop->gate.close([done] { done->set_value(); });
    });
  }
  for (auto& one : ended) one.wait();
}

std::size_t Sessions::count() const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < loops_.size(); ++i) total += cores_.connections(i);
  return total;
}

}  // namespace hikyaku::app
