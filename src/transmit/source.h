// The bytes of a queued message: our header fields, then the stored body.
#pragma once

#include <memory>
#include <string>

#include "client/smtp_client.h"
#include "queue/queue.h"
#include "store/store.h"

namespace hikyaku::transmit {

/// Reads prefix and body in pieces. The store must outlive it.
class QueuedSource final : public client::MessageSource {
 public:
  QueuedSource(store::Store& store, const queue::Message& message)
      : store_(store), prefix_(message.prefix), blob_id_(message.blob) {}

  Task<Result<std::string>> next() override;

 private:
  store::Store& store_;
  std::string prefix_;
  store::BlobId blob_id_;
  std::unique_ptr<store::Blob> blob_;
  std::uint64_t offset_ = 0;
};

/// Whether all of a queued message can be read, before anything of it is sent. Corrupt, NotFound,
/// Io.
Task<Result<void>> check_body(store::Store& store, const queue::Message& message);

/// The first `most` bytes of prefix and body.
Task<Result<std::string>> read_beginning(store::Store& store, const queue::Message& message,
                                         std::size_t most);

}  // namespace hikyaku::transmit
