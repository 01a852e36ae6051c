// Address lists of header fields (RFC 5322 §3.4 and §4.4, RFC 6854, RFC 6532), as strict mail has
// them and as they are met. Never fails: what is no address comes out as a name or a local part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::mime {

/// One member of a list. A group is GroupStart (its name in `name`), its members, GroupEnd: the
/// form that IMAP's ENVELOPE has (RFC 9051 §7.5.2).
struct Address {
  enum class Kind : std::uint8_t { Mailbox, GroupStart, GroupEnd };

  Kind kind = Kind::Mailbox;
  /// Display name, else a comment that stood after the address (the old form of a name); quotes and
  /// folds removed, encoded words still encoded: see display_name.
  std::string name;
  std::string route;   ///< obsolete source route "@a,@b", without the colon
  std::string local;   ///< unquoted local part
  std::string domain;  ///< without space and comments; empty when the address has none

  /// local@domain, the local part quoted if it must be; the local part alone without domain.
  std::string addr_spec() const;
  /// `name` in UTF-8.
  std::string display_name() const;
};

/// A whole field value. At most `limit` members are taken, the rest is ignored.
std::vector<Address> parse_address_list(std::string_view value, std::size_t limit = 10'000);

/// The first mailbox of a list (group members included); an empty one when there is none.
Address first_mailbox(std::string_view value);

/// The local part as it stands in an address: quoted when it is no dot-atom (RFC 5322 §3.4.1).
std::string quote_local_part(std::string_view local);

/// A character of atoms (RFC 5322 §3.2.3), UTF-8 included (RFC 6532 §3.2).
bool is_atom_char(char c);

}  // namespace hikyaku::mime
