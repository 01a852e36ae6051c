// World: the small internet of the lab: four organisations, each a server process with its own
// data, and the DNS that they share.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/dns_records.h"
#include "app/instance.h"
#include "app/json.h"
#include "app/lab_process.h"
#include "app/lab_zone.h"
#include "base/ip.h"
#include "base/phrase.h"
#include "base/result.h"
#include "dkim/signer.h"
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

  /// Whether what leaves is signed.
  enum class Mail { Signed, Unsigned };
  /// Domains beside its own. Before make().
  void has_also(std::vector<std::string> domains, Mail mail);
  /// Writes configuration, keys and store, with the first of its people.
  Result<void> make(const std::filesystem::path& directory);
  Result<void> spawn();
  Result<void> wait_ready();
  /// Its other people and domains, through the control socket.
  Result<void> settle();
  /// What is sent to `address` goes to `target`.
  Result<void> alias(std::string address, std::string_view target) const;
  /// What the DNS has to say about its signatures; after make().
  const std::vector<PublishedKey>& keys() const { return keys_; }
  /// The private one of a kind ("rsa", "ed25519"), for what the lab itself signs in its name.
  Result<dkim::SigningKey> signing_key(const std::string& domain, std::string_view kind) const;

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
  struct MoreDomain {
    std::string name;
    Mail mail = Mail::Unsigned;
    boost::json::array keys;
  };
  Result<void> make_keys(MoreDomain& more);
  Result<void> write_configuration() const;

  World& world_;
  std::string domain_, host_;
  IpAddress address_;
  bool v6_ = false;
  std::vector<Person> people_;
  std::vector<MoreDomain> more_domains_;
  std::vector<PublishedKey> keys_;
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
  /// Passes mail on: an address of Bob's, and a mailing list.
  Site& gamma() { return gamma_; }
  std::array<Site*, 4> all_sites() { return {&alpha_, &beta_, &mallory_, &gamma_}; }
  bool has_v6() const { return v6_; }
  Endpoint endpoint(std::string_view address, std::uint16_t standard_port) const;

  const ZoneFile& zone() const { return zone_; }
  std::string look_up(const std::string& name, dns::Type type) const {
    return zone_.look_up(name, type);
  }
  /// Puts a record in the place of those that begin so (see ZoneFile::replace); `reader` starts
  /// anew and sees it.
  Result<void> change_record(std::string_view beginning, std::string_view line, Site& reader);

  /// Takes a site's keys out of the DNS; `reader` starts anew and no longer sees them.
  Result<void> remove_keys(const Site& site, Site& reader);

  net::Cores& cores() { return cores_; }
  const net::ClientTls& tls() const { return *tls_; }
  /// Runs a task of a client on the lab's loop, and waits for it.
  template <class T>
  T wait(Task<T> task) {
    return cores_.run(0, [&] { return std::move(task); });
  }

 private:
  Settings settings_;
  bool v6_ = false;
  net::Cores cores_{1};
  std::unique_ptr<net::ClientTls> tls_;
  ZoneFile zone_;
  Site alpha_, beta_, mallory_, gamma_;
};

}  // namespace hikyaku::app::lab
