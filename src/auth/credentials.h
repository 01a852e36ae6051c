// Stored credentials: what each account can log in with. A chosen password is stored as Argon2id
// only; SCRAM, CRAM-MD5 and APOP store what they need when they are switched on. An app password is
// one keyed hash, and what is switched on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/directory.h"
#include "base/result.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "sasl/credentials.h"

namespace hikyaku::auth {

/// What a password can be used for beside being sent under TLS.
struct CredentialUses {
  bool scram = false;   ///< SCRAM keys are kept
  bool legacy = false;  ///< the password itself is kept, sealed: CRAM-MD5, APOP
  bool covers(const CredentialUses& wanted) const {
    return (scram || !wanted.scram) && (legacy || !wanted.legacy);
  }
  bool operator==(const CredentialUses&) const = default;
};

/// One password of an account, as it is stored.
struct Credential {
  std::string name;  ///< kPassword, or what its owner called the app password
  bool is_app_password = false;
  CredentialUses wanted;  ///< asked for (--legacy-auth, mechanisms of the listeners); see ready()
  std::string hash;       ///< Argon2id text, or a taken-over hash; of app passwords a keyed hash
  std::optional<sasl::ScramKeys> scram_sha1, scram_sha256;
  std::string sealed;  ///< the password itself, sealed; empty if it is not kept
  /// mark_of() the secret.key it was made with; empty: earlier versions did not say.
  std::string key;
  Time created{};
  Time last_used{};

  CredentialUses ready() const {
    return {.scram = scram_sha256.has_value(), .legacy = !sealed.empty()};
  }
};
/// The name of the account's own password.
inline constexpr std::string_view kPassword = "password";
inline constexpr std::size_t kMaxPassword = 1024;  ///< bytes
/// Characters. With fewer even a slow hash is soon tried through (NIST SP 800-63B §5.1.1.2).
inline constexpr std::size_t kLeastPassword = 8;

/// Whether somebody may choose this password. Nothing is asked about the kinds of its characters:
/// such rules make passwords worse (ibidem). Invalid, with a remedy.
Result<void> check_chosen(const crypto::Secret& password);

/// What a new credential is made for and with.
struct CredentialMaker {
  const crypto::MasterKey& master;
  crypto::Random& random;
  std::string address;  ///< the account's: salts and sealed values belong to it
  Time now;
};

/// A password that was chosen (check_chosen), ready to be stored. Slow (Argon2id, PBKDF2): on a
/// worker. Invalid: empty or over kMaxPassword.
Result<Credential> make_password(const CredentialMaker& maker, const crypto::Secret& password,
                                 CredentialUses uses);
/// A generated app password and what is stored of it.
struct AppPassword {
  crypto::Secret password;
  Credential stored;
};
Result<AppPassword> make_app_password(const CredentialMaker& maker, std::string_view name,
                                      CredentialUses uses);
/// Adds to `credential` what `uses` need and it lacks; `password` was verified just now. Slow.
Result<void> complete(const CredentialMaker& maker, Credential& credential,
                      const crypto::Secret& password, CredentialUses uses);

/// Replaces the one of the same name, if there is one.
void put_credential(store::Transaction& tx, AccountId account, const Credential& credential);
/// NotFound.
Result<void> remove_credential(store::Transaction& tx, AccountId account, std::string_view name);
std::optional<Credential> find_credential(store::Reader& reader, AccountId account,
                                          std::string_view name);
std::vector<Credential> list_credentials(store::Reader& reader, AccountId account);

/// Says which secret.key this is without telling anything about it: 16 hexadecimal digits.
std::string mark_of(const crypto::MasterKey& master);
/// Whether what is kept belongs to this secret.key. With another one an app password is worthless,
/// and of a chosen password only the hash is left, for PLAIN. Of what earlier versions made only
/// sealed passwords tell.
bool belongs_to(const crypto::MasterKey& master, std::string_view address,
                const Credential& credential);
/// Takes out of a chosen password what another secret.key made; complete() makes it anew.
void forget_keyed(Credential& credential);

/// The password of a sealed credential. Corrupt: sealed under another secret.key, or for another
/// account.
Result<crypto::Secret> reveal(const crypto::MasterKey& master, std::string_view address,
                              const Credential& credential);
/// True if this is the app password.
bool matches_app_password(const crypto::MasterKey& master, const Credential& credential,
                          const crypto::Secret& password);
/// The salt that all SCRAM keys of an account are made with; it follows from the name, as for names
/// that do not exist.
sasl::ScramCredentials scram_credentials(const crypto::MasterKey& master, crypto::Hash hash,
                                         std::string_view address,
                                         const std::vector<Credential>& credentials);

}  // namespace hikyaku::auth
