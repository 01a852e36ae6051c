#include "auth/credentials.h"

#include <algorithm>
#include <fmt/core.h>

#include "auth/tables.h"
#include "base/codec.h"
#include "base/text.h"
#include "crypto/constant_time.h"
#include "crypto/keyed_hash.h"
#include "crypto/password.h"
#include "crypto/seal.h"
#include "sasl/saslprep.h"

namespace hikyaku::auth {
namespace {

using store::Key;
using store::kInstance;

constexpr std::string_view kAppPasswordPurpose = "app-password";

Key credential_key(AccountId account, std::string_view name) {
  return Key(kInstance, kTableCredential).u32(account).raw(name);
}

std::string seal_context(std::string_view address, std::string_view name) {
  return fmt::format("legacy password {} of {}", name, address);
}

std::uint64_t millis(Time time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
}
Time time_from(std::uint64_t ms) {
  return Time(milliseconds(static_cast<std::int64_t>(ms)));
}

void put_keys(Encoder& out, const std::optional<sasl::ScramKeys>& keys) {
  out.text(keys ? keys->stored_key : "");
  out.text(keys ? keys->server_key : "");
}

std::optional<sasl::ScramKeys> get_keys(Decoder& in) {
  sasl::ScramKeys keys;
  keys.stored_key = in.text();
  keys.server_key = in.text();
  if (keys.stored_key.empty()) return std::nullopt;
  return keys;
}

std::string encode(const Credential& credential) {
  Encoder out;
  out.u8(credential.is_app_password ? 1 : 0);
  out.u8(static_cast<std::uint8_t>((credential.wanted.scram ? 1 : 0) |
                                   (credential.wanted.legacy ? 2 : 0)));
  out.text(credential.hash);
  put_keys(out, credential.scram_sha1);
  put_keys(out, credential.scram_sha256);
  out.text(credential.sealed);
  out.varint(millis(credential.created));
  out.varint(millis(credential.last_used));
  out.text(credential.key);
  return out.take();
}

Credential decode(std::string_view name, std::string_view value) {
  Decoder in(value);
  Credential credential;
  credential.name = name;
  credential.is_app_password = in.u8() == 1;
  auto wanted = in.u8();
  credential.wanted = {.scram = (wanted & 1) != 0, .legacy = (wanted & 2) != 0};
  credential.hash = in.text();
  credential.scram_sha1 = get_keys(in);
  credential.scram_sha256 = get_keys(in);
  credential.sealed = in.text();
  credential.created = time_from(in.varint());
  credential.last_used = time_from(in.varint());
  credential.key = in.text();
  return credential;
}

std::string salt_of(const crypto::MasterKey& master, crypto::Hash hash, std::string_view address) {
  return sasl::absent_scram_credentials(master, hash, address).salt;
}

}  // namespace

Result<void> complete(const CredentialMaker& maker, Credential& credential,
                      const crypto::Secret& password, CredentialUses uses) {
  credential.wanted = {.scram = credential.wanted.scram || uses.scram,
                       .legacy = credential.wanted.legacy || uses.legacy};
  if (!belongs_to(maker.master, maker.address, credential)) forget_keyed(credential);
  credential.key = mark_of(maker.master);
  if (uses.scram && !credential.scram_sha256) {
    auto keys = [&](crypto::Hash hash) {
      return sasl::derive_scram_keys(hash, password, salt_of(maker.master, hash, maker.address),
                                     sasl::kScramIterations);
    };
    TRY(credential.scram_sha1, keys(crypto::Hash::Sha1));
    TRY(credential.scram_sha256, keys(crypto::Hash::Sha256));
  }
  if (uses.legacy && credential.sealed.empty()) {
    credential.sealed = crypto::seal(maker.master, seal_context(maker.address, credential.name),
                                     password.reveal(), maker.random);
  }
  return {};
}

Result<void> check_chosen(const crypto::Secret& password) {
  // What is hashed is the prepared form: soft hyphens are gone in it.
  auto prepared = sasl::prepare_password(password);
  auto text = prepared.reveal();
  // In UTF-8 each character has one byte that does not go on; of other bytes each is one.
  auto length = is_utf8(text)
                    ? std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; })
                    : std::ssize(text);
  if (static_cast<std::size_t>(length) >= kLeastPassword) return {};
  return fail(ErrorCode::Invalid,
              "the password has fewer than {} characters and is soon guessed: choose a longer one "
              "(a few words will do), or none, and one is made up",
              kLeastPassword);
}

