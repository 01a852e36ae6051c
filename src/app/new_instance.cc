#include "app/new_instance.h"

#include <algorithm>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/control_io.h"
#include "app/core.h"
#include "app/dkim_keys.h"
#include "app/system_user.h"
#include "config/load.h"
#include "config/render.h"
#include "crypto/random.h"
#include "net/cores.h"
#include "net/tls.h"

extern char** environ;

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

/// TOML's basic strings are written like JSON's.
std::string toml_text(const std::string& text) {
  return boost::json::serialize(json_text(text));
}

/// What has been made so far, and goes again unless all of it succeeds.
class Made {
 public:
  Made() = default;
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made() {
    std::error_code ignored;
    for (auto path = paths_.rbegin(); path != paths_.rend(); ++path) fs::remove_all(*path, ignored);
  }

  /// The directory and those above it that are missing.
  Result<void> directory(const fs::path& path, mode_t mode) {
    if (path.has_parent_path() && path.parent_path() != path && !fs::exists(path.parent_path()))
      TRY_DO(directory(path.parent_path(), 0755));
    TRY(bool made, make_directory(path, mode));
    if (made) paths_.push_back(path);
    return {};
  }
  Result<void> file(const fs::path& path, std::string_view bytes, mode_t mode) {
    TRY_DO(write_new_file(path, bytes, mode));
    paths_.push_back(path);
    return {};
  }
  void keep() { paths_.clear(); }

 private:
  std::vector<fs::path> paths_;
};

/// useradd(8), as packages do it.
Result<void> add_system_user(const std::string& name) {
  const char* words[] = {
      "useradd",          "--system", "--user-group",      "--no-create-home", "--home-dir",
      "/var/lib/hikyaku", "--shell",  "/usr/sbin/nologin", name.c_str(),       nullptr};
  pid_t child = 0;
  auto error =
      ::posix_spawnp(&child, "useradd", nullptr, nullptr, const_cast<char**>(words), environ);
  int status = 0;
  if (error == 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
      WEXITSTATUS(status) == 0)
    return {};
  return std::unexpected(no_such_user(name));
}

/// The user whom the server's files shall belong to; nullopt: who we are.
Result<std::optional<SystemUser>> owner_of(const config::Config& config) {
  auto& name = config.server.user;
  if (name.empty() || ::geteuid() != 0) return std::optional<SystemUser>();
  if (!find_user(name) && name == config::defaults().server.user) TRY_DO(add_system_user(name));
  auto user = find_user(name);
  if (!user) return std::unexpected(no_such_user(name));
  return user;
}

Result<void> give_tree(const fs::path& path, const SystemUser& owner) {
  auto give = [&](const fs::path& one) -> Result<void> {
    if (::lchown(one.c_str(), owner.uid, owner.gid) == 0) return {};
    return std::unexpected(errno_error("cannot give " + one.string() + " to " + owner.name, errno));
  };
  TRY_DO(give(path));
  std::error_code error;
  for (fs::recursive_directory_iterator at(path, error), end; at != end && !error;
       at.increment(error))
    TRY_DO(give(at->path()));
  return {};
}

Result<void> refuse_existing(const Instance& instance) {
  if (fs::exists(instance.config))
    return fail(ErrorCode::Exists,
                "there is an instance already: {}. To add an account to it: hikyaku account add; "
                "for another instance name another directory with --dir",
                instance.config.string());
  for (auto& part : {instance.data, instance.secret_key}) {
    std::error_code error;
    if (fs::exists(part, error) && !(fs::is_directory(part) && fs::is_empty(part, error)))
      return fail(ErrorCode::Exists,
                  "{} is there already, but no {}: the rest of another instance? Move it away, or "
                  "name another directory with --dir",
                  part.string(), instance.config.filename().string());
  }
  return {};
}

Result<void> write_certificate(const NewInstance& wanted, Made& made,
                               const std::optional<SystemUser>& owner) {
  auto cert = wanted.instance.tls / "cert.pem";
  auto key = wanted.instance.tls / "key.pem";
  if (fs::exists(cert) && fs::exists(key)) return {};  // somebody put a real one there before
  std::vector<std::string> names{wanted.host_name};
  if (wanted.local) names.insert(names.end(), {"localhost", "127.0.0.1", "::1"});
  TRY(auto pem, net::make_self_signed(names, net::KeyType::EcP256));
  auto secret = crypto::Secret::take(std::move(pem.key));
  TRY_DO(made.file(cert, pem.certificate, 0644));
  TRY_DO(made.file(key, secret.reveal(), 0600));
  return let_read(key, owner, 0640);
}

