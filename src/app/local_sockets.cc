#include "app/local_sockets.h"

#include <chrono>
#include <future>
#include <unistd.h>
#include <utility>

#include "app/submit.h"
#include "base/async.h"

namespace hikyaku::app {
namespace {

constexpr milliseconds kLookAgain{50};
/// A start that is over sooner needs no words.
constexpr milliseconds kSayStarting{1000};

void stop_listener(net::Listener& listener) {
  std::promise<void> stopped;
  listener.stop([&] { stopped.set_value(); });
  stopped.get_future().wait();
}

}  // namespace

Result<LocalSockets::Bound> LocalSockets::bind(const Instance& instance) {
  Bound bound;
  TRY(bound.control, net::Listener::bind_unix(instance.control_socket.string()));
  TRY(bound.submit, net::Listener::bind_unix(instance.submit_socket.string(), 0666));
  return bound;
}

LocalSockets::LocalSockets(Bound bound, net::Cores& cores, Sessions& sessions, Services services,
                           Log log)
    : bound_(std::move(bound)),
      cores_(cores),
      sessions_(sessions),
      services_(std::move(services)),
      log_(std::move(log)) {}

void LocalSockets::start() {
  accepting_ = true;
  bound_.control->start(cores_, [this](auto stream) { begin_control(std::move(stream)); });
  bound_.submit->start(cores_, [this](auto stream) { begin_submit(std::move(stream)); });
}

bool LocalSockets::stop() {
  if (!std::exchange(accepting_, false)) return false;
  stop_listener(*bound_.control);
  stop_listener(*bound_.submit);
  auto starting = State::Starting;
  state_.compare_exchange_strong(starting, State::Failed);
  return true;
}

void LocalSockets::begin_control(std::unique_ptr<net::Stream> stream) {
  auto local = places_.take(*stream);
  if (!local) return;
  sessions_.spawn(kControlProtocol, std::move(stream), [this, local](auto connection, Activity&) {
    return serve_commands(std::move(connection), *local);
  });
}

Task<void> LocalSockets::serve_commands(std::unique_ptr<net::Stream> stream, LocalPlace local) {
  if (!co_await places_.make_room(local)) co_return;
  try {
    auto next =
        co_await serve_control(*stream, services_.commands, ::getuid(), turn_of(*stream, local));
    if (next) co_await next(std::move(stream));
  } catch (const net::Disconnected&) {
    // Whoever asked has gone.
  }
}

void LocalSockets::begin_submit(std::unique_ptr<net::Stream> stream) {
  auto local = places_.take(*stream);
  if (!local) return;
  sessions_.spawn("local", std::move(stream), [this, local](auto connection, Activity& activity) {
    return serve_programs(std::move(connection), activity, *local);
  });
}

/// mail.submit, or SMTP by hand of sendmail -bs.
Task<void> LocalSockets::serve_programs(std::unique_ptr<net::Stream> stream, Activity& activity,
                                        LocalPlace local) {
  if (!co_await places_.make_room(local)) co_return;
  auto smtp = [this, &activity](std::unique_ptr<net::Stream> connection) {
    return services_.smtp(std::move(connection), activity);
  };
  auto turn = turn_of(*stream, local);
  try {
    co_await serve_submit(std::move(stream), services_.commands, smtp,
                          log_.with({{"cid", activity.id}}), std::move(turn));
  } catch (const net::Disconnected&) {
    // Whoever asked has gone.
  }
}

Turn LocalSockets::turn_of(const net::Stream& stream, LocalPlace& local) {
  return [this, &stream, &local](Speaker& speaker) -> Task<Result<void>> {
    CO_TRY_DO(co_await wait_for_start(stream, speaker));
    co_return co_await places_.wait_for_turn(stream, local);
  };
}

Task<Result<void>> LocalSockets::wait_for_start(const net::Stream& stream, Speaker& speaker) {
  auto since = std::chrono::steady_clock::now();
  for (bool told = false; state_ == State::Starting;) {
    if (stream.out_of_grace() || stream.peer_side() == net::PeerSide::Gone)
      co_return fail(ErrorCode::Unavailable, "whoever asked has gone");
    if (!told && std::chrono::steady_clock::now() - since >= kSayStarting) {
      told = true;
      co_await speaker.write(encode_control_line(ControlWorking{.starting = true}) + '\n');
    }
    co_await sleep_for(kLookAgain);
  }
  if (state_ == State::Failed)
    co_return fail(ErrorCode::Unavailable,
                   "the server could not be started: its log says why. Nothing was done.");
  co_return Result<void>();
}

}  // namespace hikyaku::app
