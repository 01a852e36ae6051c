// Every decoder of stored rows: it must refuse or understand any bytes, and what it understands
// comes back the same.
#include <cstdint>
#include <cstdlib>

#include "mailbox/digest.h"
#include "mailbox/names.h"
#include "mailbox/record.h"
#include "mailbox/rows.h"
#include "mailbox/section.h"
#include "mailbox/summary_rows.h"

using namespace hikyaku;
using namespace hikyaku::mailbox;

namespace {

void expect(bool right) {
  if (!right) std::abort();
}

template <class Row>
void round_trip(std::string_view bytes) {
  Row row;
  if (!decode(bytes, row)) return;
  auto written = encode(row);
  expect(decode(written, row));
  expect(encode(row) == written);
}

void group(std::string_view bytes) {
  SummaryGroup rows;
  if (!rows.decode(bytes, 64)) return;
  auto written = rows.encode(64);
  expect(rows.decode(written, 64) && rows.encode(64) == written);
}

void path(std::string_view bytes) {
  auto levels = parse_path(bytes);
  if (!levels) return;
  auto again = parse_path(format_path(*levels));
  expect(again && *again == *levels);
}

void sections(std::string_view bytes) {
  MessageRecord record;
  if (!decode(bytes, record)) return;
  Sections sections(record);
  for (auto text : {imap::Section::Text::Whole, imap::Section::Text::Header,
                    imap::Section::Text::Text, imap::Section::Text::HeaderFields})
    for (const auto& part : {std::vector<std::uint32_t>{}, {1}, {2, 1}}) {
      auto found = sections.find(imap::Section{part, text, {"Subject", "X"}});
      if (!found) continue;
      std::uint64_t size = 0;
      for (const auto& piece : found->pieces) size += piece.length;
      expect(size == found->size);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 13) {
    case 0:
      round_trip<AccountRow>(bytes);
      break;
    case 1:
      round_trip<MailboxRow>(bytes);
      break;
    case 2:
      round_trip<Counters>(bytes);
      break;
    case 3:
      round_trip<EmailRow>(bytes);
      break;
    case 4:
      round_trip<ChangeRow>(bytes);
      break;
    case 5:
      round_trip<IntentRow>(bytes);
      break;
    case 6:
      round_trip<ExpungedRow>(bytes);
      break;
    case 7:
      round_trip<MessageRecord>(bytes);
      break;
    case 8:
      group(bytes);
      break;
    case 9:
      path(bytes);
      break;
    case 10:
      sections(bytes);
      break;
    case 12:
      round_trip<Numbers>(bytes);
      break;
    default:
      expect(body_form(bytes).size() <= bytes.size());
  }
  return 0;
}
