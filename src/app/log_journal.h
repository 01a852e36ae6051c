// Log lines for systemd's journal, with their fields, by its native protocol
// (systemd.io/JOURNAL_NATIVE_PROTOCOL): `journalctl HIKYAKU_USER=anna@example.com`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/log_bounded.h"
#include "net/fd.h"

namespace hikyaku::app {

class JournalSink final : public BoundedSink {
 public:
  static constexpr std::string_view kSocket = "/run/systemd/journal/socket";

  /// Null unless standard error is connected to the journal ($JOURNAL_STREAM says which file it is,
  /// systemd.exec(5)) and the journal can be reached at `path`. Before the sandbox is entered.
  /// Lines that cannot be sent to the journal go to `instead`, which must outlive the sink. Not
  /// those for which it has no room: `instead` is standard error, which ends at the same journal.
  static std::unique_ptr<JournalSink> open(LogSink& instead, metrics::Counter lost,
                                           std::string_view path = kSocket);

  JournalSink(net::UniqueFd socket, std::string path, LogSink& instead, metrics::Counter lost)
      : BoundedSink(lost), socket_(std::move(socket)), path_(std::move(path)), instead_(instead) {}

 protected:
  bool offer(LogLevel level, std::string_view line, std::chrono::milliseconds wait) override;

 private:
  net::UniqueFd socket_;
  std::string path_;
  LogSink& instead_;
};

/// True if `stream` ($JOURNAL_STREAM, "device:inode") is what `fd` is open on.
bool is_journal_stream(std::string_view stream, int fd);

/// One datagram: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and HIKYAKU_KEY for every key of the line.
std::string journal_entry(LogLevel level, std::string_view line);

}  // namespace hikyaku::app
