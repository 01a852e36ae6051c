#include "receive/passages.h"

#include <algorithm>
#include <optional>

#include "auth/directory.h"
#include "base/text.h"
#include "mime/header.h"

namespace hikyaku::receive {
namespace {

/// The words of a structured field up to the first ";", without comments (RFC 5322 §3.2.2).
std::vector<std::string> words_of(std::string_view value) {
  std::vector<std::string> words;
  auto in_word = false;
  auto depth = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto c = value[i];
    if (depth == 0 && c == ';') break;
    if (c == '(') ++depth;
    auto outside = depth == 0 && !is_ascii_space(c);
    if (c == ')' && depth > 0) --depth;
    if (c == '\\' && depth > 0) ++i;
    if (outside && !in_word) words.emplace_back();
    if (outside) words.back() += c;
    in_word = outside;
  }
  return words;
}

/// The number in a Received field of ours (smtp/received.h); nullopt: it is not ours.
std::optional<story::MessageId> our_number(std::string_view value, std::string_view host_name) {
  auto words = words_of(mime::unfold(value));
  std::size_t by = !words.empty() && iequals(words[0], "from") ? 2 : 0;
  if (words.size() < by + 2 || !iequals(words[by], "by") || !iequals(words[by + 1], host_name))
    return std::nullopt;
  auto id = std::find(words.begin() + static_cast<std::ptrdiff_t>(by) + 2, words.end(), "id");
  if (id == words.end() || ++id == words.end()) return std::nullopt;
  return story::parse_message_id(*id);
}

}  // namespace

std::vector<Passage> find_passages(std::string_view header, std::string_view host_name) {
  std::vector<Passage> passages;
  std::string address;  // of the nearest Delivered-To field above
  for (auto& field : mime::HeaderView(header)) {
    if (field.is("Delivered-To")) {
      address = mime::unfold(field.value);
    } else if (field.is("Received")) {
      auto number = address.empty() ? std::nullopt : our_number(field.value, host_name);
      auto normal =
          number ? auth::normalize_address(address) : fail(ErrorCode::NotFound, "somebody else's");
      if (normal) passages.push_back({std::move(*normal), *number});
      address.clear();
    }
  }
  return passages;
}

}  // namespace hikyaku::receive
