#include "app/lab_world.h"

#include <fmt/core.h>
#include <fstream>

#include "app/control_io.h"
#include "app/core.h"
#include "app/dkim_keys.h"
#include "app/new_instance.h"
#include "base/text.h"
#include "config/render.h"
#include "net/listener.h"

namespace hikyaku::app::lab {
namespace {

constexpr milliseconds kUntilReady = std::chrono::seconds(30);

std::string toml_text(std::string_view text) {
  return boost::json::serialize(json_text(text));
}

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

Result<void> write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(ErrorCode::Io, "cannot write {}", path.string());
  return {};
}

bool loopback_speaks_v6() {
  return net::Listener::bind({ip("::1"), 0}).has_value();
}

}  // namespace

// --- Site ---

Site::Site(World& world, std::string domain, IpAddress address, std::vector<Person> people)
    : world_(world),
      domain_(std::move(domain)),
      host_("mx." + domain_),
      address_(address),
      people_(std::move(people)) {}

Endpoint Site::endpoint(std::uint16_t standard_port) const {
  return {address_, static_cast<std::uint16_t>(world_.settings().port_base + standard_port)};
}

const Person& Site::person(std::string_view address) const {
  for (auto& person : people_)
    if (person.address == address) return person;
  return people_.front();
}

Result<void> Site::make(const std::filesystem::path& directory) {
  directory_ = directory;
  instance_ = Instance::in(directory / "hikyaku");
  auto& settings = world_.settings();
  auto& first = people_.front();
  NewInstance wanted{.instance = instance_,
                     .address = first.address,
                     .name = first.name,
                     .password = crypto::Secret::take(std::string(first.password)),
                     .host_name = host_,
                     .local = true,
                     .port_base = settings.port_base,
                     .zone_file = world_.zone().path().string(),
                     .resolver = {},
                     .language = Language::English};
  TRY(auto made, make_instance(wanted));
  keys_ = std::move(made.keys);
  for (auto& more : more_domains_)
    if (more.mail == Mail::Signed) TRY_DO(make_keys(more));
  auto own = toml_text(address_.to_string());
  auto all = v6_ ? own + ", \"::1\"" : own;
  options_ = {
      {"server.host_name", toml_text(host_)},
      {"server.local", "true"},
      {"server.memory", "\"64MB\""},
      {"listen.port_base", std::to_string(settings.port_base)},
      {"listen.addresses", "[" + all + "]"},
      {"transmit.source_addresses", "[" + own + "]"},
      {"dns.zone_file", toml_text(world_.zone().path().string())},
      // Seconds where a real server takes minutes, so that one can watch.
      {"queue.retry", R"(["1s"])"},
      {"log.level", "\"trace\""},
      {"log.format", "\"json\""},
  };
  return write_configuration();
}

Result<void> Site::write_configuration() const {
  std::vector<config::Setting> settings;
  for (auto& [name, toml] : options_) settings.push_back({name, toml});
  return write_text(instance_.config, config::sample(settings, config::Detail::SetOnly));
}

Result<void> Site::spawn() {
  TRY(process_, ServerProcess::spawn(directory_ / "hikyaku", directory_ / "log"));
  return {};
}

Result<void> Site::wait_ready() {
  auto ready = process_->wait_ready(kUntilReady);
  if (!ready) process_.reset();
  return ready;
}

Result<void> Site::start() {
  TRY_DO(spawn());
  return wait_ready();
}

void Site::has_also(std::vector<std::string> domains, Mail mail) {
  for (auto& domain : domains) more_domains_.push_back({std::move(domain), mail, {}});
}

Result<void> Site::make_keys(MoreDomain& more) {
  // RSA takes a while to make.
  TRY(auto keys, NewDkimKeys::make(instance_.dkim, more.name, {{.type = crypto::KeyType::Ed25519}},
                                   std::nullopt));
  more.keys = keys.rows();
  for (auto& row : more.keys)
    keys_.push_back({std::string(row.at("selector").as_string()) + "._domainkey." + more.name,
                     std::string(row.at("record").as_string())});
  keys.keep();
  return {};
}

Result<dkim::SigningKey> Site::signing_key(const std::string& domain, std::string_view kind) const {
  for (auto& published : keys_) {
    if (!published.name.starts_with(kind) || !published.name.ends_with("." + domain)) continue;
    auto selector = published.name.substr(0, published.name.find('.'));
    TRY(auto pem, read_file(dkim_key_path(instance_.dkim, domain, selector)));
    TRY(auto key, crypto::PrivateKey::from_pem(pem));
    return dkim::SigningKey{domain, selector, std::move(key)};
  }
  return fail(ErrorCode::NotFound, "{} has no key of the kind {}", domain, kind);
}

Result<void> Site::settle() {
  for (auto& more : more_domains_)
    TRY_DO(
        ask("dkim.add",
            {{"domain", more.name}, {"keys", more.keys}, {"active", true}, {"add_domain", true}}));
  for (auto& person : people_) {
    if (&person == &people_.front()) continue;
    TRY_DO(
        ask("account.add",
            {{"address", person.address}, {"name", person.name}, {"password", person.password}}));
  }
  return {};
}

Result<void> Site::alias(std::string address, std::string_view target) const {
  TRY_DO(ask("alias.add", {{"address", std::move(address)}, {"targets", {target}}}));
  return {};
}

Result<void> Site::set(const std::string& option, const std::string& toml) {
  options_[option] = toml;
  return write_configuration();
}

Result<void> Site::restart_with(const std::string& option, const std::string& toml) {
  stop();
  TRY_DO(set(option, toml));
  return start();
}

