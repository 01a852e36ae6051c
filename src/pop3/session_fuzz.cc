// POP3: lines and commands however they are cut; dot-stuffed bodies there and back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pop3/replies.h"
#include "pop3/response_parser.h"
#include "pop3/rules.h"

namespace {
using namespace hikyaku::pop3;

std::string converse(std::string_view bytes, std::size_t step) {
  LineReader reader(300);
  Session session;
  session.tls = true;
  CapabilitySettings settings;
  std::string story;
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (true) {
      auto event = reader.next(piece);
      if (event == LineReader::Event::NeedMore) break;
      if (event == LineReader::Event::TooLong) {
        story += "too long";
        continue;
      }
      auto command = parse_command(reader.line());
      auto refusal = command ? check(session, settings, *command) : reply_for(command.error());
      if (refusal) append_reply(story, *refusal);
      if (!command) continue;
      story += name_of(verb_of(*command));
      if (auto* user = std::get_if<UserCommand>(&*command)) session.user = user->name;
      if (verb_of(*command) == Verb::Pass) session.phase = Phase::Transaction;
      (void)parse_status(reader.line());
      (void)apop_timestamp(reader.line());
      (void)parse_numbered(reader.line());
    }
    if (!piece.empty()) std::abort();
  }
  return story;
}

std::string stuff(std::string_view bytes, std::size_t step, std::uint64_t lines) {
  DotStuffer stuffer(lines);
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size())))
    stuffer.add(bytes.substr(0, step), out);
  stuffer.finish(out);
  return out;
}

std::string unstuff(std::string_view bytes, std::size_t step) {
  BodyDecoder decoder;
  std::string out;
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    if (decoder.next(piece, out)) {
      // The message cannot have ended its response before its end.
      if (!piece.empty() || !bytes.empty()) std::abort();
      return out;
    }
  }
  std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (converse(bytes, 1) != converse(bytes, size + 1)) std::abort();
  for (std::uint64_t lines : {std::uint64_t{2}, DotStuffer::kAllLines}) {
    auto wire = stuff(bytes, size + 1, lines);
    if (stuff(bytes, 1, lines) != wire) std::abort();
    auto back = unstuff(wire, 3);
    if (back != unstuff(wire, wire.size()) || stuff(back, 5, DotStuffer::kAllLines) != wire)
      std::abort();
  }
  return 0;
}
