#include "store/simulated_file_system.h"

#include <algorithm>

namespace hikyaku::store {
namespace {

constexpr std::uint64_t kSector = 512;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

/// Whether a counter that is set reaches zero now.
bool counts_down(std::uint64_t& counter) {
  return counter != 0 && --counter == 0;
}

}  // namespace

class SimulatedFileSystem::OpenFile final : public File {
 public:
  OpenFile(SimulatedFileSystem& files, std::shared_ptr<Inode> inode)
      : files_(files), inode_(std::move(inode)), generation_(files.generation_) {}

  Result<std::size_t> write_some(std::uint64_t offset,
                                 std::span<const std::string_view> pieces) override {
    std::lock_guard lock(files_.mutex_);
    TRY_DO(files_.alive(generation_));
    std::string bytes;
    for (auto piece : pieces) bytes += piece;
    if (files_.short_writes_ && bytes.size() > 1) bytes.resize(1 + files_.random_() % bytes.size());
    if (counts_down(files_.writes_until_fault_)) return files_.fault_error(files_.write_fault_);
    auto end = offset + bytes.size();
    if (end > inode_->content.size()) TRY_DO(files_.take_space(end - inode_->content.size()));
    auto counted = files_.count_operation();
    auto written = bytes.size();
    // What is cut off by the power may still have reached the disk, in part.
    change({offset, std::move(bytes)});
    TRY_DO(std::move(counted));
    return written;
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    std::lock_guard lock(files_.mutex_);
    TRY_DO(files_.alive(generation_));
    const auto& content = inode_->content;
    if (offset >= content.size()) return 0;
    auto count = std::min<std::uint64_t>(into.size(), content.size() - offset);
    std::copy_n(content.data() + offset, count, into.data());
    return static_cast<std::size_t>(count);
  }

  std::optional<std::size_t> read_cached(std::uint64_t offset, std::span<char> into) override {
    // Every other read must go the long way.
    if ((offset / 4096) % 2 == 0) return std::nullopt;
    auto got = read(offset, into);
    return got && *got == into.size() ? std::optional(*got) : std::nullopt;
  }

  Result<void> sync_data() override {
    std::lock_guard lock(files_.mutex_);
    TRY_DO(files_.alive(generation_));
    TRY_DO(files_.count_operation());
    if (counts_down(files_.syncs_until_fault_)) {
      files_.settle(*inode_, 0.5);
      return files_.fault_error(files_.sync_fault_);
    }
    for (const auto& done : inode_->changes) apply(inode_->on_disk, done);
    inode_->changes.clear();
    return {};
  }

  Result<void> preallocate(std::uint64_t wanted) override {
    std::lock_guard lock(files_.mutex_);
    TRY_DO(files_.alive(generation_));
    if (wanted <= inode_->content.size()) return {};
    TRY_DO(files_.take_space(wanted - inode_->content.size()));
    TRY_DO(files_.count_operation());
    change({wanted, std::nullopt});
    return {};
  }

  Result<void> truncate(std::uint64_t length) override {
    std::lock_guard lock(files_.mutex_);
    TRY_DO(files_.alive(generation_));
    TRY_DO(files_.count_operation());
    change({length, std::nullopt});
    return {};
  }

  Result<std::uint64_t> size() override {
    std::lock_guard lock(files_.mutex_);
    TRY_DO(files_.alive(generation_));
    return inode_->content.size();
  }

 private:
  void change(Change what) {
    apply(inode_->content, what);
    inode_->changes.push_back(std::move(what));
  }

  SimulatedFileSystem& files_;
  std::shared_ptr<Inode> inode_;
  std::uint64_t generation_;
};

class SimulatedFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(SimulatedFileSystem& files, std::string path)
      : files_(files), path_(std::move(path)), generation_(files.generation_) {}
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;
  ~HeldLock() override {
    std::lock_guard lock(files_.mutex_);
    if (files_.generation_ == generation_) files_.locks_.erase(path_);
  }

 private:
  SimulatedFileSystem& files_;
  std::string path_;
  std::uint64_t generation_;
};