Result<boost::json::object> Site::ask(std::string_view verb, boost::json::object args,
                                      std::vector<boost::json::object>* items) const {
  ControlHandlers handlers;
  if (items) handlers.item = [items](auto& item) { items->push_back(item); };
  auto answer =
      ask_server(instance_.control_socket,
                 {std::string(verb), std::move(args), world_.settings().language}, handlers);
  if (!answer.running) return fail(ErrorCode::Unavailable, "{} does not run", host_);
  return std::move(answer.result);
}

std::optional<Site::Traced> Site::trace(std::string_view message_id) const {
  std::vector<boost::json::object> items;
  auto result = ask("trace", {{"what", json_text(message_id)}, {"most", 1}}, &items);
  if (!result || items.empty()) return std::nullopt;
  auto text = items.front().if_contains("text");
  auto story = items.front().if_contains("story");
  if (!text || !text->is_string() || !story || !story->is_object()) return std::nullopt;
  return Traced{std::string(text->as_string()), story->as_object()};
}

std::uintmax_t Site::log_size() const {
  std::error_code missing;
  auto size = std::filesystem::file_size(directory_ / "log", missing);
  return missing ? 0 : size;
}

std::vector<Site::LoggedLine> Site::sent_lines(std::uintmax_t since) const {
  std::ifstream file(directory_ / "log", std::ios::binary);
  file.seekg(static_cast<std::streamoff>(since));
  std::vector<LoggedLine> lines;
  for (std::string text; std::getline(file, text);) {
    boost::json::error_code bad;
    auto value = boost::json::parse(text, bad);
    if (bad || !value.is_object()) continue;
    auto event = value.as_object().if_contains("event");
    auto line = value.as_object().if_contains("line");
    if (!event || !event->is_string() || !line || !line->is_string()) continue;
    if (event->as_string() != "transmit.say" && event->as_string() != "transmit.hear") continue;
    lines.push_back({event->as_string() == "transmit.say", std::string(line->as_string())});
  }
  return lines;
}

// --- World ---

World::World(Settings settings)
    : settings_(std::move(settings)),
      v6_(loopback_speaks_v6()),
      zone_(settings_.directory / "zone"),
      alpha_(*this, "alpha.test", ip("127.0.1.1"),
             {{"anna@alpha.test", "Anna", "tegami-anna"},
              {"hanako@alpha.test", "Hanako", "tegami-hanako"},
              {"kei@strict.test", "Kei", "tegami-kei"}}),
      beta_(*this, "beta.test", ip("127.0.2.1"),
            {{"bob@beta.test", "Bob", "tegami-bob"},
             {"paul@beta.test", "Paul", "tegami-paul"},
             {"carla@beta.test", "Carla", "tegami-carla"},
             {"hanako@beta.test", "Hanako", "tegami-hanako"}}),
      mallory_(*this, "mallory.test", ip("127.0.3.1"),
               {{"mallory@mallory.test", "Mallory", "tegami-mallory"}}),
      gamma_(*this, "gamma.test", ip("127.0.4.1"), {{"gina@gamma.test", "Gina", "tegami-gina"}}) {
  alpha_.has_also({"strict.test"}, Site::Mail::Signed);
  beta_.has_also({"fallback.test", "grey.test", "nomx.test"}, Site::Mail::Unsigned);
  cores_.start();
}

World::~World() {
  stop();
  cores_.stop();
  cores_.join();
}

Result<void> World::change_record(std::string_view beginning, std::string_view line, Site& reader) {
  TRY_DO(zone_.replace(beginning, line));
  reader.stop();
  return reader.start();
}

Result<void> World::remove_keys(const Site& site, Site& reader) {
  for (auto& key : site.keys()) TRY_DO(zone_.replace(key.name));
  reader.stop();
  return reader.start();
}

Endpoint World::endpoint(std::string_view address, std::uint16_t standard_port) const {
  return {ip(address), static_cast<std::uint16_t>(settings_.port_base + standard_port)};
}

Result<void> World::start() {
  TRY(tls_, net::ClientTls::create({.verify = net::ClientTls::Verify::Record}));
  if (v6_) beta_.listen_on_v6();
  auto sites = all_sites();
  zone_.begin(v6_);
  for (auto site : sites) {
    TRY_DO(site->make(settings_.directory / site->domain()));
    zone_.add(site->keys());
  }
  TRY_DO(zone_.write());
  // beta believes what gamma's servers say of the mail that they pass on.
  TRY_DO(beta_.set("arc.trusted_sealers", R"(["gamma.test"])"));
  TRY_DO(beta_.set("dmarc.exempts", R"(["local-exception", "trusted-arc"])"));
  for (auto site : sites) TRY_DO(site->spawn());
  std::optional<Error> problem;
  for (auto site : sites) {
    auto ready = site->wait_ready();
    if (ready) continue;
    if (problem) {
      problem->text += "\n" + ready.error().describe();
    } else {
      problem = std::move(ready).error();
    }
  }
  if (problem) return std::unexpected(std::move(*problem));
  for (auto site : sites) TRY_DO(site->settle());
  for (auto domain : {"fallback.test", "grey.test", "nomx.test"})
    TRY_DO(beta_.alias(std::string("bob@") + domain, "bob@beta.test"));
  // Reports are read by the server itself; Anna sees them, too.
  TRY_DO(alpha_.alias("dmarc-reports@alpha.test", "anna@alpha.test"));
  // Bob was at gamma before, and still gets what is sent there.
  TRY_DO(gamma_.alias("bob@gamma.test", "bob@beta.test"));
  return gamma_.alias("chat@gamma.test", "chat@lists.gamma.test");
}

void World::stop() {
  for (auto site : all_sites()) site->stop();
}

}  // namespace hikyaku::app::lab
