#include "receive/passages.h"

#include <algorithm>
#include <map>
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

/// Whether `text` is the address `normal`. What is ASCII and not quoted needs no parsing for that.
bool is_it(std::string_view text, const std::string& normal) {
  if (iequals(text, normal)) return true;
  if (is_ascii(text) && !text.contains('"')) return false;
  auto other = auth::normalize_address(text);
  return other && *other == normal;
}

bool has_passed(const std::vector<story::RecipientOutcome>& recipients,
                const std::string& address) {
  return std::ranges::any_of(recipients, [&](auto& recipient) {
    using Kind = story::RecipientOutcome::Kind;
    return recipient.kind != Kind::Refused && recipient.kind != Kind::Lost &&
           (is_it(recipient.address, address) || is_it(recipient.taker, address));
  });
}

}  // namespace

std::vector<Passage> find_passages(std::string_view header, std::string_view host_name) {
  std::vector<Passage> passages;
  std::string address;  // of the nearest Delivered-To field above
  for (auto& field : mime::HeaderView(header)) {
    if (passages.size() == kMostPassages) break;
    if (field.is("Delivered-To")) {
      address = mime::unfold(field.value);
    } else if (field.is("Received")) {
      auto number = address.empty() ? std::nullopt : our_number(field.value, host_name);
      auto normal =
          number ? auth::normalize_address(address) : fail(ErrorCode::NotFound, "somebody else's");
      if (normal) {
        Passage passage{std::move(*normal), *number};
        if (std::ranges::find(passages, passage) == passages.end())
          passages.push_back(std::move(passage));
      }
      address.clear();
    }
  }
  return passages;
}

std::set<std::string> proven(store::Reader& reader, const std::vector<Passage>& passages) {
  std::map<story::MessageId, std::vector<story::RecipientOutcome>> stories;
  std::set<std::string> addresses;
  for (auto& [address, id] : passages) {
    auto [found, is_new] = stories.try_emplace(id);
    if (is_new) found->second = story::find_recipients(reader, id);
    if (has_passed(found->second, address)) addresses.insert(address);
  }
  return addresses;
}

}  // namespace hikyaku::receive
