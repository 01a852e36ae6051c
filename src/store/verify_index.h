// The indexes that verifying has to do with: the store's own, the copy that reclaiming keeps, and
// one beside them that is made from the journal to compare with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "store/index.h"
#include "store/index_salvage.h"
#include "store/recovery.h"
#include "store/verify.h"

namespace hikyaku::store {

/// Every key there can be.
KeyRange all_keys();

class VerifiedIndexes {
 public:
  /// All must outlive it.
  VerifiedIndexes(const Options& options, const VerifyOptions& how, FileSystem& files)
      : options_(options), how_(how), files_(files) {}

  /// There is a copy to begin from.
  bool has_copy() const;
  /// The store's own has no files, though the copy says that there was one.
  bool is_missing() const;

  /// What of the store's own cannot be read: every block of its tables is, and held against its
  /// checksum. nullopt also for one that cannot be opened at all, which open() tells. Blocks.
  std::optional<std::string> find_damage() const;

  /// The store's own. Corrupt, Io.
  Result<std::unique_ptr<Index>> open() const;
  /// The store's own, removed and begun again: with what the copy has or, if that is not there or
  /// cannot be opened and the whole journal is, with nothing. Nobody has it open.
  Result<std::unique_ptr<Index>> make_again(bool whole_journal) const;

  /// How far the store's own, which is damaged, had come; zeros if that cannot be read.
  JournalPosition position() const;
  /// Nothing leads to all that the store's own has had, up to group `least` at least, and there is
  /// something of it, or of a copy of it, to read.
  bool must_salvage(const LogChain& chain, Lsn least) const;
  /// What can be read of the store's own is in a new one beside it, and takes its place once it is
  /// closed again and use_salvaged() is called.
  Result<std::unique_ptr<Index>> salvage(const LogChain& chain, SalvagedIndex& found) const;
  Result<std::unique_ptr<Index>> use_salvaged() const;

  enum class Begin { Empty, FromCopy };
  /// The one beside them, in place of any from before.
  Result<std::unique_ptr<Index>> open_scratch(Begin begin) const;
  /// The same with what can be read of the store's own.
  Result<std::unique_ptr<Index>> open_scratch(const LogChain& chain, SalvagedIndex& found) const;
  void remove_scratch() const;

  /// What is wrong with the copy: looks at all of its rows, and whether the journal goes on from it
  /// up to group `whole`. Makes a scratch index; NoSpace if there is no room for one.
  Result<std::optional<std::string>> fault_of_copy(const LogChain& chain, Lsn whole) const;

 private:
  Result<std::unique_ptr<Index>> open_salvaged(const LogChain& chain, const std::string& directory,
                                               SalvagedIndex& found) const;
  std::optional<std::string> best_copy(bool whole_journal) const;
  std::string scratch_directory() const { return options_.directory + "/verify"; }

  const Options& options_;
  const VerifyOptions& how_;
  FileSystem& files_;
};

/// How two indexes differ.
struct Comparison {
  std::uint64_t rows = 0;
  std::uint64_t different = 0;
};
Comparison compare(const IndexView& stored, const IndexView& replayed);

}  // namespace hikyaku::store