void SimulatedFileSystem::apply(std::string& content, const Change& change) {
  if (!change.bytes) {
    content.resize(static_cast<std::size_t>(change.offset));
    return;
  }
  auto end = static_cast<std::size_t>(change.offset + change.bytes->size());
  if (content.size() < end) content.resize(end);
  std::ranges::copy(*change.bytes, content.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

void SimulatedFileSystem::apply(Names& names, const NameChange& change) {
  if (!change.directory_from.empty()) {
    for (const auto& before : change.inside) apply(names, before);
    move_names(names, change.directory_from, change.path);
  } else if (change.inode) {
    names[change.path] = change.inode;
  } else {
    names.erase(change.path);
  }
}

void SimulatedFileSystem::move_names(Names& names, const std::string& from, const std::string& to) {
  std::erase_if(names, [&](const auto& name) { return directory_of(name.first) == to; });
  Names moved;
  for (const auto& [path, inode] : names)
    if (directory_of(path) == from) moved[to + path.substr(from.size())] = inode;
  std::erase_if(names, [&](const auto& name) { return directory_of(name.first) == from; });
  names.merge(moved);
}

/// Brings a random part of the unsynced changes to the disk and forgets the rest.
void SimulatedFileSystem::settle(Inode& inode, double kept) {
  auto keep = [&] { return std::uniform_real_distribution<>(0, 1)(random_) < kept; };
  for (const auto& change : inode.changes) {
    if (!change.bytes) {
      if (keep()) apply(inode.on_disk, change);
      continue;
    }
    for (std::uint64_t at = 0; at < change.bytes->size();) {
      auto place = change.offset + at;
      auto count = std::min(kSector - place % kSector, change.bytes->size() - at);
      bool behind_the_end = ordered_ends_ && place > inode.on_disk.size();
      if (keep() && !behind_the_end)
        apply(inode.on_disk, {place, change.bytes->substr(static_cast<std::size_t>(at),
                                                          static_cast<std::size_t>(count))});
      at += count;
    }
  }
  inode.changes.clear();
}

void SimulatedFileSystem::power_off_at(std::uint64_t count) {
  std::lock_guard lock(mutex_);
  power_off_at_ = count == 0 ? 0 : operations_ + count;
}

void SimulatedFileSystem::fail_sync_at(std::uint64_t count, Fault fault) {
  std::lock_guard lock(mutex_);
  syncs_until_fault_ = count;
  sync_fault_ = fault;
}

void SimulatedFileSystem::fail_write_at(std::uint64_t count, Fault fault) {
  std::lock_guard lock(mutex_);
  writes_until_fault_ = count;
  write_fault_ = fault;
}

void SimulatedFileSystem::set_short_writes(bool on) {
  std::lock_guard lock(mutex_);
  short_writes_ = on;
}

void SimulatedFileSystem::set_ordered_ends(bool on) {
  std::lock_guard lock(mutex_);
  ordered_ends_ = on;
}

void SimulatedFileSystem::set_capacity(std::uint64_t bytes, std::uint64_t refusals) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
  refusals_ = refusals;
}

void SimulatedFileSystem::power_off() {
  std::lock_guard lock(mutex_);
  powered_ = false;
}

void SimulatedFileSystem::power_on() {
  std::lock_guard lock(mutex_);
  ++generation_;
  powered_ = true;
  faulty_ = false;
  power_off_at_ = syncs_until_fault_ = writes_until_fault_ = 0;
  locks_.clear();
  // Sometimes nearly everything got to the disk, sometimes nothing.
  constexpr double kKept[] = {0, 0.3, 0.5, 0.9, 0.99, 1};
  double kept = kKept[random_() % std::size(kKept)];
  for (auto& [directory, changes] : name_changes_) {
    auto count = random_() % (changes.size() + 1);
    for (std::size_t i = 0; i < count; ++i) apply(names_on_disk_, changes[i]);
  }
  name_changes_.clear();
  names_ = names_on_disk_;
  for (auto& [path, inode] : names_) {
    settle(*inode, kept);
    inode->content = inode->on_disk;
  }
}

void SimulatedFileSystem::restart_process() {
  std::lock_guard lock(mutex_);
  ++generation_;
  faulty_ = false;
  locks_.clear();
  power_off_at_ = syncs_until_fault_ = writes_until_fault_ = 0;
}

std::uint64_t SimulatedFileSystem::used_space() const {
  std::lock_guard lock(mutex_);
  return used();
}

std::uint64_t SimulatedFileSystem::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

void SimulatedFileSystem::flip_bit(const std::string& path, std::uint64_t offset, int bit) {
  std::lock_guard lock(mutex_);
  auto& inode = *names_.at(path);
  for (auto* content : {&inode.content, &inode.on_disk})
    if (offset < content->size()) (*content)[static_cast<std::size_t>(offset)] ^= 1 << bit;
}

Result<void> SimulatedFileSystem::count_operation() {
  ++operations_;
  if (power_off_at_ != 0 && operations_ >= power_off_at_) powered_ = false;
  if (!powered_) return fail(ErrorCode::Io, "simulated: the power is off");
  return {};
}

Result<void> SimulatedFileSystem::alive(std::uint64_t generation) const {
  if (!powered_ || generation != generation_)
    return fail(ErrorCode::Io, "simulated: the power is off");
  return {};
}

std::unexpected<Error> SimulatedFileSystem::fault_error(Fault fault) {
  faulty_ = true;
  if (fault == Fault::NoSpace) return fail(ErrorCode::NoSpace, "simulated: no space left");
  return fail(ErrorCode::Io, "simulated: input/output error");
}

std::uint64_t SimulatedFileSystem::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, inode] : names_) bytes += inode->content.size();
  return bytes;
}

