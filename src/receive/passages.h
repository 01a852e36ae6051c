// Finding out from a message's own header that it was here before, and for whom (RFC 9228).
#pragma once

#include <compare>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"
#include "story/story.h"

namespace hikyaku::receive {

/// The message has gone through here for this address.
struct Passage {
  std::string address;  ///< as auth::normalize_address gives it
  story::MessageId id;  ///< under which it did; the story of it says whether that is true
  auto operator<=>(const Passage&) const = default;
};

/// As deep as aliases are followed: who comes back more often by one way goes in circles, and that
/// shows in the newest passages. The others cost a look at a story each, and anybody may claim any
/// number of them.
inline constexpr std::size_t kMostPassages = 10;

/// What the Delivered-To fields say that stand above a Received field of `host_name`, as those that
/// we write do: in front of what we deliver, and of what we send on for an alias. A sender can
/// write such fields, too. Each once, the newest kMostPassages.
std::vector<Passage> find_passages(std::string_view header, std::string_view host_name);

/// The addresses for which the message was here indeed: the story of that time knows of them. Reads
/// one row for each message that is named.
std::set<std::string> proven(store::Reader& reader, const std::vector<Passage>& passages);

}  // namespace hikyaku::receive
