// MessageBytes: the bytes of one message on their way in. Private to receive/.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "receive/authentication.h"
#include "receive/delivery.h"
#include "receive/message_signer.h"
#include "store/store.h"

namespace hikyaku::receive {

/// Gathers the header, gives it what our users' mail needs, and stages everything. On one event
/// loop.
class MessageBytes {
 public:
  /// All of them outlive it. `authentication`: sees what comes as it comes; null: nobody asks.
  MessageBytes(const Surroundings& surroundings, const Delivery& delivery,
               Authentication* authentication);
  ~MessageBytes();

  /// The next bytes (CRLF line ends, dots removed). What goes wrong is told by end().
  Task<void> append(std::string_view bytes);
  /// After the last byte, as often as one likes: the header is whole now. The error: what went
  /// wrong while bytes came.
  Task<Result<void>> end();
  /// After end(), once: everything is staged.
  Task<Result<store::StagedBlob>> stage();

  /// As it is stored, with the empty line that ends it and what may stand behind that while it was
  /// taken for a header; as far as it is looked at.
  const std::string& header() const { return header_; }
  /// Without what stands behind the empty line.
  std::string_view header_alone() const;
  bool header_too_long() const { return header_too_long_; }
  /// It begins with the continuation of nothing.
  bool header_folded() const { return header_folded_; }
  /// Authentication-Results fields that claimed to be ours (RFC 8601 §5).
  std::size_t removed_results() const { return removed_results_; }
  /// Return-Path fields that came with it.
  std::size_t removed_paths() const { return removed_paths_; }
  std::uint64_t size() const;

  /// The whole message while it is small: no need to read it back; nullptr: it is not.
  const std::string* small() const { return is_small_ ? &small_ : nullptr; }
  /// The whole message, read back from where it was staged.
  Task<Result<std::string>> read(store::StagedBlob blob) const;

  /// Has seen it all after end().
  MessageSigner& signer() { return signer_; }
  /// What is held in memory, staged bytes apart.
  std::size_t memory() const { return header_.capacity() + small_.capacity(); }

 private:
  Task<void> end_header();
  Task<void> pass_on(std::string_view body);
  Task<void> keep(std::string_view bytes);
  void remove_forged_fields();
  std::string default_author() const;

  const Surroundings& surroundings_;
  const Delivery& delivery_;
  Authentication* authentication_;
  MessageSigner signer_;
  std::unique_ptr<store::BlobWriter> writer_;
  std::string header_;
  bool header_ended_ = false;
  bool header_too_long_ = false;
  bool header_folded_ = false;
  std::size_t removed_results_ = 0;
  std::size_t removed_paths_ = 0;
  std::string small_;  ///< all bytes stored so far, while they are few
  bool is_small_ = true;
  std::optional<Error> error_;  ///< what went wrong while bytes came
};

}  // namespace hikyaku::receive