Result<void> SimulatedFileSystem::take_space(std::uint64_t bytes) {
  if (used() + bytes <= capacity_) return {};
  if (--refusals_ == 0) capacity_ = kEndless;
  return fault_error(Fault::NoSpace);
}

void SimulatedFileSystem::set_name(const std::string& path, std::shared_ptr<Inode> inode) {
  if (inode) {
    names_[path] = inode;
  } else {
    names_.erase(path);
  }
  name_changes_[directory_of(path)].push_back({path, std::move(inode)});
}

Result<std::unique_ptr<File>> SimulatedFileSystem::open(const std::string& path, OpenMode mode) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  auto name = names_.find(path);
  if (mode != OpenMode::Create) {
    if (name == names_.end()) return fail(ErrorCode::NotFound, "simulated: no file {}", path);
    return std::make_unique<OpenFile>(*this, name->second);
  }
  if (name != names_.end()) return fail(ErrorCode::Exists, "simulated: {} exists", path);
  TRY_DO(count_operation());
  auto inode = std::make_shared<Inode>();
  set_name(path, inode);
  return std::make_unique<OpenFile>(*this, std::move(inode));
}

Result<void> SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  if (directories_.contains(from)) return rename_directory(from, to);
  auto name = names_.find(from);
  if (name == names_.end()) return fail(ErrorCode::NotFound, "simulated: no file {}", from);
  TRY_DO(count_operation());
  auto inode = name->second;
  set_name(to, std::move(inode));
  set_name(from, nullptr);
  return {};
}

bool SimulatedFileSystem::has_files(const std::string& directory) const {
  return std::ranges::any_of(
      names_, [&](const auto& name) { return directory_of(name.first) == directory; });
}

/// Directories that are empty count as missing ones: an empty one may stay behind after a crash.
Result<void> SimulatedFileSystem::rename_directory(const std::string& from, const std::string& to) {
  if (has_files(to)) return fail(ErrorCode::Exists, "simulated: {} exists", to);
  if (!has_files(from)) return fail(ErrorCode::NotFound, "simulated: no directory {}", from);
  TRY_DO(count_operation());
  move_names(names_, from, to);
  directories_.insert(to);
  name_changes_[directory_of(to)].push_back({to, nullptr, from, std::move(name_changes_[from])});
  name_changes_[from].clear();
  name_changes_[to].clear();
  return {};
}

Result<void> SimulatedFileSystem::remove_directory(const std::string& path) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  if (!directories_.contains(path))
    return fail(ErrorCode::NotFound, "simulated: no directory {}", path);
  if (has_files(path)) return fail(ErrorCode::Exists, "simulated: {} is not empty", path);
  return {};
}

Result<void> SimulatedFileSystem::link(const std::string& from, const std::string&) {
  return fail(ErrorCode::Unsupported, "simulated: {} cannot be linked", from);
}

Result<void> SimulatedFileSystem::unlink(const std::string& path) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  if (!names_.contains(path)) return fail(ErrorCode::NotFound, "simulated: no file {}", path);
  TRY_DO(count_operation());
  set_name(path, nullptr);
  return {};
}

Result<void> SimulatedFileSystem::make_directory(const std::string& path) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  for (auto end = path.find('/', 1); end != path.npos; end = path.find('/', end + 1))
    directories_.insert(path.substr(0, end));
  directories_.insert(path);
  return {};
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& directory) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  if (!directories_.contains(directory))
    return fail(ErrorCode::NotFound, "simulated: no directory {}", directory);
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_)
    if (directory_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
  return names;
}

Result<void> SimulatedFileSystem::sync_directory(const std::string& directory) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  TRY_DO(count_operation());
  for (const auto& change : name_changes_[directory]) apply(names_on_disk_, change);
  name_changes_[directory].clear();
  return {};
}

Result<std::uint64_t> SimulatedFileSystem::free_space(const std::string&) {
  std::lock_guard lock(mutex_);
  TRY_DO(alive(generation_));
  auto taken = used();
  return taken > capacity_ ? 0 : capacity_ - taken;
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::lock(const std::string& path, LockScope) {
  std::lock_guard guard(mutex_);
  TRY_DO(alive(generation_));
  if (!locks_.insert(path).second)
    return fail(ErrorCode::Conflict, "{} is held by process 1", path);
  return std::make_unique<HeldLock>(*this, path);
}

}  // namespace hikyaku::store
