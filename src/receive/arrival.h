// What is said of a message that arrives: in its story, to those who ask for reports, and in the
// fields above it. Private to receive/.
#pragma once

#include <string>
#include <vector>

#include "receive/delivery.h"
#include "receive/message_bytes.h"
#include "reports/evaluation.h"
#include "story/story.h"

namespace hikyaku::receive {

/// How a message came, as far as the connection tells it.
story::Arrival arrival_of(const Peer& peer);
/// All that is known of a message whose bytes have come.
story::Arrival arrival_of(const Delivery& delivery, const MessageBytes& bytes,
                          const Settings& settings);

/// What the domains that ask for reports will be told. Nothing of reports, or two servers would
/// report each other's every day for ever: what comes to our address for them alone, or to that and
/// others from whom it says it is (DMARC passes).
Task<std::vector<reports::Evaluation>> evaluations_of(const Settings& settings, store::Store& store,
                                                      const Delivery& delivery);

/// Our Received field (RFC 5321 §4.4).
std::string received_field(const Delivery& delivery, const Settings& settings);
/// What was found out about the sender, for whoever reads the message here (RFC 8601); may be
/// empty.
std::string results_field(const Delivery& delivery, const Settings& settings);

}  // namespace hikyaku::receive
