// What a migration has done so far, in a file for each folder, so that it can go on after anything.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/fd.h"

namespace hikyaku::app {

using Sha256 = std::array<char, 32>;

/// One message that was moved.
struct MovedMessage {
  std::uint32_t from = 0;   ///< UID at the source
  std::uint32_t to = 0;     ///< UID at the target; 0: it did not tell
  std::uint32_t flags = 0;  ///< in FolderState::flag_texts: as they were when last copied
  bool checked = false;     ///< read back from the target, and the same
  Sha256 hash{};            ///< of what was read at the source
};

/// The digest of many messages, whatever their order: SHA-256 over the sorted digests.
std::string combined_hash(std::vector<Sha256> hashes);

/// The mailboxes that UIDs belong to.
struct FolderPair {
  std::string from;
  std::uint32_t from_validity = 0;
  std::string to;
  std::uint32_t to_validity = 0;
  friend bool operator==(const FolderPair&, const FolderPair&) = default;
};

/// One folder's file. Each change is a line at its end; a line that was cut off by a crash is
/// dropped at the next opening. Losing lines is harmless: what is at the target and not here is
/// recognized by its content.
class FolderState {
 public:
  /// Reads the file, or begins it anew when it speaks of other mailboxes (a changed UIDVALIDITY).
  /// With `read_only` nothing is written, then or later. Io.
  static Result<FolderState> open(const std::filesystem::path& file, const FolderPair& pair,
                                  bool read_only);

  /// By the UID at the source, ascending.
  const std::vector<MovedMessage>& messages() const { return messages_; }
  const MovedMessage* find(std::uint32_t from) const;

  /// Flags as text, each one once: "\Seen work".
  std::uint32_t flags_id(std::string_view text);
  const std::string& flags_text(std::uint32_t id) const { return flag_texts_[id]; }

  void add(const MovedMessage& message);
  void set_target(std::uint32_t from, std::uint32_t to);
  void set_checked(std::uint32_t from);
  void set_flags(std::uint32_t from, std::uint32_t flags);
  /// It is to be copied once more: what the target has of it is not what was sent.
  void forget(std::uint32_t from);
  /// The UID at the target of the copy for which it was forgotten; 0: that was not found. nullopt:
  /// it never was.
  std::optional<std::uint32_t> bad_copy(std::uint32_t from) const;
  /// Writes what was changed. Io, NoSpace.
  Result<> save();

 private:
  FolderState() = default;
  void read(std::string_view text);
  void read_line(std::string_view line);
  MovedMessage* find_mutable(std::uint32_t from);
  MovedMessage& place_for(std::uint32_t from);

  net::UniqueFd file_;
  std::vector<MovedMessage> messages_;
  std::map<std::uint32_t, std::uint32_t> bad_copies_;  // UID at the source → UID at the target
  std::vector<std::string> flag_texts_;
  std::map<std::string, std::uint32_t, std::less<>> flag_ids_;
  std::string unsaved_;
};

/// The folder of one migration's files; one process at a time.
class MigrationState {
 public:
  /// `source` and `target` name the two accounts, whatever their passwords. Conflict: another
  /// process works on it.
  static Result<MigrationState> open(const std::filesystem::path& directory,
                                     std::string_view source, std::string_view target,
                                     bool read_only);

  Result<FolderState> folder(const FolderPair& pair) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  net::UniqueFd lock_;
  bool read_only_ = false;
};

}  // namespace hikyaku::app
