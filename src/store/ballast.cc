#include "store/ballast.h"

#include <algorithm>

namespace hikyaku::store {
namespace {

constexpr const char* kName = "BALLAST";
/// What a small log segment and a flush of an index of little mail need.
constexpr std::uint64_t kLeast = Ballast::kRoom / 8;

}  // namespace

Ballast::Ballast(FileSystem& files, const std::string& directory, std::uint64_t wanted, Log log)
    : files_(files),
      directory_(directory),
      path_(directory + "/" + kName),
      wanted_(wanted),
      log_(std::move(log)) {}

std::uint64_t Ballast::present() const {
  auto file = files_.open(path_, OpenMode::Read);
  return file ? (*file)->size().value_or(0) : 0;
}

void Ballast::keep() {
  if (wanted_ == 0) return;
  std::lock_guard lock(mutex_);
  auto have = present();
  auto free = files_.free_space(directory_);
  auto may_take = free ? (*free + have) / 8 : 0;
  auto size = std::min(wanted_, may_take);
  // One that was copied may have no space behind it.
  if (!known_ && have != 0 && !make(have, false)) have = 0;
  // One that is smaller than it might be is better than none; it grows when it can double.
  if (size >= kLeast && (have == 0 || size >= 2 * have || (size == wanted_ && have < size))) {
    // A failed one is tried again: there will be another time.
    if (make(size, have == 0)) log_.info("store.ballast_kept", {{"size", size}});
    have = present();
  }
  bytes_ = have;
  known_ = true;
}

Result<void> Ballast::make(std::uint64_t size, bool is_new) {
  if (is_new) (void)files_.unlink(path_);  // an empty one that a crash has left
  TRY(auto file, files_.open(path_, is_new ? OpenMode::Create : OpenMode::Write));
  TRY_DO(file->preallocate(size));
  TRY_DO(file->sync_data());
  return files_.sync_directory(directory_);
}

bool Ballast::give(const Error& why) {
  if (wanted_ == 0) return false;
  std::lock_guard lock(mutex_);
  auto size = present();
  if (size == 0) return false;
  auto removed = files_.unlink(path_);
  // Names can need space, too, where nothing is written in place.
  if (!removed)
    if (auto file = files_.open(path_, OpenMode::Write)) removed = (*file)->truncate(0);
  // Until the removal is on the disk the space is not there for others.
  if (removed) (void)files_.sync_directory(directory_);
  bytes_ = present();
  known_ = true;
  if (!removed) {
    log_.error("store.ballast_stuck", {{"err", removed.error().describe()}});
    return false;
  }
  log_.error("store.ballast_given", {{"size", size}, {"err", why.describe()}});
  return true;
}

}  // namespace hikyaku::store
