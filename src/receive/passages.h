// Finding out from a message's own header that it was here before, and for whom (RFC 9228).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "story/story.h"

namespace hikyaku::receive {

/// The message has gone through here for this address.
struct Passage {
  std::string address;  ///< as auth::normalize_address gives it
  story::MessageId id;  ///< under which it did; the story of it says whether that is true
};

/// What the Delivered-To fields say that stand above a Received field of `host_name`, as those that
/// we write do: in front of what we deliver, and of what we send on for an alias. A sender can
/// write such fields, too. At most one for each Received field.
std::vector<Passage> find_passages(std::string_view header, std::string_view host_name);

}  // namespace hikyaku::receive
