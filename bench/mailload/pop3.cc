// POP3: everything of a maildrop, --window commands under way at a time (RFC 2449 PIPELINING).
#include <cstdio>

#include "crowd.h"
#include "verbs.h"

namespace mailload {

void pop3(const Options& options) {
  Connection connection(options.peer());
  auto ok = [&] {
    auto line = connection.line();
    if (!line.starts_with("+OK")) throw Failure("the server said: " + line);
    return line;
  };
  ok();
  for (auto& command :
       {"USER " + options.user(options.number("user", 0)), "PASS " + options.text("password")}) {
    connection.send(command + "\r\n");
    ok();
  }
  connection.send("STAT\r\n");
  auto there = std::atoi(ok().c_str() + 4);
  auto total = std::min(there, options.number("messages", there));
  auto window = options.number("window", 1);
  auto start = Clock::now();
  std::uint64_t bytes = 0;
  int asked = 0;
  for (int got = 0; got < total; ++got) {
    std::string commands;
    // Asked again in pieces of half a window, as a client with a send buffer would.
    if (asked - got <= window / 2)
      while (asked < total && asked - got < window)
        commands += "RETR " + std::to_string(++asked) + "\r\n";
    if (!commands.empty()) connection.send(commands);
    bytes += connection.multi_line();
  }
  auto seconds = milliseconds_since(start) / 1000;
  connection.send("QUIT\r\n");
  ok();
  std::printf("{\"operations\": %d, \"seconds\": %.6f, \"bytes\": %llu}\n", total, seconds,
              static_cast<unsigned long long>(bytes));
}

}  // namespace mailload