Result<Credential> make_password(const CredentialMaker& maker, const crypto::Secret& password,
                                 CredentialUses uses) {
  if (password.empty()) return fail(ErrorCode::Invalid, "the password is empty");
  if (password.size() > kMaxPassword)
    return fail(ErrorCode::Invalid, "the password is longer than {} bytes", kMaxPassword);
  Credential credential;
  credential.name = kPassword;
  credential.created = maker.now;
  TRY(credential.hash, crypto::hash_password(sasl::prepare_password(password), maker.random));
  TRY_DO(complete(maker, credential, password, uses));
  return credential;
}

Result<AppPassword> make_app_password(const CredentialMaker& maker, std::string_view name,
                                      CredentialUses uses) {
  if (name.empty() || name.size() > 64 || name == kPassword) {
    return fail(ErrorCode::Invalid, "an app password needs a name of 1 to 64 bytes, and not \"{}\"",
                kPassword);
  }
  AppPassword made{.password = crypto::generate_password(maker.random), .stored = {}};
  made.stored.name = name;
  made.stored.is_app_password = true;
  made.stored.created = maker.now;
  made.stored.hash = crypto::keyed_hash(maker.master, kAppPasswordPurpose, made.password.reveal());
  TRY_DO(complete(maker, made.stored, made.password, uses));
  return made;
}

void put_credential(store::Transaction& tx, AccountId account, const Credential& credential) {
  tx.put(credential_key(account, credential.name), encode(credential));
  tx.notify(store::kInstance, kTopicDirectory);
}

Result<void> remove_credential(store::Transaction& tx, AccountId account, std::string_view name) {
  auto key = credential_key(account, name);
  if (!tx.get(key)) return fail(ErrorCode::NotFound, "there is no app password \"{}\"", name);
  tx.erase(key);
  tx.notify(store::kInstance, kTopicDirectory);
  return {};
}

std::optional<Credential> find_credential(store::Reader& reader, AccountId account,
                                          std::string_view name) {
  auto value = reader.get(credential_key(account, name));
  if (!value) return std::nullopt;
  return decode(name, *value);
}

std::vector<Credential> list_credentials(store::Reader& reader, AccountId account) {
  std::vector<Credential> credentials;
  auto prefix = Key(kInstance, kTableCredential).u32(account);
  reader.scan(prefix.children(), [&](std::string_view key, std::string_view value) {
    credentials.push_back(decode(key.substr(prefix.bytes().size()), value));
    return true;
  });
  return credentials;
}

std::string mark_of(const crypto::MasterKey& master) {
  // Backups have it, too: it cannot be made in another way any more.
  return to_hex(master.derive("backup mark").reveal()).substr(0, 16);
}

bool belongs_to(const crypto::MasterKey& master, std::string_view address,
                const Credential& credential) {
  auto keyed = credential.is_app_password || credential.scram_sha256 || !credential.sealed.empty();
  if (keyed && !credential.key.empty() && credential.key != mark_of(master)) return false;
  return credential.sealed.empty() || reveal(master, address, credential).has_value();
}

void forget_keyed(Credential& credential) {
  credential.scram_sha1.reset();
  credential.scram_sha256.reset();
  credential.sealed.clear();
  credential.key.clear();
}

Result<crypto::Secret> reveal(const crypto::MasterKey& master, std::string_view address,
                              const Credential& credential) {
  return crypto::unseal(master, seal_context(address, credential.name), credential.sealed);
}

bool matches_app_password(const crypto::MasterKey& master, const Credential& credential,
                          const crypto::Secret& password) {
  auto hash = crypto::keyed_hash(master, kAppPasswordPurpose, password.reveal());
  return crypto::constant_time_equal(hash, credential.hash);
}

sasl::ScramCredentials scram_credentials(const crypto::MasterKey& master, crypto::Hash hash,
                                         std::string_view address,
                                         const std::vector<Credential>& credentials) {
  sasl::ScramCredentials scram;
  scram.salt = salt_of(master, hash, address);
  for (auto& credential : credentials) {
    auto& keys = hash == crypto::Hash::Sha1 ? credential.scram_sha1 : credential.scram_sha256;
    if (keys) scram.keys.push_back(*keys);
  }
  return scram;
}

}  // namespace hikyaku::auth
