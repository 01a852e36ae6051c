// What mailload can do; each prints one line of JSON.
#pragma once

#include <optional>
#include <string>

#include "connection.h"
#include "options.h"

namespace mailload {

/// One client that hands in the same message again and again.
class SmtpSender {
 public:
  explicit SmtpSender(const Options& options);
  /// MAIL, RCPT, DATA; connects when there is no connection.
  void envelope(const std::string& recipient);
  /// The message and its final dot, without waiting for the answer.
  void data();
  void accepted();
  void quit();

 private:
  void connect();

  std::string sender_, hello_;
  Peer peer_;
  std::string data_;
  std::optional<Connection> connection_;
  bool pipelining_ = false;
};

void smtp(const Options& options);
void imap_append(const Options& options);
void imap_fill(const Options& options);
void imap_time(const Options& options);
void imap_logins(const Options& options);
void idle_latency(const Options& options);
void idle_hold(const Options& options);
void pop3(const Options& options);

}  // namespace mailload
