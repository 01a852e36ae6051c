// The tables of auth/, all under store::kInstance. Values only ever grow at their end.
#pragma once

#include "store/key.h"

namespace hikyaku::auth {

// key: -                              value: next account id, version of the directory
inline constexpr store::Table kTableDirectory = 0x40;
// key: domain                         value: Domain, first account
inline constexpr store::Table kTableDomain = 0x41;
// key: u32 account                    value: Account
inline constexpr store::Table kTableAccount = 0x42;
// key: domain NUL local part          value: u8 kind: account -> u32 id; alias -> targets
inline constexpr store::Table kTableAddress = 0x43;
// key: u32 account, name              value: credential
inline constexpr store::Table kTableCredential = 0x44;
// key: u32 account                    value: -   removed accounts whose mail is still to be erased
inline constexpr store::Table kTableRemoved = 0x45;
// key: domain NUL selector            value: DKIM signing key (its private part is a file)
inline constexpr store::Table kTableSigningKey = 0x46;

/// Every change of these tables (but of credentials) ends here: one version of the directory more,
/// and those who wait for changes are told. Defined in directory.cc.
void note_directory_change(store::Transaction& tx);

}  // namespace hikyaku::auth
