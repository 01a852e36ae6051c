// What tests of the transmitter share: what its senders and other people's servers were told.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dsn/parse.h"
#include "mime/message.h"
#include "testing/mail_servers.h"

namespace hikyaku::transmit {

using Fixture = testing::SendingWorld;

/// The delivery report in a mail: "failed 5.1.1 x@beta.test" for each recipient.
inline std::vector<std::string> report_in(const testing::World::Mail& mail) {
  auto message = mime::parse_message(mail.bytes);
  auto report = dsn::find_report(message);
  std::vector<std::string> lines;
  if (!report) return lines;
  for (auto& recipient : report->status.recipients)
    lines.push_back(std::string(recipient.action ? dsn::to_string(*recipient.action) : "?") + " " +
                    (recipient.status ? recipient.status->to_string() : "?") + " " +
                    recipient.final.value);
  return lines;
}
using Lines = std::vector<std::string>;

/// How many commands of a kind a server has seen.
inline std::size_t count(const testing::FakeServer& server, std::string_view verb) {
  return static_cast<std::size_t>(
      std::ranges::count_if(server.said, [&](auto& line) { return line.starts_with(verb); }));
}

}  // namespace hikyaku::transmit
