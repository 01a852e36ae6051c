#include "app/long_names.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>

#include "app/copy_files.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kMaxBytes = 64 << 20;

}  // namespace

std::string shortened_name(std::string_view path, std::size_t room,
                           const std::function<std::string(std::string_view)>& name_of) {
  auto left = room - 1 - kHashDigits;
  auto begin = utf8_prefix(path, left);
  // What stands for a character may be longer than it.
  while (name_of(begin).size() > left) begin = utf8_prefix(begin, begin.size() - 1);
  auto hash = to_hex(crypto::digest(crypto::Hash::Sha256, path));
  return name_of(begin) + '~' + hash.substr(0, kHashDigits);
}

bool is_shortened(std::string_view name) {
  if (name.size() <= kHashDigits) return false;
  auto end = name.substr(name.size() - kHashDigits - 1);
  return end[0] == '~' &&
         end.substr(1).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<LongNames> LongNames::read(const std::filesystem::path& top) {
  LongNames names;
  auto text = read_below({top, std::string(kFile)}, kMaxBytes);
  if (!text && text.error().code == ErrorCode::NotFound) return names;
  if (!text) return std::unexpected(std::move(text).error());
  for (auto line : split(*text, '\n')) {
    auto tab = line.find('\t');
    if (tab != std::string_view::npos)
      names.mailboxes_.emplace(line.substr(0, tab), line.substr(tab + 1));
  }
  return names;
}

Result<void> LongNames::add(const std::filesystem::path& top, std::string file,
                            std::string mailbox) {
  auto path = top / kFile;
  net::UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!out || !net::write_all(out.get(), fmt::format("{}\t{}\n", file, mailbox)))
    return std::unexpected(errno_error(fmt::format("cannot write {}", path.string()), errno));
  mailboxes_.emplace(std::move(file), std::move(mailbox));
  return {};
}

const std::string* LongNames::find(const std::string& file) const {
  auto found = mailboxes_.find(file);
  return found == mailboxes_.end() ? nullptr : &found->second;
}

}  // namespace hikyaku::app
