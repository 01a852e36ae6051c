// Mails with others' reports in them, and where they are kept. For tests.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/time.h"
#include "mime/compose.h"
#include "reports/sender.h"
#include "store/memory_store.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::reports {

inline const Time kNoon =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(12);

inline const Sender kBig{Sender::State::Proved, "big.test"};

/// A store, and what runs on it.
struct World {
  testing::TestLoop loop;
  testing::TestPool pool;
  store::MemoryStore store;
};

/// A mail with an attachment.
inline std::string mail_with(std::string_view type, std::string_view bytes, std::string_view name) {
  mime::HeaderWriter header;
  header.text("Subject", "report");
  return mime::compose_message(header.fields(), mime::compose_attachment(type, bytes, name));
}

/// A failure report about alpha.test, as mail.
inline constexpr std::string_view kFailureMail =
    "Subject: FW\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b;\r\n"
    " report-type=feedback-report\r\n\r\n--b\r\n\r\nfailed\r\n--b\r\n"
    "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\n"
    "User-Agent: x/1\r\nVersion: 1\r\nAuth-Failure: dmarc\r\nSource-IP: 192.0.2.9\r\n"
    "Reported-Domain: Alpha.test\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    "From: joe@alpha.test\r\nSubject: =?utf-8?q?p=C3=A4ckchen?=\r\n\r\n--b--\r\n";

/// An aggregate report about alpha.test with so many rows, two messages each.
inline std::string xml(std::string_view id, int rows) {
  std::string text =
      "<feedback><report_metadata><org_name>big.test</org_name><email>d@big.test</email>"
      "<report_id>" +
      std::string(id) +
      "</report_id><date_range><begin>1795132800</begin>"
      "<end>1795219199</end></date_range></report_metadata><policy_published>"
      "<domain>Alpha.TEST</domain><p>quarantine</p></policy_published>";
  for (int i = 0; i < rows; ++i)
    text += "<record><row><source_ip>192.0.2." + std::to_string(i % 256) +
            "</source_ip><count>2</count><policy_evaluated><disposition>none</disposition>"
            "<dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers>"
            "<header_from>alpha.test</header_from></identifiers><auth_results/></record>";
  return text + "</feedback>";
}

/// A notice about a mail of ours; {}: its subject.
inline constexpr std::string_view kBounceMail =
    "From: MAILER-DAEMON@mx.other.test\r\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    "--b\r\n\r\nIt could not be delivered.\r\n"
    "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    "Reporting-MTA: dns; mx.other.test\r\n\r\n"
    "Final-Recipient: rfc822; r@other.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: {}\r\n\r\n--b--\r\n";

}  // namespace hikyaku::reports
