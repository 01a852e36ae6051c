#include "dsn/status.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "dsn/fields.h"

namespace hikyaku::dsn {
namespace {

/// "5.1.1 (no such user)": the first word that is a status.
std::optional<smtp::EnhancedStatus> find_status(std::string_view text) {
  constexpr std::string_view kSeparators = " \t()<>;,:#";
  while (!text.empty()) {
    auto begin = text.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) return std::nullopt;
    text.remove_prefix(begin);
    auto word = text.substr(0, text.find_first_of(kSeparators));
    if (auto status = smtp::EnhancedStatus::parse(word)) return status;
    text.remove_prefix(word.size());
  }
  return std::nullopt;
}

/// Comments behind a word: "failed (bad address)".
std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find_first_of(" \t(;"));
}

/// A group that continues the recipient before it: an empty line fell into the middle of a group.
bool is_continuation(const std::vector<Field>& group) {
  constexpr std::string_view kStarts[] = {"Final-Recipient", "Original-Recipient",
                                          "X-Actual-Recipient", "Action"};
  return std::ranges::none_of(group, [&](const Field& field) {
    return std::ranges::any_of(kStarts,
                               [&](std::string_view name) { return iequals(field.name, name); });
  });
}

void set(std::string& text, const std::string& value) {
  if (text.empty()) text = value;
}

void set(Typed& typed, const std::string& value) {
  if (typed.value.empty()) typed = parse_typed(value);
}

void take_message_field(DeliveryStatus& status, const Field& field) {
  if (iequals(field.name, "Original-Envelope-Id")) set(status.envelope_id, field.value);
  if (iequals(field.name, "Reporting-MTA"))
    set(status.reporting_mta, parse_typed(field.value).value);
  if (iequals(field.name, "Arrival-Date")) set(status.arrival, field.value);
}

void take_recipient_field(RecipientStatus& recipient, const Field& field) {
  const auto& [name, value] = field;
  if (iequals(name, "Original-Recipient")) set(recipient.original, value);
  if (iequals(name, "Final-Recipient")) set(recipient.final, value);
  if (iequals(name, "Action") && !recipient.action)
    recipient.action = parse_action(first_word(value));
  if (iequals(name, "Status") && !recipient.status) recipient.status = find_status(value);
  if (iequals(name, "Remote-MTA")) set(recipient.remote_mta, parse_typed(value).value);
  if (iequals(name, "Diagnostic-Code")) set(recipient.diagnostic, value);
  if (iequals(name, "Last-Attempt-Date")) set(recipient.last_attempt, value);
  if (iequals(name, "Will-Retry-Until")) set(recipient.will_retry_until, value);
}

/// What can be told from the other fields when one is missing.
void complete(RecipientStatus& recipient, const Typed& actual) {
  if (recipient.final.value.empty()) recipient.final = actual;
  if (recipient.final.value.empty()) recipient.final = recipient.original;
  if (!recipient.status) recipient.status = find_status(recipient.diagnostic.value);
}

RecipientStatus parse_recipient(const std::vector<Field>& group) {
  RecipientStatus recipient;
  Typed actual;
  for (const auto& field : group) {
    take_recipient_field(recipient, field);
    if (iequals(field.name, "X-Actual-Recipient")) set(actual, field.value);
  }
  complete(recipient, actual);
  return recipient;
}

}  // namespace

Typed parse_typed(std::string_view text) {
  text = trim_space(text);
  Typed typed;
  auto semicolon = text.find(';');
  auto type = trim_space(text.substr(0, semicolon));
  bool is_type = semicolon != std::string_view::npos &&
                 std::ranges::all_of(type, [](char c) { return is_ascii_alnum(c) || c == '-'; });
  if (is_type) {
    typed.type = to_lower(type);
    text = trim_space(text.substr(semicolon + 1));
  }
  bool address = typed.type == "rfc822" || typed.type == "utf-8";
  if (address && text.size() > 2 && text.front() == '<' && text.back() == '>')
    text = text.substr(1, text.size() - 2);
  typed.value = text;
  if (typed.type == "utf-8")
    if (auto decoded = smtp::parse_orcpt("utf-8;" + typed.value)) typed.value = decoded->address;
  return typed;
}

DeliveryStatus parse_delivery_status(std::string_view body, std::size_t most) {
  DeliveryStatus status;
  std::vector<std::vector<Field>> recipients;
  for (auto& group : parse_groups(body, most * 2 + 1)) {
    for (const auto& field : group) take_message_field(status, field);
    if (!is_continuation(group))
      recipients.push_back(std::move(group));
    else if (!recipients.empty())
      std::ranges::move(group, std::back_inserter(recipients.back()));
    if (recipients.size() > most) recipients.pop_back();
  }
  for (const auto& group : recipients) status.recipients.push_back(parse_recipient(group));
  return status;
}

}  // namespace hikyaku::dsn
