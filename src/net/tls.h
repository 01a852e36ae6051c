// The TLS settings of servers and clients: certificates, names, versions, trust. OpenSSL stays in
// the .cc files.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"

namespace hikyaku::net {

/// A certificate with its chain and its key, as PEM text.
struct CertificatePem {
  std::string certificate;  ///< the server's own certificate first, then the intermediate ones
  std::string key;          ///< unencrypted
  std::string origin;       ///< for messages: the file it was read from
  /// The names (SNI) it is shown for, "*." for wildcards; empty: those that it is valid for.
  std::vector<std::string> names{};
};

/// Reads fullchain.pem and privkey.pem (certbot's names) or any other two files; both may be one.
/// The error names the file and what is wrong with it.
Result<CertificatePem> read_certificate(const std::string& certificate_file,
                                        const std::string& key_file);

/// What a loaded certificate says, for `check` and the log.
struct CertificateFacts {
  std::string origin;
  std::vector<std::string> names;  ///< DNS names it is valid for, lower case, "*." for wildcards
  std::string key_type;            ///< "EC P-256", "RSA 2048"
  std::chrono::sys_seconds not_before;
  std::chrono::sys_seconds not_after;
  bool self_signed = false;
};

/// The server's side: which certificate is shown for which name. TLS 1.2 and 1.3 with forward
/// secrecy; no renegotiation, no compression; session tickets with keys that change every 6 hours
/// and are kept for 12. One ServerTls serves all loops; connections keep what they began with when
/// it is reloaded.
class ServerTls {
 public:
  struct Settings {
    /// ALPN protocols in order of preference; empty: not negotiated. A client that offers none of
    /// them goes on without.
    std::vector<std::string> alpn{};
    /// For one handshake as a whole.
    std::chrono::milliseconds handshake_timeout = std::chrono::seconds(30);
    /// Handshakes that came to an agreement, and those that did not.
    metrics::Counter handshakes = {}, failures = {};
  };

  /// The first certificate is also the default: it is shown to clients that name no host or an
  /// unknown one. A name may have several certificates with different key types; clients that can
  /// get ECDSA, the others RSA. Of two with the same type, the one that ends later. Invalid when a
  /// key does not belong to its certificate, or nothing is given.
  static Result<std::unique_ptr<ServerTls>> create(const std::vector<CertificatePem>& certificates,
                                                   Settings settings);
  static Result<std::unique_ptr<ServerTls>> create(
      const std::vector<CertificatePem>& certificates) {
    return create(certificates, {});
  }
  ~ServerTls();

  /// Replaces all certificates at once, or none when one of them is bad. From any thread.
  Result<> reload(const std::vector<CertificatePem>& certificates);

  /// What is loaded, in the order given. From any thread.
  std::vector<CertificateFacts> certificates() const;

  std::chrono::milliseconds handshake_timeout() const { return settings_.handshake_timeout; }

  /// For net/ itself: what one handshake uses. Keep it until the handshake has ended.
  struct Snapshot;
  std::shared_ptr<const Snapshot> snapshot() const;
  void count_handshake(bool agreed) const {
    (agreed ? settings_.handshakes : settings_.failures).add();
  }

 private:
  explicit ServerTls(Settings settings);

  struct TicketKeys;
  Settings settings_;
  std::shared_ptr<TicketKeys> ticket_keys_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
};

/// The client's side.
class ClientTls {
 public:
  enum class Verify {
    Record,   ///< opportunistic (RFC 7435): any certificate will do; TlsInfo::verify_error tells
    Require,  ///< the handshake fails unless the certificate is trusted for the server's name
  };
  struct Settings {
    Verify verify = Verify::Record;
    /// Trusted roots as PEM; empty: the system's.
    std::string roots{};
    /// ALPN protocols to offer.
    std::vector<std::string> alpn{};
  };

  static Result<std::unique_ptr<ClientTls>> create(Settings settings);
  ~ClientTls();

  /// For net/ itself.
  struct Context;
  const Context& context() const { return *context_; }

 private:
  explicit ClientTls(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

/// Gives OpenSSL's record buffers an address range of their own, so that idle TLS connections cost
/// 17 KB each and not three times as much in holes of the heap. Call it first thing in main():
/// false, and nothing has changed, once OpenSSL has been used.
bool separate_tls_buffers();

/// The kind of key of a new certificate.
enum class KeyType {
  EcP256,   ///< what every current client takes, and the fastest to serve
  Rsa2048,  ///< for old clients beside it
};

/// A new key and a certificate for `names` (the first is the subject) that it signs itself, valid
/// from a day ago for `days`. For the time until a real one is there, for the lab and tests.
Result<CertificatePem> make_self_signed(const std::vector<std::string>& names, KeyType type,
                                        int days = 3650);

}  // namespace hikyaku::net
