// A disk in memory that loses power: what was not synced is kept, dropped or torn by a seed. For
// tests.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "store/file_system.h"

namespace hikyaku::store {

/// From any thread. Files hold what was written to them (the kernel's memory) and what is on the
/// disk. Operations that change something are counted; plans name them by number.
class SimulatedFileSystem : public FileSystem {
 public:
  explicit SimulatedFileSystem(std::uint64_t seed) : random_(seed) {}

  enum class Fault { Io, NoSpace };
  /// The power goes off in the middle of the `count`th operation from now on: everything fails
  /// until power_on(). 0 takes the plan back.
  void power_off_at(std::uint64_t count);
  /// The `count`th sync, or write, from now on fails. After a failed sync the kernel believes that
  /// the pages are clean: later syncs succeed, and the bytes never reach the disk.
  void fail_sync_at(std::uint64_t count, Fault fault = Fault::Io);
  void fail_write_at(std::uint64_t count, Fault fault = Fault::Io);
  /// Writes take random parts of what they are given.
  void set_short_writes(bool on);
  /// True (the default): the end of a file moves only over what is on the disk already, as ext4
  /// (data=ordered), XFS and btrfs do it; what was appended is there from its beginning on. False:
  /// any sectors of it, zeros between them. Space that was taken ahead tears in any case.
  void set_ordered_ends(bool on);
  /// All files together, and how much is free of that. After `refusals` of those who want more
  /// somebody makes room.
  void set_capacity(std::uint64_t bytes, std::uint64_t refusals = UINT64_MAX);

  void power_off();
  /// What is on the disk now, in 512-byte sectors by the seed: everything synced, and any part of
  /// what was not. Open files and locks are dead.
  void power_on();
  /// The process died but not the machine: open files and locks are dead, written bytes stay.
  void restart_process();
  bool powered() const { return powered_; }
  /// Something has failed since the last start.
  bool faulty() const { return faulty_ || !powered_; }
  /// Bytes in all files together.
  std::uint64_t used_space() const;
  std::uint64_t operations() const;

  /// Damages a file as bad hardware does, in memory and on the disk.
  void flip_bit(const std::string& path, std::uint64_t offset, int bit = 0);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> unlink(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  /// Unsupported: a damaged file is to be damaged once.
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::uint64_t> free_space(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, LockScope) override;

 private:
  class OpenFile;
  class HeldLock;
  /// A write, or (without bytes) a change of size, that is not on the disk yet.
  struct Change {
    std::uint64_t offset;
    std::optional<std::string> bytes;
  };
  struct Inode {
    std::string content;
    std::string on_disk;
    std::vector<Change> changes;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  /// A name that appears or (null) disappears; or a directory that gets another name.
  struct NameChange {
    std::string path;
    std::shared_ptr<Inode> inode;
    std::string directory_from = {};
    std::vector<NameChange> inside = {};  ///< what was not synced in it then goes before
  };

  Result<void> count_operation();
  Result<void> alive(std::uint64_t generation) const;
  Result<void> take_space(std::uint64_t bytes);
  std::unexpected<Error> fault_error(Fault fault);
  std::uint64_t used() const;
  void set_name(const std::string& path, std::shared_ptr<Inode> inode);
  void settle(Inode& inode, double kept);
  static void apply(std::string& content, const Change& change);
  static void apply(Names& names, const NameChange& change);
  static void move_names(Names& names, const std::string& from, const std::string& to);
  bool has_files(const std::string& directory) const;
  Result<void> rename_directory(const std::string& from, const std::string& to);

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::atomic<bool> powered_{true};
  std::atomic<bool> faulty_{false};
  std::uint64_t generation_ = 1;
  std::uint64_t operations_ = 0;
  std::uint64_t power_off_at_ = 0;
  std::uint64_t syncs_until_fault_ = 0;
  std::uint64_t writes_until_fault_ = 0;
  Fault sync_fault_ = Fault::Io;
  Fault write_fault_ = Fault::Io;
  bool short_writes_ = false;
  bool ordered_ends_ = true;
  static constexpr std::uint64_t kEndless = UINT64_MAX / 2;
  std::uint64_t capacity_ = kEndless;
  std::uint64_t refusals_ = UINT64_MAX;

  Names names_;
  Names names_on_disk_;
  /// In the order of each directory; a crash keeps a beginning of it.
  std::map<std::string, std::vector<NameChange>> name_changes_;
  std::set<std::string> directories_;
  std::set<std::string> locks_;
};

}  // namespace hikyaku::store
