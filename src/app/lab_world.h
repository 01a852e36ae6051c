// World: the small internet of the lab: three organisations, each a server process with its own
// data, and the DNS that they share.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/instance.h"
#include "app/json.h"
#include "app/lab_process.h"
#include "base/ip.h"
#include "base/phrase.h"
#include "base/result.h"
#include "dns/zone.h"
#include "net/cores.h"
#include "net/tls.h"

namespace hikyaku::app::lab {

/// Standard ports; the lab's are these plus its port base.
inline constexpr std::uint16_t kSmtp = 25, kSubmission = 587, kSubmissions = 465, kPop3 = 110,
                               kPop3s = 995, kImap = 143, kImaps = 993;

struct Person {
  std::string address;
  std::string name;
  std::string password;
};

class World;

/// One organisation: its server and its people.
class Site {
 public:
  Site(World& world, std::string domain, IpAddress address, std::vector<Person> people);

  const std::string& domain() const { return domain_; }
  const std::string& host() const { return host_; }  ///< "mx.alpha.test"
  const IpAddress& address() const { return address_; }
  Endpoint endpoint(std::uint16_t standard_port) const;
  const std::vector<Person>& people() const { return people_; }
  const Person& person(std::string_view address) const;

  /// Writes configuration, keys and store, with the first of its people.
  Result<void> make(const std::filesystem::path& directory);
  Result<void> spawn();
  Result<void> wait_ready();
  /// Its other people and domains, through the control socket.
  Result<void> settle(const std::vector<std::string>& more_domains);

  Result<void> start();
  void stop() { process_.reset(); }
  /// One option, as TOML, for the next start.
  Result<void> set(const std::string& option, const std::string& toml);
  /// set(), and a new start.
  Result<void> restart_with(const std::string& option, const std::string& toml);

  /// One command of the control socket.
  Result<boost::json::object> ask(std::string_view verb, boost::json::object args,
                                  std::vector<boost::json::object>* items = nullptr) const;
  /// What `hikyaku trace` knows of a message.
  struct Traced {
    std::string text;
    boost::json::object story;
  };
  std::optional<Traced> trace(std::string_view message_id) const;
  /// The protocol lines of the log (log.level = "trace") from `since` (bytes) on.
  struct LoggedLine {
    bool by_client = false;
    std::string text;
  };
  std::uintmax_t log_size() const;
  std::vector<LoggedLine> sent_lines(std::uintmax_t since) const;

  const Instance& instance() const { return instance_; }
  void listen_on_v6() { v6_ = true; }
  bool has_v6() const { return v6_; }

 private:
  Result<void> write_configuration() const;

  World& world_;
  std::string domain_, host_;
  IpAddress address_;
  bool v6_ = false;
  std::vector<Person> people_;
  std::filesystem::path directory_;
  Instance instance_;
  std::map<std::string, std::string> options_;
  std::unique_ptr<ServerProcess> process_;
};

class World {
 public:
  struct Settings {
    std::filesystem::path directory;
    std::uint16_t port_base = 8000;
    Language language = Language::English;
  };
  explicit World(Settings settings);
  ~World();

  /// Everything up and ready. Unavailable with the server's own words (a taken port by name).
  Result<void> start();
  /// Ends the servers, all at once.
  void stop();

  const Settings& settings() const { return settings_; }
  Site& alpha() { return alpha_; }
  Site& beta() { return beta_; }
  Site& mallory() { return mallory_; }
  bool has_v6() const { return v6_; }
  Endpoint endpoint(std::string_view address, std::uint16_t standard_port) const;

  /// The zone file that all share. Servers read it when they start.
  std::filesystem::path zone_file() const { return settings_.directory / "zone"; }
  /// Removes a record (its line begins so); for spoiling.
  Result<void> remove_record(std::string_view beginning);
  /// What the DNS says: "MX 10 mx.beta.test", or "no such name".
  std::string look_up(const std::string& name, dns::Type type) const;

  net::Cores& cores() { return cores_; }
  const net::ClientTls& tls() const { return *tls_; }
  /// Runs a task of a client on the lab's loop, and waits for it.
  template <class T>
  T wait(Task<T> task) {
    return cores_.run(0, [&] { return std::move(task); });
  }

 private:
  Result<void> write_zone();

  Settings settings_;
  bool v6_ = false;
  net::Cores cores_{1};
  std::unique_ptr<net::ClientTls> tls_;
  std::string zone_;
  Site alpha_, beta_, mallory_;
};

}  // namespace hikyaku::app::lab
