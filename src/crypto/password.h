// Passwords: stored so that they cannot be read back, verified, generated.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::crypto {

/// What one verification costs us, and so whoever stole the hashes. The defaults (19 MiB, two
/// passes: about 20 ms of a core) are OWASP's recommendation for Argon2id.
struct Argon2Cost {
  std::size_t memory_kib = 19 * 1024;
  unsigned passes = 2;
};

/// A new hash for `password`, in the encoded form $argon2id$v=19$m=…,t=…,p=1$salt$hash (RFC 9106).
/// Takes tens of milliseconds and the memory: on a worker. NoSpace when there is no memory.
Result<std::string> hash_password(const Secret& password, Random& random,
                                  const Argon2Cost& cost = {});

/// True if `password` is the one that `stored` was made from. As expensive as `stored` says: on a
/// worker. Understands our own Argon2id hashes and those taken over from other systems:
///   $argon2id$ $argon2i$ $2a$ $2b$ $2y$ $5$ $6$ $1$ $y$ and the traditional thirteen characters,
///   each also behind a scheme as Dovecot writes it ({SHA512-CRYPT}$6$…, {BLF-CRYPT}, {ARGON2ID},
///   {CRYPT}), and {SSHA} {SSHA256} {SSHA512} {SHA} {SHA256} {SHA512} {PLAIN-MD5} in base64 or hex.
/// Unsupported for other forms, Invalid for a broken one, TooLarge when it asks for more work than
/// a login may cost (256 MiB, 2^16 bcrypt rounds, 5,000,000 SHA-crypt rounds).
Result<bool> verify_password(const Secret& password, std::string_view stored);

/// True if `stored` should be replaced by a new hash at the next login: any other form than
/// Argon2id, or a cheaper one than `cost`.
bool wants_rehash(std::string_view stored, const Argon2Cost& cost = {});

/// Verifies nothing and takes as long as the default cost: for names that do not exist.
void spend_password_time(const Secret& password);

/// A password to be typed and read aloud: seven groups of four from 32 letters and digits that are
/// not mistaken for each other (no 0, o, 1, l), 140 bits.
Secret generate_password(Random& random);

}  // namespace hikyaku::crypto
