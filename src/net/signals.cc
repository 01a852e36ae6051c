#include "net/signals.h"

#include <boost/asio/signal_set.hpp>

#include "net/core_internal.h"
#include "net/cores.h"

namespace hikyaku::net {

struct Signals::Waiting : std::enable_shared_from_this<Waiting> {
  Waiting(asio::io_context& io, Handler on_signal) : set(io), handler(std::move(on_signal)) {}

  void wait() {
    set.async_wait([self = shared_from_this()](const boost::system::error_code& error, int number) {
      if (error || !self->handler) return;
      self->handler(number);
      self->wait();
    });
  }

  asio::signal_set set;
  Handler handler;
};

Signals::Signals(Cores& cores, std::initializer_list<int> signal_numbers, Handler handler)
    : waiting_(std::make_shared<Waiting>(cores.core(0).io(), std::move(handler))) {
  for (int number : signal_numbers) waiting_->set.add(number);
  waiting_->wait();
}

Signals::~Signals() {
  waiting_->handler = nullptr;
  boost::system::error_code ignored;
  waiting_->set.clear(ignored);
  waiting_->set.cancel(ignored);
}

}  // namespace hikyaku::net
