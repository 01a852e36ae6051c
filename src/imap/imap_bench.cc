// How long the hot paths take: FETCH responses, sequence sets, commands. Prints nanoseconds per
// unit.
#include <ctime>
#include <fmt/core.h>

#include "imap/grammar.h"
#include "imap/mailbox_name.h"
#include "imap/parser.h"
#include "imap/response.h"

namespace {
using namespace hikyaku;
using namespace hikyaku::imap;

template <class Work>
void measure(std::string_view what, std::size_t units, Work work) {
  // Processor time: other programs run here too.
  auto start = std::clock();
  std::size_t rounds = 0;
  std::clock_t spent = 0;
  while (spent < CLOCKS_PER_SEC / 3) {
    work();
    ++rounds;
    spent = std::clock() - start;
  }
  fmt::print(
      "{:<44} {:10.1f} ns\n", what,
      1e9 * static_cast<double>(spent) / CLOCKS_PER_SEC / static_cast<double>(rounds * units));
}

std::size_t used = 0;
}  // namespace

int main() {
  constexpr std::uint32_t kMessages = 100'000;
  constexpr std::size_t kBuffer = 64 * 1024;  // as a driver flushes
  std::string out;
  measure("FETCH response: UID FLAGS, per message", kMessages, [&] {
    out.clear();
    for (std::uint32_t n = 1; n <= kMessages; ++n) {
      FetchResponse fetch(out, n);
      fetch.uid(n * 3);
      fetch.flags(static_cast<FlagBits>(n & 31));
      fetch.end();
      if (out.size() > kBuffer) out.clear();
    }
    used += out.size();
  });
  std::string envelope(300, 'e');
  Time date(milliseconds(1'700'000'000'000));
  measure("FETCH response: ALL, per message", kMessages, [&] {
    out.clear();
    for (std::uint32_t n = 1; n <= kMessages; ++n) {
      FetchResponse fetch(out, n);
      fetch.flags(static_cast<FlagBits>(n & 31));
      fetch.internal_date(date);
      fetch.rfc822_size(12'345);
      fetch.envelope(envelope);
      fetch.end();
      if (out.size() > kBuffer) out.clear();
    }
    used += out.size();
  });

  std::vector<std::uint32_t> uids;
  std::string every_other;
  for (std::uint32_t n = 1; n <= kMessages; ++n) {
    uids.push_back(n * 2);
    if (n % 2) every_other += (every_other.empty() ? "" : ",") + std::to_string(n * 2);
  }
  auto all = SequenceSet::parse("1:*")->resolve(uids.back());
  measure("positions of 1:* in 100,000 UIDs", 1, [&] { used += positions(all, uids).size(); });
  measure("parse 50,000 single UIDs, each", kMessages / 2,
          [&] { used += SequenceSet::parse(every_other)->has_star(); });
  auto half = SequenceSet::parse(every_other)->resolve(0);
  measure("positions of 50,000 single UIDs, each", kMessages / 2,
          [&] { used += positions(half, uids).size(); });
  measure("write 50,000 single UIDs, each", kMessages / 2, [&] {
    out.clear();
    half.append_to(out);
    used += out.size();
  });
  measure("set of 100,000 numbers, each", kMessages,
          [&] { used += NumberSet::from_numbers(uids).ranges().size(); });

  std::string commands;
  for (int i = 0; i < 1000; ++i) {
    commands +=
        "a123 UID FETCH 1:100 (FLAGS UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])\r\n";
  }
  measure("read a FETCH command", 1000, [&] {
    Parser parser;
    std::string_view input = commands;
    while (parser.next(input) == Parser::Event::Command) used += parser.take_command().tag.size();
  });
  std::string noops;
  for (int i = 0; i < 1000; ++i) noops += "a123 NOOP\r\n";
  measure("read a NOOP", 1000, [&] {
    Parser parser;
    std::string_view input = noops;
    while (parser.next(input) == Parser::Event::Command) used += parser.take_command().tag.size();
  });
  ListPatterns patterns("", {"Archive/%/*a*b"});
  measure("match a mailbox name", 1,
          [&] { used += patterns.matches("Archive/2024/Projects/alphabet soup b"); });
  fmt::print("{}\n", used % 2 ? "" : " ");
}
