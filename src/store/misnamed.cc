#include "store/misnamed.h"

#include <fmt/format.h>
#include <optional>
#include <set>

namespace hikyaku::store {
namespace {

/// Where a segment waits for its name while another has it.
constexpr std::string_view kWaiting = ".misnamed";

/// Which segment of this store a file is, if it is one: the one of its name, if a copy of its
/// header says so.
std::optional<SegmentName> segment_in(FileSystem& files, const std::string& directory,
                                      const std::string& file, std::string_view store_id) {
  std::optional<WantedSegment> wanted;
  if (auto name = parse_segment_name(file)) wanted = {*name, store_id};
  auto header = read_segment_header(files, directory + "/" + file, wanted);
  if (!header || header->store_id != store_id) return std::nullopt;
  return SegmentName{header->number, header->kind};
}

/// One that stays keeps its name from others, which then stay, too.
void find_doubts(std::vector<MisnamedSegment>& found, std::set<std::string> taken) {
  std::multiset<std::string> wanted;
  for (const auto& one : found) wanted.insert(one.name());
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& one : found) {
      if (one.in_doubt || (!taken.contains(one.name()) && wanted.count(one.name()) == 1)) continue;
      one.in_doubt = changed = true;
      taken.insert(one.file);
    }
  }
}

}  // namespace

std::string MisnamedSegment::describe(const std::string& directory) const {
  auto what = fmt::format("{}/{} is segment {}", directory, file, is.number);
  if (!in_doubt) return fmt::format("{}: rename it back to {} first", what, name());
  return fmt::format(
      "{}, and another file is that, too, or has its name ({}): move the one that does not count "
      "out of the journal's directory first",
      what, name());
}

Result<std::vector<MisnamedSegment>> find_misnamed(FileSystem& files, const std::string& directory,
                                                   std::string_view store_id) {
  TRY(auto names, files.list(directory));
  std::vector<MisnamedSegment> found;
  std::set<std::string> taken, good;
  for (const auto& file : names) {
    if (file.ends_with(".new")) continue;  // it was being made
    auto is = segment_in(files, directory, file, store_id);
    bool misnamed = is && segment_name(is->number, is->kind) != file;
    if (misnamed)
      found.push_back({file, *is});
    else
      taken.insert(file);
    if (is && !misnamed) good.insert(file);
  }
  find_doubts(found, std::move(taken));
  for (auto& one : found)
    one.in_the_way = one.in_doubt && (parse_segment_name(one.file) || !good.contains(one.name()));
  return found;
}

Result<void> put_names_back(FileSystem& files, const std::string& directory,
                            const std::vector<MisnamedSegment>& misnamed) {
  auto path = [&](const std::string& name) { return directory + "/" + name; };
  std::vector<const MisnamedSegment*> moving;
  for (const auto& one : misnamed)
    if (!one.in_doubt) moving.push_back(&one);
  if (moving.empty()) return {};
  // They may have each other's names.
  for (auto* one : moving)
    TRY_DO(files.rename(path(one->file), path(one->name()).append(kWaiting)));
  for (auto* one : moving)
    TRY_DO(files.rename(path(one->name()).append(kWaiting), path(one->name())));
  return files.sync_directory(directory);
}

}  // namespace hikyaku::store
