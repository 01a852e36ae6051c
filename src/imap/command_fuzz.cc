// The reader of commands, with a driver that accepts or refuses by the first octet: the same is
// read however the input is cut, within its limits, and every command keeps the rules' promises.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "imap/parser.h"
#include "imap/rules.h"

namespace {
using namespace hikyaku::imap;

ParserLimits small_limits() {
  ParserLimits limits;
  limits.line = 2'000;
  limits.literal = 500;
  limits.command = 4'000;
  limits.literals = 5;
  limits.message = 1'000;
  limits.append_total = 3'000;
  limits.append_messages = 3;
  limits.discard = 5'000;
  return limits;
}

std::string read(std::string_view bytes, std::size_t step, unsigned refusals) {
  Parser parser(small_limits());
  parser.set_name_form(refusals & 8 ? NameForm::Utf8 : NameForm::Utf7);
  std::string story;
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (true) {
      auto event = parser.next(piece);
      if (event == Parser::Event::NeedMore) break;
      if (event == Parser::Event::MessageData) {
        story += parser.data();
        continue;
      }
      story += static_cast<char>('0' + static_cast<int>(event));
      if (event == Parser::Event::Fatal) return story;
      if (event == Parser::Event::Refused) append_reply(story, parser.tag(), parser.reply());
      if (event == Parser::Event::Line) story += parser.line();
      if (event == Parser::Event::Continuation && (refusals & 1)) parser.refuse();
      if (event == Parser::Event::Message && (refusals & 2)) parser.refuse();
      if (event == Parser::Event::MessageEnd && (refusals & 4)) parser.refuse();
      if (event != Parser::Event::Command) continue;
      auto command = parser.take_command();
      if (rule_of(command.verb).verb != command.verb || command.tag.empty()) std::abort();
      Session session;
      session.phase = static_cast<Phase>(refusals & 7);
      session.read_only = (refusals & 32) != 0;
      if (auto refusal = check(session, command)) append_reply(story, command.tag, *refusal);
      story += command.tag + display_name(command.verb, command.uid());
      if (command.verb == Verb::Idle || command.verb == Verb::Authenticate) parser.expect_line(100);
      if (command.verb == Verb::Append && (refusals & 16)) parser.refuse();
    }
    if (!piece.empty()) std::abort();
  }
  return story;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto whole = read(bytes, size, data[0]);
  if (read(bytes, 1, data[0]) != whole || read(bytes, 7, data[0]) != whole) std::abort();
  return 0;
}
