// Mail in files, as export writes it and import reads it: Maildir and mbox. Message bytes have CRLF
// on our side and LF in the files.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/long_names.h"
#include "base/result.h"
#include "base/time.h"

namespace hikyaku::app {

/// What is kept beside a message's bytes.
struct MailItem {
  std::string mailbox;             ///< path with "/" between levels
  std::vector<std::string> flags;  ///< "\\Seen", …, and keywords
  Time received{};
};

/// What could not be read while the rest could: counted, and the first ones kept.
class PassedOver {
 public:
  void add(Error why) {
    if (++count_ <= kKept) kept_.push_back(std::move(why));
  }
  std::uint64_t count() const { return count_; }
  /// Each names its file or directory.
  const std::vector<Error>& kept() const { return kept_; }

 private:
  static constexpr std::uint64_t kKept = 100;
  std::uint64_t count_ = 0;
  std::vector<Error> kept_;
};

/// Messages one after another.
class MailSource {
 public:
  virtual ~MailSource() = default;
  /// Grows while messages are read.
  const PassedOver& passed_over() const { return passed_over_; }
  /// The next message, nullopt at the end. What was left of the one before is passed over.
  virtual Result<std::optional<MailItem>> next() = 0;
  /// The next bytes of it, at most about 64 KB; empty at its end.
  virtual Result<std::string> read() = 0;
  /// How far it is, of about how many bytes.
  virtual std::uint64_t done() const = 0;
  virtual std::uint64_t total() const = 0;

 protected:
  PassedOver passed_over_;
};

/// Takes messages one after another.
class MailSink {
 public:
  virtual ~MailSink() = default;
  /// Also a mailbox without messages is kept.
  virtual Result<void> mailbox(const std::string& path) = 0;
  virtual Result<void> begin(const MailItem& item) = 0;
  virtual Result<void> write(std::string_view bytes) = 0;
  virtual Result<void> end() = 0;
  /// Instead of end(): nothing is kept of the message that was begun.
  virtual Result<void> abandon() = 0;
  /// Everything is there.
  virtual Result<void> finish() = 0;
  /// The mailboxes whose files could not be called after them.
  const LongNames& long_names() const { return long_names_; }

 protected:
  LongNames long_names_;
};

/// Stands beside exported mail until all of it is there; then it is gone, or names what is missing.
inline constexpr std::string_view kIncompleteNote = "INCOMPLETE";

enum class MailFormat { Maildir, Mbox };

/// A Maildir has cur/; anything else is mbox: a file, or a directory with *.mbox files.
Result<MailFormat> recognize(const std::filesystem::path& path);

/// Reads a Maildir with its folders (Maildir++: ".Work.Projects" in modified UTF-7), flags,
/// keywords (dovecot-keywords) and dates. With `into`, everything goes below or (what is its inbox)
/// into that mailbox. Folders and files that cannot be read, and links, are passed over.
Result<std::unique_ptr<MailSource>> open_maildir(const std::filesystem::path& path,
                                                 const std::string& into);
/// Reads an mbox file, or a directory of them: "Work/Projects.mbox" is the mailbox Work/Projects.
/// ">From " is taken back (mboxrd), and ">Status:" and the like, which were the message's own;
/// Status, X-Status, X-Keywords and X-Mozilla- fields become flags. In a directory, what cannot be
/// read, is no mbox, or is a link, is passed over.
Result<std::unique_ptr<MailSource>> open_mbox(const std::filesystem::path& path,
                                              const std::string& into);

/// Both make the directory `path`, which must not exist or be empty. Mailboxes whose names no file
/// can bear get shortened ones; LONG-NAMES says them, and both sources read it.
Result<std::unique_ptr<MailSink>> make_maildir(const std::filesystem::path& path);
Result<std::unique_ptr<MailSink>> make_mbox(const std::filesystem::path& path);

/// The directory of a sink: made, if it is not there. Exists: there is something in it.
Result<void> make_empty_directory(const std::filesystem::path& path);

}  // namespace hikyaku::app
