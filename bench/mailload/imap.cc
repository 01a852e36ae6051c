// IMAP: one command at a time, as long as a person waits for it; APPEND from many sessions.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <thread>

#include "crowd.h"
#include "verbs.h"

namespace mailload {
namespace {

Connection logged_in(const Options& options, const std::string& user) {
  Connection connection(options.peer());
  connection.line();
  connection.command("LOGIN \"" + user + "\" \"" + options.text("password") + "\"");
  return connection;
}

void must_continue(const std::string& line) {
  if (!line.starts_with("+")) throw Failure("the server said: " + line);
}

/// The n-th of many messages that differ: 4 KB of words, of which `number` is one.
std::string numbered_message(int number) {
  static constexpr std::string_view kWords[] = {
      "letter",  "meeting", "invoice", "garden",  "train",   "weather", "question", "answer",
      "harbour", "window",  "music",   "holiday", "kitchen", "paper",   "evening",  "mountain"};
  auto serial = std::to_string(number);
  auto text =
      "From: Anna <anna@sender.example>\r\nTo: Bob <bob@receiver.example>\r\nSubject: The " +
      std::string(kWords[static_cast<std::size_t>(number) % std::size(kWords)]) + " number " +
      serial + "\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <" + serial +
      "@sender.example>\r\nMIME-Version: 1.0\r\n" +
      "Content-Type: text/plain; charset=utf-8\r\n\r\n";
  auto mixed = static_cast<std::uint32_t>(number) * 2654435761u + 1;
  while (text.size() < 4096) {
    for (int i = 0; i < 10; ++i) {
      mixed = mixed * 1664525u + 1013904223u;
      text += kWords[mixed >> 28];
      text += ' ';
    }
    text += serial + "\r\n";
  }
  return text;
}

}  // namespace

void imap_append(const Options& options) {
  auto message = options.message();
  auto command = "zq7 APPEND " + options.text("mailbox", "INBOX") + " {" +
                 std::to_string(message.size()) + "+}\r\n" + message + "\r\n";
  run_crowd(options.number("sessions", 10), options.number("messages", 1000), [&](Part& part) {
    auto connection = logged_in(options, options.user(part.number));
    part.ready();
    while (part.work.take()) {
      auto start = Clock::now();
      connection.send(command);
      std::string line;
      while (!(line = connection.line()).starts_with("zq7 ")) {
      }
      if (!line.starts_with("zq7 OK")) throw Failure("APPEND: " + line);
      part.times.push_back(milliseconds_since(start));
    }
    connection.command("LOGOUT");
  });
}

/// A large mailbox, by MULTIAPPEND (RFC 3502) of a hundred messages each.
void imap_fill(const Options& options) {
  auto connection = logged_in(options, options.user(options.number("user", 0)));
  auto mailbox = options.text("mailbox", "big");
  if (mailbox != "INBOX") connection.command("CREATE " + mailbox);
  auto total = options.number("messages", 10'000);
  auto start = Clock::now();
  for (int first = 0; first < total; first += 100) {
    std::string command = "zq7 APPEND " + mailbox;
    for (int i = first; i < std::min(total, first + 100); ++i) {
      auto message = numbered_message(i);
      command += " {" + std::to_string(message.size()) + "+}\r\n" + message;
    }
    connection.send(command + "\r\n");
    std::string line;
    while (!(line = connection.line()).starts_with("zq7 ")) {
    }
    if (!line.starts_with("zq7 OK")) throw Failure("MULTIAPPEND: " + line);
  }
  std::printf("{\"operations\": %d, \"seconds\": %.6f}\n", total, milliseconds_since(start) / 1000);
}

/// One command of one session, --runs times; the answer is read to its end and thrown away.
void imap_time(const Options& options) {
  auto connection = logged_in(options, options.user(options.number("user", 0)));
  if (auto mailbox = options.text("mailbox"); !mailbox.empty())
    connection.command("SELECT " + mailbox);
  std::vector<double> times;
  std::uint64_t bytes = 0;
  for (int i = 0; i < options.number("runs", 1); ++i) {
    auto start = Clock::now();
    bytes = connection.command(options.text("command"), 1 << 20);
    times.push_back(milliseconds_since(start));
  }
  // How many messages were found, to compare: SEARCH or the sequence set of ESEARCH does not
  // matter.
  long hits = 0;
  auto& answer = connection.kept();
  if (auto at = answer.find("* SEARCH"); at != std::string::npos)
    hits = std::count(answer.begin() + static_cast<std::ptrdiff_t>(at) + 8,
                      answer.begin() + static_cast<std::ptrdiff_t>(answer.find('\r', at)), ' ');
  std::printf("{\"median_ms\": %.4f, \"bytes\": %llu, \"hits\": %ld}\n", quantile(times, 0.5),
              static_cast<unsigned long long>(bytes), hits);
}

/// Connecting, LOGIN and LOGOUT.
void imap_logins(const Options& options) {
  run_crowd(options.number("sessions", 10), options.number("messages", 100), [&](Part& part) {
    part.ready();
    while (part.work.take()) {
      auto start = Clock::now();
      logged_in(options, options.user(part.number)).command("LOGOUT");
      part.times.push_back(milliseconds_since(start));
    }
  });
}

/// From the final dot of a message until a client in IDLE is told.
void idle_latency(const Options& options) {
  auto watcher = logged_in(options, options.user(options.number("user", 0)));
  watcher.command("SELECT INBOX");
  watcher.send("zq7 IDLE\r\n");
  must_continue(watcher.line());
  SmtpSender sender(options);
  std::vector<double> times;
  for (int i = 0; i < options.number("messages", 50); ++i) {
    sender.envelope(options.user(options.number("user", 0)));
    auto start = Clock::now();
    sender.data();
    while (!watcher.line().ends_with(" EXISTS")) {
    }
    times.push_back(milliseconds_since(start));
    sender.accepted();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  sender.quit();
  std::printf("{\"median_ms\": %.4f, \"p99_ms\": %.4f}\n", quantile(times, 0.5),
              quantile(times, 0.99));
}

/// --sessions in IDLE, until standard input ends.
void idle_hold(const Options& options) {
  std::vector<Connection> held;
  for (int i = 0; i < options.number("sessions", 100); ++i) {
    held.push_back(logged_in(options, options.user(i)));
    held.back().command("SELECT INBOX");
    held.back().send("zq7 IDLE\r\n");
    must_continue(held.back().line());
  }
  std::printf("{\"operations\": %zu}\n", held.size());
  std::fflush(stdout);
  std::cin.get();
}

}  // namespace mailload
