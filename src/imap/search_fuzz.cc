// SEARCH: planning changes no answer; less available never means another answer.
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "imap/grammar.h"
#include "imap/search.h"

namespace {
using namespace hikyaku;
using namespace hikyaku::imap;

/// Answers by the hash of what is asked.
struct HashMessage final : SearchMessage {
  static bool hash(std::string_view text) { return std::hash<std::string_view>{}(text) & 1; }
  std::uint32_t number() const override { return 5; }
  std::uint32_t uid() const override { return 50; }
  FlagBits system_flags() const override { return 5; }
  std::uint64_t keyword_bits() const override { return 2; }
  Time internal_date() const override { return Time(milliseconds(800'000'000'000)); }
  std::optional<Time> save_date() const override { return std::nullopt; }
  std::uint64_t size() const override { return 1000; }
  std::uint64_t modseq() const override { return 7; }
  Day sent_day() const override { return day_of(internal_date()); }
  std::string_view email_id() const override { return "M"; }
  std::string_view thread_id() const override { return "T"; }
  bool header_contains(std::string_view, std::string_view needle) const override {
    return hash(needle);
  }
  bool any_header_contains(std::string_view needle) const override { return !hash(needle); }
  bool body_contains(std::string_view needle) const override { return hash(needle); }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text = "a SEARCH ";
  text.append(reinterpret_cast<const char*>(data), size);
  auto command = parse_command(text, NameForm::Utf7, {});
  if (!command) return 0;
  auto program = std::get<SearchCommand>(command->arguments).program;
  if (prepare_strings(program)) return 0;
  Meaning meaning{.largest_number = 9,
                  .largest_uid = 90,
                  .saved_numbers = {},
                  .saved_uids = {},
                  .keywords = {"a", "b"}};
  resolve(program.key, meaning);
  HashMessage message;
  Time now(milliseconds(800'000'100'000));
  auto expected = evaluate(program.key, message, now);
  if (!expected) std::abort();
  plan(program.key);
  if (evaluate(program.key, message, now) != expected) std::abort();
  for (auto available : {SearchCost::Row, SearchCost::Record, SearchCost::Header}) {
    auto result = evaluate(program.key, message, now, available);
    if (result && *result != *expected) std::abort();
    if (!result && available >= cost(program.key)) std::abort();
  }
  auto uids = required_uids(program.key);
  auto numbers = required_numbers(program.key);
  if (*expected && ((uids && !uids->contains(50)) || (numbers && !numbers->contains(5))))
    std::abort();
  return 0;
}
