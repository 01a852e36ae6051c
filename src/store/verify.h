// Checking a store that nobody has open: every record, every body, every row; and mending it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "store/open.h"

namespace hikyaku::store {

struct VerifyReport;
struct LostBody;

struct VerifyOptions {
  /// Go over what cannot be read, and make an index again that does not agree with the journal.
  bool repair = false;
  /// Called now and then with what is being done, and how much of it is done (0 to 1).
  std::function<void(std::string_view doing, double part)> progress = {};
  /// Opens an empty index beside the store's for comparing, and removes it; empty: RocksDB in
  /// `directory`/verify.
  std::function<Result<std::unique_ptr<Index>>()> open_scratch = {};
  std::function<void()> remove_scratch = {};
  /// Removes the store's index, so that opening it gives an empty one; empty: RocksDB's files.
  std::function<Result<void>()> remove_index = {};
  /// Gives LostBody::name from rows and what else is known of it; empty: there are no names.
  std::function<std::string(Reader& reader, const LostBody& body)> name = {};
  /// Called with what has been found so far before a repair writes what makes a loss no news any
  /// more: what it tells must be on a disk when it returns. An error ends the repair there.
  std::function<Result<void>(const VerifyReport& found)> before_repair = {};
};

/// A body that cannot be read, or that no row knows any more.
struct LostBody {
  BlobId id = 0;  ///< 0 if unknown
  std::uint64_t size = 0;
  std::optional<Time> staged = {};       ///< nullopt if unknown
  std::string salvage = {};              ///< as it was given to stage(); empty if unknown
  std::vector<std::string> owners = {};  ///< keys
  std::string name = {};                 ///< what people know it by; empty if unknown
};

struct VerifyReport {
  std::uint64_t segments = 0;
  std::uint64_t groups = 0;
  std::uint64_t bodies = 0;
  std::uint64_t waiting =
      0;  ///< of the bodies: nobody owns them any more, reclaiming will have them
  /// Of those that wait, the ones that cannot be read, at most as many as `lost` may have. What
  /// they were nobody has any more, unless it can be brought back (mailbox::scan_expunged).
  std::vector<BlobId> waiting_damaged = {};
  std::uint64_t body_bytes = 0;
  std::uint64_t rows = 0;  ///< compared with a replay; 0 if that was not possible
  /// Whether the rows of the index were compared with what the journal says.
  enum class Comparing {
    Done,
    NoCopy,   ///< parts of the journal are gone, and no copy of the index is there to begin from
    Skipped,  ///< the store is looked at without writing, or damage stands in the way
  };
  Comparing comparing = Comparing::Done;
  /// What is not as it should be, a sentence each; the first thousand of `problem_count`.
  std::vector<std::string> problems;
  std::uint64_t problem_count = 0;

  std::vector<LostBody> lost;
  std::uint64_t lost_groups = 0;
  /// Parts of the journal that a repair gave up, of which nothing tells whether there were groups
  /// in them that the index does not have: a sentence each.
  std::vector<std::string> perhaps_lost = {};
  /// What repairing did, a sentence each.
  std::vector<std::string> repairs;
  std::uint32_t epoch = 0;

  bool good() const { return problem_count == 0; }
  bool rows_compared() const { return comparing == Comparing::Done; }
};

/// Locks the store and checks it. Conflict when a process has it open; NotFound: there is none; Io.
/// What is wrong with the store is no error but in the report. Blocks, reads everything.
Result<VerifyReport> verify_store(const Options& options, const VerifyOptions& how);

}  // namespace hikyaku::store
