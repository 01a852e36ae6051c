#include "app/dkim_keys.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/control.h"
#include "app/core.h"
#include "base/text.h"
#include "base/time.h"
#include "dkim/key_record.h"
#include "dkim/signature.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

/// "20261122".
std::string date_of(Time time) {
  auto text = format_rfc3339(time).substr(0, 10);
  std::erase(text, '-');
  return text;
}

/// A selector that has no file yet; who makes several in a day gets "rsa-20261122-2".
std::string free_selector(const fs::path& directory, const std::string& domain,
                          crypto::KeyType type) {
  auto first = std::string(crypto::to_string(type)) + '-' + date_of(SystemClock().now());
  auto selector = first;
  std::error_code error;
  for (int i = 2; fs::exists(dkim_key_path(directory, domain, selector), error); ++i)
    selector = first + '-' + std::to_string(i);
  return selector;
}

}  // namespace

fs::path dkim_key_path(const fs::path& directory, const std::string& domain,
                       const std::string& selector) {
  return directory / (domain + '.' + selector + ".pem");
}

NewDkimKeys::~NewDkimKeys() {
  std::error_code ignored;
  for (auto& path : paths_) fs::remove(path, ignored);
}

Result<NewDkimKeys> NewDkimKeys::make(const fs::path& directory, const std::string& domain,
                                      std::vector<WantedDkimKey> wanted,
                                      const std::optional<SystemUser>& owner) {
  if (::mkdir(directory.c_str(), 0700) == 0)
    TRY_DO(let_read(directory, owner, 0750));
  else if (errno != EEXIST)
    return std::unexpected(errno_error("cannot make " + directory.string(), errno));
  NewDkimKeys made;
  for (auto& one : wanted) {
    if (!one.key) {
      TRY(one.key, crypto::PrivateKey::generate(one.type));
    }
    if (one.selector.empty()) one.selector = free_selector(directory, domain, one.key->type());
    if (!dkim::parse_signature_domain(one.selector, 1))
      return fail(ErrorCode::Invalid, "\"{}\" is no selector: letters, digits, hyphens and dots",
                  printable(one.selector, 80));
    auto path = dkim_key_path(directory, domain, one.selector);
    TRY_DO(write_new_file(path, one.key->to_pem().reveal(), 0600));
    made.paths_.push_back(path);
    TRY_DO(let_read(path, owner, 0640));
    made.rows_.push_back({{"selector", json_text(one.selector)},
                          {"algorithm", crypto::to_string(one.key->type())},
                          {"record", dkim::write_key_record(one.key->public_key())}});
  }
  return made;
}

std::vector<WantedDkimKey> usual_dkim_keys(const std::string& domain) {
  if (!dkim::parse_signature_domain(domain, 2)) return {};
  return {{.type = crypto::KeyType::Rsa}, {.type = crypto::KeyType::Ed25519}};
}

std::optional<SystemUser> key_file_owner(const config::Config& config) {
  if (::geteuid() != 0 || config.server.user.empty()) return std::nullopt;
  return find_user(config.server.user);
}

milliseconds record_kept(const config::Config& config) {
  return std::max<milliseconds>(config.queue.lifetime + std::chrono::days(7), config.dkim.expiry);
}

Exit keeping_rights(const config::Config& config, const std::function<Exit()>& work) {
  if (::geteuid() != 0 || config.server.user.empty()) return work();
  auto child = ::fork();
  if (child < 0) return Exit::Software;
  if (child == 0) ::_exit(static_cast<int>(work()));
  int status = 0;
  while (::waitpid(child, &status, 0) != child)
    if (errno != EINTR) return Exit::Software;
  return WIFEXITED(status) ? static_cast<Exit>(WEXITSTATUS(status)) : Exit::Software;
}

Handover::Handover() {
  // Neither side ever waits: the pipe holds more than anybody has keys.
  if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) ends_[0] = ends_[1] = -1;
}

Handover::~Handover() {
  for (auto end : ends_)
    if (end >= 0) ::close(end);
}

void Handover::give(std::string_view text) {
  while (!text.empty()) {
    auto written = ::write(ends_[1], text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string Handover::take() {
  std::string text;
  char piece[4096];
  while (true) {
    auto got = ::read(ends_[0], piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
  }
}

}  // namespace hikyaku::app
