// MessageSigner: the DKIM signatures of one message that our users, programs or we ourselves write.
// Private to receive/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "receive/receiver.h"
#include "receive/signing.h"

namespace hikyaku::receive {

/// Give it the header, then the body while it comes, then ask. Without begin() it signs nothing.
class MessageSigner {
 public:
  /// Both outlive it.
  MessageSigner(const Settings& settings, const Services& services)
      : settings_(settings), services_(services) {}

  /// The domain of each author that is ours signs (RFC 9989 §11.5: each is looked at by itself).
  /// `header`: as it leaves, with the empty line that ends it and what may stand behind that.
  Task<void> begin(std::string_view header, Time now);
  /// The next bytes of the body.
  void body(std::string_view bytes) {
    if (signer_) signer_->body(bytes);
  }

  struct Signed {
    std::string fields;                    ///< to be put in front of the header; may be empty
    std::vector<story::Finding> findings;  ///< for each of the domains: signed, or why not
  };
  /// The signatures, made on a worker; once. What is wrong with them is told and lets the message
  /// go without. `header`: what begin() got, without the body.
  Task<Signed> finish(std::string header, Log log);

 private:
  const Settings& settings_;
  const Services& services_;
  std::vector<KeyRing::Keys> keys_;     ///< of each author's domain that is ours
  std::optional<dkim::Signer> signer_;  ///< has seen the body as far as it came
};

}  // namespace hikyaku::receive
