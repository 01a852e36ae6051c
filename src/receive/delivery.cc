#include "receive/delivery.h"

#include "receive/sender_findings.h"

namespace hikyaku::receive {

std::string_view Delivery::doubt_about_sender() const {
  return found ? receive::doubt_about_sender(*found) : std::string_view();
}

Delivery number(Delivery delivery, const Surroundings& surroundings) {
  auto& services = surroundings.services;
  delivery.began = services.clock.now();
  delivery.id = story::make_message_id(delivery.began, services.random.below(1u << 22));
  delivery.log =
      delivery.peer.log.value_or(surroundings.log).with({{"mid", story::to_text(delivery.id)}});
  return delivery;
}

}  // namespace hikyaku::receive
