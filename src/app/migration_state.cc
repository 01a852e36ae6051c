#include "app/migration_state.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include "app/core.h"
#include "base/base64.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace hikyaku::app {
namespace {

/// A line has about 100 bytes.
constexpr std::size_t kMaxFile = std::size_t{4} << 30;

std::string header_of(const FolderPair& pair) {
  return fmt::format("hikyaku migrate 1 {} {} {} {}\n", pair.from_validity,
                     base64url_encode(pair.from), pair.to_validity, base64url_encode(pair.to));
}

std::optional<Sha256> read_hash(std::string_view text) {
  auto bytes = from_hex(text);
  Sha256 hash;
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*bytes, hash.begin());
  return hash;
}

std::optional<std::uint32_t> read_uid(std::string_view text) {
  auto number = parse_decimal(text, UINT32_MAX);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::string short_hash(std::string_view text) {
  return to_hex(crypto::digest(crypto::Hash::Sha256, text)).substr(0, 24);
}

Result<> write_state(int fd, std::string_view bytes) {
  if (net::write_all(fd, bytes)) return {};
  return std::unexpected(errno_error("cannot write the migration's state", errno));
}

}  // namespace

std::string combined_hash(std::vector<Sha256> hashes) {
  std::ranges::sort(hashes);
  crypto::Digest digest(crypto::Hash::Sha256);
  for (auto& hash : hashes) digest.update({hash.data(), hash.size()});
  return to_hex(digest.finish());
}

// --- one folder ---

Result<FolderState> FolderState::open(const std::filesystem::path& file, const FolderPair& pair,
                                      bool read_only) {
  FolderState state;
  std::string text;
  auto whole = read_file(file, kMaxFile);
  if (whole)
    text = std::move(*whole);
  else if (whole.error().code != ErrorCode::NotFound)
    return std::unexpected(std::move(whole).error());
  auto header = header_of(pair);
  auto keep = text.starts_with(header);
  // What stands behind the last newline was cut off.
  auto end = keep ? text.rfind('\n') + 1 : 0;
  if (keep) state.read(std::string_view(text).substr(header.size(), end - header.size()));
  if (read_only) return state;
  state.file_ = net::UniqueFd(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!state.file_ || ::ftruncate(state.file_.get(), static_cast<off_t>(end)) != 0)
    return std::unexpected(errno_error("cannot write " + file.string(), errno));
  if (!keep) {
    TRY_DO(write_state(state.file_.get(), header));
  }
  return state;
}

void FolderState::read(std::string_view text) {
  while (!text.empty()) {
    auto end = text.find('\n');
    read_line(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

/// "m FROM TO HASH FLAGS…", "t FROM TO", "c FROM", "f FROM FLAGS…", "x FROM".
void FolderState::read_line(std::string_view line) {
  auto word = [&] {
    auto space = line.find(' ');
    auto first = line.substr(0, space);
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
    return first;
  };
  auto kind = word();
  auto from = read_uid(word());
  if (!from) return;
  if (kind == "m") {
    auto to = read_uid(word());
    auto hash = read_hash(word());
    if (to && hash) place_for(*from) = {*from, *to, flags_id(line), false, *hash};
    return;
  }
  auto* message = find_mutable(*from);
  if (!message) return;
  if (kind == "t") {
    message->to = read_uid(word()).value_or(0);
  } else if (kind == "c") {
    message->checked = true;
  } else if (kind == "f") {
    message->flags = flags_id(line);
  } else if (kind == "x") {
    bad_copies_[*from] = message->to;
    messages_.erase(messages_.begin() + (message - messages_.data()));
  }
}

const MovedMessage* FolderState::find(std::uint32_t from) const {
  auto at = std::ranges::lower_bound(messages_, from, {}, &MovedMessage::from);
  return at != messages_.end() && at->from == from ? &*at : nullptr;
}

MovedMessage* FolderState::find_mutable(std::uint32_t from) {
  return const_cast<MovedMessage*>(find(from));
}

MovedMessage& FolderState::place_for(std::uint32_t from) {
  auto at = std::ranges::lower_bound(messages_, from, {}, &MovedMessage::from);
  if (at == messages_.end() || at->from != from) at = messages_.insert(at, MovedMessage{});
  return *at;
}

std::uint32_t FolderState::flags_id(std::string_view text) {
  if (auto known = flag_ids_.find(text); known != flag_ids_.end()) return known->second;
  auto id = static_cast<std::uint32_t>(flag_texts_.size());
  flag_texts_.emplace_back(text);
  flag_ids_.emplace(text, id);
  return id;
}

void FolderState::add(const MovedMessage& message) {
  place_for(message.from) = message;
  unsaved_ +=
      fmt::format("m {} {} {} {}\n", message.from, message.to,
                  to_hex({message.hash.data(), message.hash.size()}), flag_texts_[message.flags]);
}

void FolderState::set_target(std::uint32_t from, std::uint32_t to) {
  if (auto* message = find_mutable(from)) message->to = to;
  unsaved_ += fmt::format("t {} {}\n", from, to);
}

void FolderState::set_checked(std::uint32_t from) {
  if (auto* message = find_mutable(from)) message->checked = true;
  unsaved_ += fmt::format("c {}\n", from);
}

void FolderState::set_flags(std::uint32_t from, std::uint32_t flags) {
  if (auto* message = find_mutable(from)) message->flags = flags;
  unsaved_ += fmt::format("f {} {}\n", from, flag_texts_[flags]);
}

void FolderState::forget(std::uint32_t from) {
  if (auto* message = find_mutable(from)) {
    bad_copies_[from] = message->to;
    messages_.erase(messages_.begin() + (message - messages_.data()));
  }
  unsaved_ += fmt::format("x {}\n", from);
}

std::optional<std::uint32_t> FolderState::bad_copy(std::uint32_t from) const {
  auto found = bad_copies_.find(from);
  return found == bad_copies_.end() ? std::nullopt : std::optional(found->second);
}

Result<> FolderState::save() {
  auto text = std::exchange(unsaved_, {});
  if (!file_ || text.empty()) return {};
  return write_state(file_.get(), text);
}

// --- all of it ---

Result<MigrationState> MigrationState::open(const std::filesystem::path& directory,
                                            std::string_view source, std::string_view target,
                                            bool read_only) {
  MigrationState state;
  state.path_ = directory / short_hash(std::string(source) + "\n" + std::string(target));
  state.read_only_ = read_only;
  if (read_only) return state;
  std::error_code error;
  std::filesystem::create_directories(state.path_, error);
  if (error)
    return std::unexpected(errno_error("cannot make " + state.path_.string(), error.value()));
  auto lock = state.path_ / "accounts";
  state.lock_ =
      net::UniqueFd(::open(lock.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!state.lock_) return std::unexpected(errno_error("cannot write " + lock.string(), errno));
  if (::flock(state.lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorCode::Conflict, "another hikyaku migrate is moving this account");
  // For people who look into it.
  if (::ftruncate(state.lock_.get(), 0) != 0)
    return std::unexpected(errno_error("cannot write " + lock.string(), errno));
  TRY_DO(write_state(state.lock_.get(), fmt::format("from {}\nto {}\n", source, target)));
  return state;
}

Result<FolderState> MigrationState::folder(const FolderPair& pair) const {
  return FolderState::open(path_ / short_hash(pair.from), pair, read_only_);
}

}  // namespace hikyaku::app
