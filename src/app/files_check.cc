#include "app/files_check.h"

#include <algorithm>

#include "app/error_phrases.h"
#include "app/file_access.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr Phrase kMissing{"{} is not there", "{} がありません"};
constexpr Phrase kAllOpen{"{} (server.user) can read every file that the server needs",
                          "サーバーに必要なファイルはすべて {} (server.user) が読めます"};

using Files = std::vector<fs::path>;

Files certificate_files(const config::Config& config) {
  Files files;
  for (auto& certificate : config.tls.certificates)
    files.insert(files.end(), {certificate.cert, certificate.key});
  return files;
}

/// What options name, but for certificates.
Files other_named_files(const config::Config& config) {
  Files files;
  for (auto& path : {config.dns.zone_file, config.dns.trust_anchors})
    if (!path.empty()) files.push_back(path);
  return files;
}

bool has(const Files& files, const fs::path& file) {
  return std::ranges::find(files, file) != files.end();
}

Files own_files(const Instance& instance) {
  Files files{instance.config, instance.secret_key};
  std::error_code error;
  for (fs::recursive_directory_iterator entry(instance.dkim, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->is_regular_file(error)) files.push_back(entry->path());
  return files;
}

}  // namespace

void check_files(Findings& findings, const Instance& instance, const config::Config& config) {
  auto user = judged_as(config);
  if (!user) return;
  auto certificates = certificate_files(config);
  auto files = certificates;
  for (auto& more : {other_named_files(config), own_files(instance)})
    files.insert(files.end(), more.begin(), more.end());
  auto obstacles = find_obstacles(config.server.user, files);
  if (!obstacles)
    return findings.add(Level::Problem, "files", error_in(obstacles.error(), findings.language()));
  for (auto& obstacle : *obstacles) {
    auto is_certificate = has(certificates, obstacle.file);
    findings.add(
        Level::Problem, is_certificate ? "certificate" : "files",
        describe(obstacle, *user, is_certificate ? instance.tls : fs::path(), findings.language()));
  }
  if (obstacles->empty()) findings.add(Level::Good, "files", kAllOpen, *user);
}

std::vector<NamedFile> find_unusable(const Instance& instance, const config::Config& config,
                                     Language language) {
  auto certificates = certificate_files(config);
  // The pair that is meant without a word in the file.
  std::erase_if(certificates, [&](auto& file) {
    auto whole = fs::absolute(file).lexically_normal();
    return whole == instance.tls / "cert.pem" || whole == instance.tls / "key.pem";
  });
  auto files = certificates;
  for (auto& file : other_named_files(config)) files.push_back(file);
  std::vector<NamedFile> found;
  std::erase_if(files, [&](auto& file) {
    std::error_code error;
    bool missing =
        !fs::exists(file, error) && (!error || error == std::errc::no_such_file_or_directory);
    if (missing) found.push_back({file, say(language, kMissing, file.string())});
    return missing;
  });
  auto user = judged_as(config);
  auto obstacles = user ? find_obstacles(config.server.user, files) : std::vector<Obstacle>();
  // That there is no such user is for `hikyaku check` to say: the file may be another machine's.
  if (!obstacles) return found;
  for (auto& obstacle : *obstacles) {
    auto copies_to = has(certificates, obstacle.file) ? instance.tls : fs::path();
    found.push_back({obstacle.file, describe(obstacle, *user, copies_to, language)});
  }
  return found;
}

}  // namespace hikyaku::app
