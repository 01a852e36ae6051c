// Evidence: what a server found out about who sent a message: what it asked the DNS, what it
// recorded, and what its reader sees of it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "app/lab_play.h"
#include "mime/authentication_results.h"

namespace hikyaku::app::lab {

/// Mail that the lab brings to a server's port 25 itself, as another server would.
struct Visit {
  const IpAddress& from;
  std::string_view helo;
  std::string_view mail_from;
  std::string_view rcpt;
};
/// The dialogue is shown from MAIL on.
smtp::Reply bring(Play& play, Site& site, const Visit& visit, std::string text);

/// What the server asked the DNS about this message, as its story names it, each with the answer;
/// then the story's own words about each check and the decision. False when it has no such story.
bool show_reasons(Play& play, std::string_view name, Site& site, std::string_view message_id);

/// A message as its reader gets it by IMAP.
struct Reading {
  std::string mailbox;  ///< "INBOX", "Junk"; empty: it is in neither
  std::uint32_t uid = 0;
  std::string header;                   ///< the fields that were fetched
  mime::AuthenticationResults results;  ///< what the reader's own server says

  /// "pass" for "spf"; empty where nothing is said of it.
  std::string_view result(std::string_view method) const;
};
/// Looks for the message in INBOX and Junk until it is there, and fetches, aloud, the fields that
/// tell who sent it.
Reading read_results(Play& play, Site& site, const Person& person, std::string_view message_id,
                     milliseconds patience = kPatience);
/// The whole message, silently; empty when it is not there.
std::string fetch_text(Play& play, Site& site, const Person& person, const Reading& reading);

/// Checks that the message lies in this mailbox, and that its Authentication-Results say so.
struct Said {
  std::string_view method, result;
};
bool check_reading(Play& play, const Reading& reading, std::string_view mailbox,
                   std::initializer_list<Said> said);

}  // namespace hikyaku::app::lab
