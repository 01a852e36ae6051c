#include "app/lab_server.h"

#include <future>

namespace hikyaku::app::lab {
namespace {

constexpr milliseconds kWire = std::chrono::seconds(10);

}  // namespace

Result<void> LabServer::open(const Endpoint& at, Serve serve) {
  TRY(listener_, net::Listener::bind(at));
  listener_->start(world_.cores(),
                   [this, serve = std::move(serve)](std::unique_ptr<net::Stream> stream) {
                     Shared shared = std::move(stream);
                     keep(shared);
                     spawn(serve(std::move(shared)));
                   });
  return {};
}

LabServer::~LabServer() {
  if (!listener_) return;
  std::promise<void> stopped, ended;
  listener_->stop([&] { stopped.set_value(); });
  stopped.get_future().wait();
  world_.cores().call(0, [&] {
    for (auto& weak : streams_)
      if (auto stream = weak.lock()) stream->shut_down(milliseconds(0));
    gate_.close([&] { ended.set_value(); });
  });
  ended.get_future().wait();
}

void LabServer::keep(const Shared& stream) {
  streams_.push_back(stream);
  stream->set_timeout(kWire);
}

}  // namespace hikyaku::app::lab
