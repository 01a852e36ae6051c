#include "app/queue_selection.h"

#include "base/text.h"
#include "smtp/path.h"
#include "story/story.h"

namespace hikyaku::app {
namespace {

/// An address as it is compared; what is none stays, in lower case.
std::string comparable(std::string_view address) {
  auto mailbox = smtp::parse_mailbox(address, {.characters = smtp::Characters::Utf8, .limits = {}});
  return mailbox ? mailbox->canonical() : to_lower(address);
}

}  // namespace

Result<QueueSelection> QueueSelection::parse(std::string_view text) {
  QueueSelection selection;
  if (text == "all") return selection;
  if (text.starts_with('@')) {
    auto domain = smtp::parse_domain(text.substr(1), smtp::Characters::Utf8);
    selection.domain_ = '@' + (domain ? *domain : to_lower(text.substr(1)));
    return selection;
  }
  if (text.contains('@')) {
    selection.address_ = comparable(text);
    return selection;
  }
  auto dot = text.find('.');
  selection.message_ = story::parse_message_id(text.substr(0, dot));
  if (dot != std::string_view::npos) {
    auto number = parse_decimal(text.substr(dot + 1), UINT32_MAX);
    if (!number) selection.message_.reset();
    selection.number_ = static_cast<std::uint32_t>(number.value_or(0));
  }
  if (!selection.message_)
    return fail(ErrorCode::Invalid,
                "{} is neither an id of the queue, nor an address, nor \"@DOMAIN\", nor \"all\"",
                text);
  return selection;
}

bool QueueSelection::matches(const queue::Entry& entry) const {
  if (message_ && entry.message != *message_) return false;
  if (number_ && entry.number != *number_) return false;
  // Nobody means ann@example.org.uk by ann@example.org, nor what he did not type at all.
  if (!address_.empty()) return comparable(entry.recipient) == address_;
  return comparable(entry.recipient).ends_with(domain_);
}

}  // namespace hikyaku::app
