// RemoteAccount: an account at some IMAP server, by its URL.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/task.h"
#include "client/imap_client.h"
#include "net/tls.h"

namespace hikyaku::app {

/// "imaps://USER@HOST[:PORT]" (TLS from the first byte, port 993) or "imap://…" (STARTTLS, port
/// 143; on loopback in clear if the server has no TLS). USER may hold "@" and %XX.
struct ImapUrl {
  bool implicit_tls = true;
  std::string user;
  std::string host;  ///< name or address, without brackets
  std::uint16_t port = 993;

  /// Invalid with what is wrong. A password in it is refused: others could read it.
  static Result<ImapUrl> parse(std::string_view text);
  /// The same account always in the same words.
  std::string to_string() const;
};

class RemoteAccount {
 public:
  enum class Certificates {
    Trusted,  ///< for this name, by the system's authorities; anything on loopback
    Any,
  };
  /// Looks the host's name up, as the system does (blocking). Unavailable: it has no address.
  static Result<std::unique_ptr<RemoteAccount>> find(ImapUrl url, crypto::Secret password,
                                                     Certificates certificates);

  const ImapUrl& url() const { return url_; }
  /// A new connection, logged in. Unavailable: not reached (each address was tried); Denied: login
  /// refused; Invalid: the certificate is not to be trusted, or the server offers no TLS.
  Task<Result<std::unique_ptr<client::ImapClient>>> connect() const;

 private:
  RemoteAccount() = default;
  Task<Result<>> secure(client::ImapClient& client, bool loopback) const;

  ImapUrl url_;
  client::Login login_;
  std::vector<IpAddress> addresses_;
  std::unique_ptr<net::ClientTls> tls_;
};

}  // namespace hikyaku::app
