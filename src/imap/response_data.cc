#include "imap/response_data.h"

#include <algorithm>

#include "base/text.h"
#include "imap/date.h"

namespace hikyaku::imap {
namespace {

template <class Number>
std::optional<Number> number_of(const Value& value) {
  auto number = value.number();
  if (!number || *number > std::numeric_limits<Number>::max()) return std::nullopt;
  return static_cast<Number>(*number);
}

Flags flags_of(const Value& list) {
  Flags flags;
  for (auto& item : list.items) {
    // Servers have flags of their own ("\Junk"): those we cannot set are left out.
    (void)add_flag(flags, item.text);
  }
  return flags;
}

const std::vector<Value>* fetch_items(const Response& response) {
  if (!response.is("FETCH") || response.values.empty() || !response.values.front().is_list())
    return nullptr;
  return &response.values.front().items;
}

}  // namespace

Result<FetchData> read_fetch(const Response& response) {
  auto* items = fetch_items(response);
  if (!items || !response.number)
    return fail(ErrorCode::Invalid, "a FETCH response without its number or list");
  FetchData data;
  data.number = *response.number;
  for (std::size_t i = 0; i + 1 < items->size(); i += 2) {
    auto& name = (*items)[i];
    auto& value = (*items)[i + 1];
    if (name.is_atom("UID"))
      data.uid = number_of<std::uint32_t>(value);
    else if (name.is_atom("RFC822.SIZE"))
      data.size = number_of<std::uint64_t>(value);
    else if (name.is_atom("MODSEQ") && value.items.size() == 1)
      data.modseq = number_of<std::uint64_t>(value.items.front());
    else if (name.is_atom("INTERNALDATE"))
      data.internal_date = parse_date_time(value.text);
    else if (name.is_atom("FLAGS"))
      data.flags = flags_of(value);
  }
  return data;
}

const Value* find_item(const Response& response, std::string_view name) {
  auto* items = fetch_items(response);
  if (!items) return nullptr;
  for (std::size_t i = 0; i + 1 < items->size(); i += 2) {
    if ((*items)[i].is_atom(name)) return &(*items)[i + 1];
  }
  return nullptr;
}

bool ListData::has(std::string_view attribute) const {
  return std::ranges::any_of(attributes, [&](auto& own) { return iequals(own, attribute); });
}

Result<ListData> read_list_line(const Response& response) {
  auto& values = response.values;
  if ((!response.is("LIST") && !response.is("LSUB")) || values.size() < 3 || !values[0].is_list() ||
      values[2].is_list())
    return fail(ErrorCode::Invalid, "a LIST response without attributes, separator and name");
  ListData data;
  for (auto& attribute : values[0].items) data.attributes.push_back(attribute.text);
  if (values[1].text.size() == 1) data.separator = values[1].text.front();
  // A mailbox may be called NIL; only as an atom it looks like the absence of one.
  data.name = values[2].kind == Value::Kind::Nil ? "NIL" : values[2].text;
  return data;
}

Result<StatusData> read_status_line(const Response& response) {
  auto& values = response.values;
  if (!response.is("STATUS") || values.size() < 2 || !values[1].is_list())
    return fail(ErrorCode::Invalid, "a STATUS response without name and list");
  StatusData data;
  data.mailbox = values[0].text;
  auto& items = values[1].items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    auto& value = items[i + 1];
    if (items[i].is_atom("MESSAGES"))
      data.messages = number_of<std::uint32_t>(value);
    else if (items[i].is_atom("UIDNEXT"))
      data.uid_next = number_of<std::uint32_t>(value);
    else if (items[i].is_atom("UIDVALIDITY"))
      data.uid_validity = number_of<std::uint32_t>(value);
    else if (items[i].is_atom("UNSEEN"))
      data.unseen = number_of<std::uint32_t>(value);
    else if (items[i].is_atom("SIZE"))
      data.size = number_of<std::uint64_t>(value);
    else if (items[i].is_atom("HIGHESTMODSEQ"))
      data.highest_modseq = number_of<std::uint64_t>(value);
  }
  return data;
}

Result<SearchData> read_search(const Response& response) {
  SearchData data;
  if (response.is("SEARCH")) {
    data.found = NumberSet::from_numbers(response.numbers);
    return data;
  }
  if (!response.is("ESEARCH")) return fail(ErrorCode::Invalid, "no SEARCH response");
  auto& values = response.values;
  std::size_t i = !values.empty() && values.front().is_list() ? 1 : 0;
  if (i < values.size() && values[i].is_atom("UID")) ++i;
  for (; i + 1 < values.size(); i += 2) {
    auto& value = values[i + 1];
    if (values[i].is_atom("MIN"))
      data.min = number_of<std::uint32_t>(value);
    else if (values[i].is_atom("MAX"))
      data.max = number_of<std::uint32_t>(value);
    else if (values[i].is_atom("COUNT"))
      data.count = number_of<std::uint64_t>(value);
    else if (values[i].is_atom("ALL")) {
      TRY(auto set, SequenceSet::parse(value.text, 1'000'000));
      data.found = set.resolve(0);
    }
  }
  return data;
}

std::vector<std::string> read_capabilities(const Response& response) {
  auto& values = response.code == "CAPABILITY" ? response.code_values : response.values;
  std::vector<std::string> names;
  for (auto& value : values) names.push_back(to_upper(value.text));
  return names;
}

}  // namespace hikyaku::imap
