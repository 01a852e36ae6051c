// SMTP: whole messages, the envelope in one piece where the server announces PIPELINING.
#include "crowd.h"
#include "verbs.h"

namespace mailload {
namespace {

/// Lines that begin with a dot get one more (RFC 5321 §4.5.2), and the end.
std::string as_data(const std::string& message) {
  std::string data = message.starts_with(".") ? "." : "";
  for (std::size_t at = 0; at < message.size();) {
    auto dot = message.find("\r\n.", at);
    auto end = dot == std::string::npos ? message.size() : dot + 3;
    data.append(message, at, end - at);
    if (dot != std::string::npos) data += '.';
    at = end;
  }
  return data + ".\r\n";
}

}  // namespace

SmtpSender::SmtpSender(const Options& options)
    : sender_(options.text("from")),
      hello_(options.text("hello", "client.example")),
      peer_(options.peer(options.text("smtp-port").empty() ? "" : "smtp-")),
      data_(as_data(options.message())) {}

void SmtpSender::connect() {
  connection_.emplace(peer_);
  connection_->reply("220");
  connection_->send("EHLO " + hello_ + "\r\n");
  pipelining_ = connection_->reply("250").find("PIPELINING") != std::string::npos;
}

void SmtpSender::envelope(const std::string& recipient) {
  if (!connection_) connect();
  auto mail = "MAIL FROM:<" + sender_ + ">\r\n", rcpt = "RCPT TO:<" + recipient + ">\r\n";
  if (pipelining_) {
    connection_->send(mail + rcpt + "DATA\r\n");
    connection_->reply("250");
    connection_->reply("250");
  } else {
    for (auto& command : {mail, rcpt}) {
      connection_->send(command);
      connection_->reply("250");
    }
    connection_->send("DATA\r\n");
  }
  connection_->reply("354");
}

void SmtpSender::data() {
  connection_->send(data_);
}

void SmtpSender::accepted() {
  connection_->reply("250");
}

void SmtpSender::quit() {
  if (!connection_) return;
  connection_->send("QUIT\r\n");
  connection_->reply("221");
  connection_.reset();
}

void smtp(const Options& options) {
  auto per = options.number("per-connection", 100);
  auto total = options.number("messages", 1000);
  run_crowd(options.number("sessions", 10), total, [&](Part& part) {
    SmtpSender sender(options);
    int sent = 0;
    part.ready();
    while (part.work.take()) {
      auto start = Clock::now();
      sender.envelope(options.user(part.number + sent * options.number("sessions", 10)));
      sender.data();
      sender.accepted();
      part.times.push_back(milliseconds_since(start));
      if (++sent % per == 0) sender.quit();
    }
    sender.quit();
  });
}

}  // namespace mailload
