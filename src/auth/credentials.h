// Stored credentials: what each account can log in with. DESIGN: a chosen password is stored as
// Argon2id only; SCRAM, CRAM-MD5 and APOP store what they need when they are switched on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/directory.h"
#include "base/result.h"

namespace hikyaku::auth {

/// What a credential can be used for beside passwords in clear under TLS.
struct CredentialUses {
  bool scram = false;   ///< SCRAM keys are stored
  bool legacy = false;  ///< the secret itself is stored, encrypted: CRAM-MD5, APOP
};

/// One password of an account.
struct CredentialInfo {
  std::string name;  ///< "password", or the app password's name
  bool is_app_password = false;
  CredentialUses ready;  ///< what is stored now
  CredentialUses
      wanted;  ///< what is switched on for the account; `check` lists where the two differ
  Time created{};
  Time last_used{};
};

/// Ready-made bytes to store: hashing is slow and happens before the transaction, on a worker.
struct PreparedCredential {
  std::string name;
  std::string encoded;
};
/// `secret_key`: the instance's key (secret.key), for keyed hashes and encryption. Invalid: empty,
/// too long (1,024 bytes).
Result<PreparedCredential> prepare_password(std::string_view password, CredentialUses uses,
                                            std::string_view secret_key);
/// A generated app password (128 bits) and what is stored of it: one keyed hash, and what `uses`
/// need, at once.
struct AppPassword {
  std::string password;
  PreparedCredential stored;
};
Result<AppPassword> prepare_app_password(std::string_view name, CredentialUses uses,
                                         std::string_view secret_key);

void put_credential(store::Transaction& tx, AccountId account, const PreparedCredential& credential,
                    Time now);
Result<void> remove_credential(store::Transaction& tx, AccountId account, std::string_view name);
std::vector<CredentialInfo> list_credentials(store::Reader& reader, AccountId account);

}  // namespace hikyaku::auth
