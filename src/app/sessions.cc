#include "app/sessions.h"

#include <future>

namespace hikyaku::app {

Sessions::Sessions(net::Cores& cores) : cores_(cores) {
  for (std::size_t i = 0; i < cores.size(); ++i) loops_.push_back(std::make_unique<Loop>());
}

void Sessions::spawn(std::unique_ptr<net::Stream> stream, Serve serve) {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if (&cores_[i] != Executor::current()) continue;
    loops_[i]->gate.spawn(run(*loops_[i], std::move(stream), std::move(serve)));
    return;
  }
}

Task<void> Sessions::run(Loop& loop, std::unique_ptr<net::Stream> stream, Serve serve) {
  auto place = loop.streams.insert(stream.get()).first;
  co_await serve(std::move(stream));
  loop.streams.erase(place);
}

void Sessions::end_all(milliseconds grace) {
  std::vector<std::future<void>> ended;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    auto done = std::make_shared<std::promise<void>>();
    ended.push_back(done->get_future());
    cores_[i].post([loop = loops_[i].get(), grace, done] {
      for (auto stream : loop->streams) stream->shut_down(grace);
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
