// Mail from programs of this machine (sendmail's habits): line ends, addresses without a domain,
// header fields that are missing. Pure; commands_mail.cc does the rest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::app {

/// LF, CRLF and lone CR become CRLF, wherever the bytes are cut.
class LineEnds {
 public:
  std::string feed(std::string_view bytes);
  /// The rest: a text that does not end with a line end gets one.
  std::string finish();

 private:
  bool after_cr_ = false;
  bool at_start_ = true;  ///< of a line
};

/// Who a program runs as, and what it said.
struct ProgramSender {
  std::string address;    ///< of the From field, if there is none
  std::string full_name;  ///< likewise, UTF-8; may be empty
  std::string domain;     ///< of addresses that have none
};

/// A header as it will be sent, and whom it names.
struct ProgramHeader {
  std::string text;                     ///< CRLF lines, the empty line at its end
  std::vector<std::string> recipients;  ///< of To, Cc and Bcc (or of the Resent- ones, if any)
  std::size_t taken = 0;                ///< bytes of the input that belong to it
  bool has_8bit = false;                ///< or says that the body has: Content-Transfer-Encoding
  bool too_many = false;                ///< a field names more recipients than were taken
};

/// `begin`: the message from its first byte (CRLF), at least up to the end of its header. An mbox
/// "From " line in front is dropped, addresses without a domain get one, From is added where it is
/// missing, and an empty line where a text has no header. Bcc stays: who stores the message removes
/// it. Of each field at most `most` recipients are taken.
ProgramHeader prepare_header(std::string_view begin, const ProgramSender& sender, std::size_t most);

/// True if everything of the header is in `begin`. `searched`: so much of it was looked at before.
bool has_whole_header(std::string_view begin, std::size_t searched = 0);

/// True if the header of a message of which only `begin` is known may go on behind it; false if it
/// ended before, or there is none. Looks at all of it.
bool header_goes_on(std::string_view begin);

/// "root" as "root@domain"; what has a domain, and "", stay.
std::string qualified(std::string_view address, std::string_view domain);

}  // namespace hikyaku::app
