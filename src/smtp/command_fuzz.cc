// A whole session at the level of the rules: lines, commands, answers; fed whole and octet by
// octet.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "smtp/line.h"
#include "smtp/replies.h"
#include "smtp/rules.h"

namespace {
using namespace hikyaku::smtp;

Reply answer(Session& session, const std::string& line) {
  auto command = parse_command(line);
  if (!command) return command.error().reply;
  if (auto refusal = check(session, *command)) return *refusal;
  if (auto* ehlo = std::get_if<Ehlo>(&*command)) session.said_hello(ehlo->name, true);
  if (auto* mail = std::get_if<Mail>(&*command)) session.begin(*mail);
  if (auto* rcpt = std::get_if<Rcpt>(&*command)) session.add_recipient(*rcpt);
  if (std::holds_alternative<Rset>(*command)) session.end_transaction();
  if (std::holds_alternative<Starttls>(*command)) session.started_tls();
  return hello_reply(session, *command);
}

std::string converse(std::string_view bytes, std::size_t step) {
  Settings settings;
  settings.starttls = true;
  settings.mechanisms_under_tls = {"PLAIN"};
  Session session(settings);
  LineParser parser({.command = 100, .auth = 200, .skipped = 400});
  std::string answers;
  while (!bytes.empty()) {
    auto used = parser.feed(bytes.substr(0, step));
    bytes.remove_prefix(used);
    if (!parser.ready()) continue;
    auto line = parser.take();
    if (!line && line.error().closes()) return answers;
    answers += format(line ? answer(session, *line) : line.error());
  }
  return answers;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (converse(bytes, bytes.size() + 1) != converse(bytes, 1)) std::abort();
  return 0;
}
