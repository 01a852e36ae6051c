#include "app/file_access.h"

#include <algorithm>
#include <cctype>
#include <deque>
#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/forked.h"
#include "app/system_user.h"
#include "base/codec.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

/// As many as the kernel follows.
constexpr int kMostLinks = 40;

constexpr Phrase kClosed{
    "{} (server.user) cannot read {}: {} is closed to it ({}:{} {:04o}). Let it: {}",
    "{} (server.user) が {} を読めません。{} が閉じられています ({}:{} {:04o})。"
    "読めるようにするには: {}"};
constexpr Phrase kClosedElsewhere{
    "{} (server.user) cannot read {}, without which the server does not start: {} is closed to it "
    "({}:{} {:04o}). Give it copies: install -m 0640 -g {} {} {}/, name those in "
    "tls.certificates, and do so again after each renewal (certbot: --deploy-hook, as README has "
    "it)",
    "{} (server.user) が {} を読めないため、サーバーは起動しません。{} が閉じられています "
    "({}:{} {:04o})。複製を渡してください: install -m 0640 -g {} {} {}/。それを tls.certificates "
    "に書き、更新のたびに繰り返します(certbot なら --deploy-hook。README にあります)"};

std::string name_of_group(gid_t gid) {
  auto* entry = ::getgrgid(gid);
  return entry ? entry->gr_name : std::to_string(gid);
}

Obstacle obstacle_at(const fs::path& path, bool is_directory) {
  Obstacle found;
  found.path = path;
  found.is_directory = is_directory;
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return found;
  auto owner = find_user(facts.st_uid);
  found.owner = owner ? owner->name : std::to_string(facts.st_uid);
  found.group = name_of_group(facts.st_gid);
  found.mode = facts.st_mode & 07777;
  return found;
}

/// As it is, where a shell takes it so.
std::string quoted_for_shell(const std::string& path) {
  auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("/._-+:@%,=").contains(c);
  };
  if (std::ranges::all_of(path, plain)) return path;
  std::string quoted = "'";
  for (char c : path) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

bool may(const fs::path& path, int what) {
  return ::faccessat(AT_FDCWD, path.c_str(), what, AT_EACCESS) == 0 || errno != EACCES;
}

std::optional<Obstacle> look(const fs::path& file) {
  std::error_code error;
  auto whole = fs::absolute(file, error);
  std::deque<fs::path> rest(whole.begin(), whole.end());
  fs::path at = "/";
  for (int links = 0; !rest.empty();) {
    auto name = rest.front();
    rest.pop_front();
    if (name.empty()) continue;
    if (name.is_absolute()) {
      at = "/";
      continue;
    }
    if (!may(at, X_OK)) return obstacle_at(at, true);
    auto next = at / name;
    if (!fs::is_symlink(fs::symlink_status(next, error))) {
      at = name == ".." ? at.parent_path() : next;
      continue;
    }
    auto target = fs::read_symlink(next, error);
    if (error || ++links > kMostLinks) return std::nullopt;
    rest.insert(rest.begin(), target.begin(), target.end());
  }
  if (!may(at, R_OK)) return obstacle_at(at, false);
  return std::nullopt;
}

std::string encode(const std::vector<Obstacle>& all) {
  Encoder out;
  out.varint(all.size());
  for (auto& one : all) {
    for (auto& text : {one.file.string(), one.path.string(), one.owner, one.group}) out.text(text);
    out.u8(one.is_directory);
    out.varint(one.mode);
  }
  return out.take();
}

Result<std::vector<Obstacle>> decode(std::string_view bytes) {
  Decoder in(bytes);
  std::vector<Obstacle> all;
  for (auto count = in.varint(); count > 0 && !in.failed(); --count) {
    Obstacle one;
    one.file = std::string(in.text());
    one.path = std::string(in.text());
    one.owner = in.text();
    one.group = in.text();
    one.is_directory = in.u8() != 0;
    one.mode = static_cast<unsigned>(in.varint());
    all.push_back(std::move(one));
  }
  if (in.failed() || bytes.empty())
    return fail(ErrorCode::Internal, "the process that looks at files ended early");
  return all;
}

std::vector<Obstacle> look_at(const std::vector<fs::path>& files) {
  std::vector<Obstacle> all;
  for (auto& file : files)
    if (auto found = find_obstacle(file)) all.push_back(std::move(*found));
  return all;
}

}  // namespace

std::optional<Obstacle> find_obstacle(const fs::path& file) {
  auto found = look(file);
  if (found) found->file = file;
  return found;
}

Result<std::vector<Obstacle>> find_obstacles(const std::string& server_user,
                                             const std::vector<fs::path>& files) {
  if (::geteuid() != 0 || server_user.empty()) return look_at(files);
  if (!find_user(server_user)) return std::unexpected(no_such_user(server_user));
  TRY(auto process, Forked::start([&](Forked::Parent& parent) {
        if (become_user(server_user)) parent.tell(encode(look_at(files)));
      }));
  return decode(process->answer());
}

std::optional<std::string> judged_as(const config::Config& config) {
  auto& name = config.server.user;
  if (::geteuid() == 0) return name.empty() ? "root" : name;
  auto self = find_user(static_cast<std::uint32_t>(::geteuid()));
  if (self && self->name == name) return name;
  return std::nullopt;
}

std::string command_to_let_read(const Obstacle& obstacle, const std::string& user) {
  auto owner = find_user(user);
  auto path = quoted_for_shell(obstacle.path.string());
  return fmt::format("chgrp {0} {1} && chmod {2} {1}", owner ? name_of_group(owner->gid) : user,
                     path, obstacle.is_directory ? "g+x" : "640");
}

std::string describe(const Obstacle& obstacle, const std::string& user, const fs::path& copies_to,
                     Language language) {
  auto tell = [&](const Phrase& phrase, const auto&... more) {
    return say(language, phrase, user, obstacle.file.string(), obstacle.path.string(),
               obstacle.owner, obstacle.group, obstacle.mode, more...);
  };
  if (copies_to.empty() || !obstacle.is_directory)
    return tell(kClosed, command_to_let_read(obstacle, user));
  auto owner = find_user(user);
  return tell(kClosedElsewhere, owner ? name_of_group(owner->gid) : user,
              quoted_for_shell(obstacle.file.string()), quoted_for_shell(copies_to.string()));
}

}  // namespace hikyaku::app
