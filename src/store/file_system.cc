#include "store/file_system.h"

#include <algorithm>

namespace hikyaku::store {

Result<void> write_all(File& file, std::uint64_t offset, std::span<const std::string_view> pieces) {
  std::vector<std::string_view> left(pieces.begin(), pieces.end());
  std::size_t first = 0;
  while (true) {
    while (first < left.size() && left[first].empty()) ++first;
    if (first == left.size()) return {};
    TRY(auto written, file.write_some(offset, std::span(left).subspan(first)));
    if (written == 0) return fail(ErrorCode::Io, "a write made no progress");
    offset += written;
    while (written > 0) {
      auto taken = std::min(written, left[first].size());
      left[first].remove_prefix(taken);
      written -= taken;
      if (left[first].empty()) ++first;
    }
  }
}

Result<void> write_all(File& file, std::uint64_t offset, std::string_view bytes) {
  return write_all(file, offset, std::span(&bytes, 1));
}

Result<std::string> read_exactly(File& file, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  TRY(auto got, file.read(offset, bytes));
  if (got == 0 && length != 0)
    return fail(ErrorCode::Corrupt, "it stood from byte {} on, and the file ends before", offset);
  if (got != length)
    return fail(ErrorCode::Corrupt, "it stood from byte {} to {}, and the file ends at {}", offset,
                offset + length, offset + got);
  return bytes;
}

Result<std::string> read_file(FileSystem& files, const std::string& path, std::size_t limit) {
  TRY(auto file, files.open(path, OpenMode::Read));
  TRY(auto size, file->size());
  if (size > limit) return fail(ErrorCode::TooLarge, "{} is longer than {} bytes", path, limit);
  return read_exactly(*file, 0, static_cast<std::size_t>(size));
}

Result<void> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                          std::string_view bytes) {
  auto path = directory + "/" + name;
  auto beside = path + ".new";
  if (auto gone = files.unlink(beside); !gone && gone.error().code != ErrorCode::NotFound)
    return std::unexpected(gone.error());
  TRY(auto file, files.open(beside, OpenMode::Create));
  TRY_DO(write_all(*file, 0, bytes));
  TRY_DO(file->sync_data());
  file.reset();
  TRY_DO(files.rename(beside, path));
  return files.sync_directory(directory);
}

Result<void> copy_file(FileSystem& files, const std::string& from, const std::string& to) {
  constexpr std::uint64_t kPiece = 1 << 20;
  TRY(auto source, files.open(from, OpenMode::Read));
  TRY(auto target, files.open(to, OpenMode::Create));
  TRY(auto size, source->size());
  for (std::uint64_t at = 0; at < size; at += kPiece) {
    TRY(auto bytes,
        read_exactly(*source, at, static_cast<std::size_t>(std::min(kPiece, size - at))));
    TRY_DO(write_all(*target, at, bytes));
  }
  return target->sync_data();
}

Result<void> remove_files(FileSystem& files, const std::string& directory) {
  auto names = files.list(directory);
  if (!names && names.error().code == ErrorCode::NotFound) return {};
  if (!names) return std::unexpected(names.error());
  for (const auto& name : *names) TRY_DO(files.unlink(directory + "/" + name));
  return files.remove_directory(directory);
}

}  // namespace hikyaku::store
