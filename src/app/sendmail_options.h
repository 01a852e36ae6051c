// The options of sendmail(8) as programs pass them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hikyaku::app {

struct SendmailOptions {
  enum class Mode {
    Submit,     ///< a message on standard input
    Smtp,       ///< -bs
    ListQueue,  ///< -bp
    Nothing,    ///< -bi and -q: nothing is to be done here
  };
  Mode mode = Mode::Submit;
  bool extract = false;             ///< -t
  bool ignore_dots = false;         ///< -i, -oi
  bool eight_bit = false;           ///< -B8BITMIME
  bool verbose = false;             ///< -v: prints the id
  std::optional<std::string> from;  ///< -f, -r; "" or "<>" for a bounce
  std::string full_name;            ///< -F
  std::string notify;               ///< -N: NOTIFY for every recipient (RFC 3461)
  std::string ret;                  ///< -R: RET
  std::string envelope_id;          ///< -V: ENVID, as it is (not in xtext)
  std::optional<std::string> dir;   ///< --dir, ours
  /// --wait, ours: for a server that does not run. A restart is over within it; cron does not try
  /// again, and holds no more than its own job up.
  seconds wait{60};
  std::vector<std::string> recipients;
};

/// Invalid: an option that is none, or that would do what we do not (-bd); what is harmless is
/// passed over.
Result<SendmailOptions> parse_sendmail_options(std::span<const std::string> words);

/// The verb and its words for a program name (argv[0]) such as /usr/sbin/sendmail, mailq or
/// newaliases; `words` as they are for any other.
std::vector<std::string> words_for_name(std::string_view program, std::vector<std::string> words);

}  // namespace hikyaku::app
