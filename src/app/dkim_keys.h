// DKIM keys being made: the private ones as files that the server can read, the public ones for the
// directory and the DNS.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/exit.h"
#include "app/json.h"
#include "app/system_user.h"
#include "base/result.h"
#include "config/config.h"
#include "crypto/key.h"

namespace hikyaku::app {

/// Where the private key of a selector is: DIRECTORY/DOMAIN.SELECTOR.pem.
std::filesystem::path dkim_key_path(const std::filesystem::path& directory,
                                    const std::string& domain, const std::string& selector);

/// A key to be made; with `key` it is there already.
struct WantedDkimKey {
  crypto::KeyType type = crypto::KeyType::Rsa;
  std::string selector = {};  ///< empty: its kind and the date, "rsa-20261122"
  std::optional<crypto::PrivateKey> key = std::nullopt;
};

/// The files of new keys; they go again unless they are kept.
class NewDkimKeys {
 public:
  NewDkimKeys() = default;
  NewDkimKeys(NewDkimKeys&& other) noexcept { paths_.swap(other.paths_), rows_.swap(other.rows_); }
  NewDkimKeys& operator=(NewDkimKeys&&) = delete;
  ~NewDkimKeys();

  /// Makes the keys and writes them, mode 0600, or 0640 for the group of `owner`. The directory is
  /// made when it is missing. Invalid or Exists (the selector), Denied, Io.
  static Result<NewDkimKeys> make(const std::filesystem::path& directory, const std::string& domain,
                                  std::vector<WantedDkimKey> wanted,
                                  const std::optional<SystemUser>& owner);

  /// "keys" of the command dkim.add.
  const boost::json::array& rows() const { return rows_; }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::filesystem::path> paths_;
  boost::json::array rows_;
};

/// What every domain begins with: RSA, which everybody can check, and Ed25519. Nothing for names of
/// one label, which DKIM cannot sign for.
std::vector<WantedDkimKey> usual_dkim_keys(const std::string& domain);

/// The user whose group is to read key files: server.user when root makes them, else nobody.
std::optional<SystemUser> key_file_owner(const config::Config& config);

/// How long the record of a retired key must stay: our own queue, and then the next server's; and
/// for as long as its signatures say that they are valid (dkim.expiry).
milliseconds record_kept(const config::Config& config);

/// Runs `work` so that this process has its rights afterwards: an offline command becomes
/// server.user for good, and key files belong to root. In a child, when that makes a difference.
Exit keeping_rights(const config::Config& config, const std::function<Exit()>& work);

/// A text that the work of keeping_rights() leaves for who waits for it. At most about 60 KB.
class Handover {
 public:
  Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover();
  void give(std::string_view text);
  /// What was given, once.
  std::string take();

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace hikyaku::app