std::string domain_of(const std::string& address) {
  return address.substr(address.rfind('@') + 1);
}

/// The store with the first account, and what its domain's mail is signed with.
Result<void> make_store(const NewInstance& wanted, const Instance& placed, config::Config config,
                        const boost::json::array& keys) {
  TRY(auto core, Core::open(placed, std::move(config), Log(), {.which = WhichStore::New}));
  ControlTable table;
  add_directory_commands(table, *core);
  add_dkim_commands(table, *core);
  boost::json::object args{{"address", json_text(wanted.address)},
                           {"name", json_text(wanted.name)},
                           {"language", wanted.language == Language::Japanese ? "ja" : "en"},
                           {"password", json_text(wanted.password.reveal())},
                           {"add_domain", true}};
  net::Cores cores(1);
  cores.start();
  auto run = [&](std::string verb, boost::json::object words) {
    return cores.run(0,
                     [&] { return run_control_here(table, {verb, words, wanted.language}, {}); });
  };
  auto answer = run("account.add", args);
  if (answer)
    answer =
        run("dkim.add",
            {{"domain", json_text(domain_of(wanted.address))}, {"keys", keys}, {"active", true}});
  cores.stop();
  cores.join();
  if (!answer) return std::unexpected(std::move(answer).error());
  return {};
}

}  // namespace

std::string configuration_of(const NewInstance& wanted) {
  std::vector<config::Setting> settings{{"server.host_name", toml_text(wanted.host_name)}};
  if (wanted.local) {
    settings.push_back({"server.local", "true"});
  } else if (auto self = find_user(static_cast<std::uint32_t>(::geteuid()));
             self && self->uid != 0) {
    // Started as root for the ports, the server must still be able to read what we make now.
    settings.push_back({"server.user", toml_text(self->name)});
  }
  if (wanted.language == Language::Japanese) settings.push_back({"server.language", "\"ja\""});
  if (wanted.port_base) settings.push_back({"listen.port_base", std::to_string(*wanted.port_base)});
  if (!wanted.zone_file.empty()) settings.push_back({"dns.zone_file", toml_text(wanted.zone_file)});
  if (!wanted.resolver.empty())
    settings.push_back({"dns.resolver", "[" + toml_text(wanted.resolver) + "]"});
  return config::sample(settings, config::Detail::SetOnly);
}

Result<MadeInstance> make_instance(const NewInstance& wanted) {
  auto& instance = wanted.instance;
  auto text = configuration_of(wanted);
  auto config = config::load_text(text, instance.config);
  if (!config) return fail(ErrorCode::Invalid, "{}", config.error().list.front().what);
  auto placed = instance.with(*config);
  TRY_DO(refuse_existing(placed));
  TRY(auto owner, owner_of(*config));

  Made made;
  // Any user's sendmail finds the socket by what stands there; nothing in it is secret.
  TRY_DO(made.directory(instance.config.parent_path(), 0755));
  TRY_DO(made.directory(instance.tls, 0700));
  TRY_DO(let_read(instance.tls, owner, 0750));
  TRY_DO(write_certificate(wanted, made, owner));
  crypto::SystemRandom random;
  TRY_DO(made.file(instance.secret_key, crypto::MasterKey::generate(random).text().reveal(), 0600));
  TRY_DO(let_read(instance.secret_key, owner, 0640));
  TRY_DO(made.directory(placed.data.parent_path(), 0755));
  if (!fs::exists(placed.data)) TRY_DO(made.directory(placed.data, 0700));
  TRY_DO(made.directory(instance.dkim, 0700));
  TRY_DO(let_read(instance.dkim, owner, 0750));
  auto domain = domain_of(wanted.address);
  TRY(auto keys, NewDkimKeys::make(instance.dkim, domain, usual_dkim_keys(domain), owner));
  TRY_DO(make_store(wanted, placed, *config, keys.rows()));
  if (owner) TRY_DO(give_tree(placed.data, *owner));
  TRY_DO(made.file(instance.config, text, 0644));
  made.keep();
  keys.keep();
  MadeInstance result{.config = std::move(*config), .keys = {}};
  for (auto& row : keys.rows()) {
    auto value = [&](std::string_view name) { return std::string(row.at(name).as_string()); };
    result.keys.push_back({value("selector") + "._domainkey." + domain, value("record")});
  }
  return result;
}

}  // namespace hikyaku::app
