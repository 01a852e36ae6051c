// The bytes of a stored message, read in pieces. Private to imapd/.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "imapd/server.h"
#include "mailbox/messages.h"
#include "mailbox/section.h"
#include "store/store.h"

namespace hikyaku::imapd {

/// One message: its record and, once it is needed, its body. `store` and `record` must outlive it.
class Content {
 public:
  /// `blob`: the body, if it was opened already, or why it cannot be.
  Content(store::Store& store, const mailbox::MessageRecord& record,
          Result<std::unique_ptr<store::Blob>> blob = nullptr)
      : store_(store), record_(record), blob_(std::move(blob)) {}

  const mailbox::MessageRecord& record() const { return record_; }
  /// Body bytes, at most kReadPiece at once. NotFound, Corrupt, Io.
  Task<Result<std::string>> read_body(std::uint64_t offset, std::uint64_t length);
  /// Whether these body bytes can be read. NotFound, Corrupt, Io.
  Task<Result<void>> check_body(std::uint64_t offset, std::uint64_t length);
  /// The bytes of a section as one string: for what is known to be small enough.
  Task<Result<std::string>> read_all(const mailbox::SectionBytes& bytes);
  /// The body as one string, at most `limit` bytes of it; with `before` in front, which must
  /// outlive the call.
  Task<Result<std::string>> whole_body(std::uint64_t limit, std::string_view before = {});

 private:
  Task<Result<store::Blob*>> body();

  store::Store& store_;
  const mailbox::MessageRecord& record_;
  Result<std::unique_ptr<store::Blob>> blob_;  ///< null: not opened yet
};

/// Reads a section from front to back in pieces of at most kReadPiece. All arguments must outlive
/// it.
class SectionReader {
 public:
  SectionReader(Content& content, const mailbox::SectionBytes& bytes)
      : content_(content), bytes_(bytes) {}

  /// Reads the first bytes of the body that will be needed, and looks at the others, so that what
  /// cannot be read is found out before anything is promised to the client.
  Task<Result<void>> prepare();
  bool done() const { return piece_ == bytes_.pieces.size(); }
  Task<Result<std::string>> next();

 private:
  Content& content_;
  const mailbox::SectionBytes& bytes_;
  std::size_t piece_ = 0;
  std::uint64_t read_ = 0;  ///< of the present piece
  std::string prepared_;    ///< the beginning of the first piece of the body
};

/// The digest of a message whose row does not hold all of it, worked out again from its bytes: the
/// caller holds a permit for them (Services::large_messages).
Task<Result<void>> complete_digest(Services services, Content& content,
                                   mailbox::MessageRecord& record);

}  // namespace hikyaku::imapd
