// What a client wants to know, taken from parsed responses: FETCH, LIST, STATUS, ESEARCH.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "imap/flags.h"
#include "imap/response_parser.h"
#include "imap/sequence_set.h"

namespace hikyaku::imap {

/// The items of one FETCH response that have a simple form. The others are found with find_item.
struct FetchData {
  std::uint32_t number = 0;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> modseq;
  std::optional<Time> internal_date;
  std::optional<Flags> flags;  ///< without those that are none of ours; \Recent too
};
/// Invalid if `response` is no FETCH with a list. Also for the unfinished one of ContentBegin.
Result<FetchData> read_fetch(const Response& response);
/// The value behind `name` ("ENVELOPE", "BODY[]") in a FETCH's list; nullptr if there is none.
const Value* find_item(const Response& response, std::string_view name);

/// One line of LIST or LSUB.
struct ListData {
  std::vector<std::string> attributes;  ///< as written
  std::optional<char> separator;        ///< nullopt: a flat name
  std::string name;                     ///< as on the wire: decode_name makes UTF-8 of it

  bool has(std::string_view attribute) const;
};
Result<ListData> read_list_line(const Response& response);

/// STATUS.
struct StatusData {
  std::string mailbox;  ///< as on the wire
  std::optional<std::uint32_t> messages;
  std::optional<std::uint32_t> uid_next;
  std::optional<std::uint32_t> uid_validity;
  std::optional<std::uint32_t> unseen;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> highest_modseq;
};
Result<StatusData> read_status_line(const Response& response);

/// SEARCH or ESEARCH: what was found.
struct SearchData {
  NumberSet found;  ///< of ESEARCH: ALL
  std::optional<std::uint32_t> min;
  std::optional<std::uint32_t> max;
  std::optional<std::uint64_t> count;
};
Result<SearchData> read_search(const Response& response);

/// The names of a CAPABILITY response or response code, in capitals.
std::vector<std::string> read_capabilities(const Response& response);

}  // namespace hikyaku::imap
