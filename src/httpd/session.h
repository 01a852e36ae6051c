// One HTTP connection. Private to httpd/.
#pragma once

#include "httpd/server.h"
#include "net/input.h"

namespace hikyaku::httpd {

class Session {
 public:
  Session(net::Stream& stream, const Settings& settings, Services services, Log log);

  /// Requests and responses until one side wants no more. Throws Disconnected.
  Task<void> run();
  /// Answers and ends the connection.
  Task<void> refuse(int status, std::string_view text);
  std::uint32_t requests() const { return requests_; }
  /// A request is half read.
  bool within_request() const { return !parser_.idle(); }

 private:
  /// The next whole request; nullopt: the connection is to end, all is said.
  Task<std::optional<http::Request>> next_request();
  Task<bool> more_bytes();
  Task<void> execute(http::Request request);
  Task<void> send(http::Response response, bool head_only);

  net::Stream& stream_;
  const Settings& settings_;
  Services services_;
  const Metrics& metrics_;
  Log log_;
  net::Input input_;
  http::RequestParser parser_;
  std::uint32_t requests_ = 0;
  bool closing_ = false;
};

}  // namespace hikyaku::httpd
