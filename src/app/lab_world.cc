#include "app/lab_world.h"

#include <fmt/core.h>
#include <fstream>

#include "app/control_io.h"
#include "app/core.h"
#include "app/new_instance.h"
#include "base/text.h"
#include "config/render.h"
#include "net/listener.h"

namespace hikyaku::app::lab {
namespace {

constexpr milliseconds kUntilReady = std::chrono::seconds(30);

/// Everything about names. The servers have nothing else in common.
constexpr std::string_view kZone = R"(; The DNS of the lab: every server resolves by this file.
$TTL 60
alpha.test.            SOA  ns.alpha.test. postmaster.alpha.test. 1 3600 600 86400 60
alpha.test.            MX   10 mx.alpha.test.
alpha.test.            TXT  "v=spf1 mx -all"
mx.alpha.test.         A    127.0.1.1
1.1.0.127.in-addr.arpa. PTR mx.alpha.test.

beta.test.             SOA  ns.beta.test. postmaster.beta.test. 1 3600 600 86400 60
beta.test.             MX   10 mx.beta.test.
beta.test.             TXT  "v=spf1 mx -all"
mail.beta.test.        CNAME mx.beta.test.
mx.beta.test.          A    127.0.2.1
1.2.0.127.in-addr.arpa. PTR mx.beta.test.

mallory.test.          SOA  ns.mallory.test. postmaster.mallory.test. 1 3600 600 86400 60
mallory.test.          MX   10 mx.mallory.test.
mx.mallory.test.       A    127.0.3.1
1.3.0.127.in-addr.arpa. PTR mx.mallory.test.

; Two servers for one domain of beta's. Nobody listens at the first.
fallback.test.         SOA  ns.beta.test. postmaster.beta.test. 1 3600 600 86400 60
fallback.test.         MX   10 gone.fallback.test.
fallback.test.         MX   20 mx.beta.test.
gone.fallback.test.    A    127.0.2.9

; In front of this domain of beta's stands a server that first says "later".
grey.test.             SOA  ns.beta.test. postmaster.beta.test. 1 3600 600 86400 60
grey.test.             MX   10 mx.grey.test.
mx.grey.test.          A    127.0.3.2

; No MX: mail goes to the address of the domain itself.
nomx.test.             A    127.0.2.1

; Null MX: this domain takes no mail at all.
nullmx.test.           MX   0 .
nullmx.test.           A    127.0.2.1
)";
constexpr std::string_view kZoneV6 = R"(
mx.beta.test.          AAAA ::1
)";

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

/// The answers of a lookup in words.
std::string in_words(const dns::Lookup& lookup, dns::Type type) {
  std::string words;
  for (auto& record : lookup.records) {
    std::string data;
    if (type == dns::Type::MX) {
      auto mx = dns::decode_mx(record.data);
      data = mx ? fmt::format("MX {} {}", mx->preference, mx->exchange.empty() ? "." : mx->exchange)
                : "";
    } else if (type == dns::Type::A) {
      data = "A " + dns::decode_a(record.data).value_or(IpAddress()).to_string();
    } else if (type == dns::Type::AAAA) {
      data = "AAAA " + dns::decode_aaaa(record.data).value_or(IpAddress()).to_string();
    } else if (type == dns::Type::TXT) {
      data = "TXT " + dns::decode_txt(record.data).value_or("");
    } else {
      data = dns::to_string(type) + " " + dns::decode_name(record.data).value_or("");
    }
    words += (words.empty() ? "" : ", ") + data;
  }
  return words;
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
                     .zone_file = world_.zone_file().string(),
                     .resolver = {},
                     .language = Language::English};
  TRY_DO(make_instance(wanted));
  auto own = toml_text(address_.to_string());
  auto all = v6_ ? own + ", \"::1\"" : own;
  options_ = {
      {"server.host_name", toml_text(host_)},
      {"server.local", "true"},
      {"server.memory", "\"64MB\""},
      {"listen.port_base", std::to_string(settings.port_base)},
      {"listen.addresses", "[" + all + "]"},
      {"transmit.source_addresses", "[" + own + "]"},
      {"dns.zone_file", toml_text(world_.zone_file().string())},
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

Result<void> Site::settle(const std::vector<std::string>& more_domains) {
  for (auto& domain : more_domains) TRY_DO(ask("domain.add", {{"domain", domain}}));
  for (auto& person : people_) {
    if (&person == &people_.front()) continue;
    TRY_DO(
        ask("account.add",
            {{"address", person.address}, {"name", person.name}, {"password", person.password}}));
  }
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
      alpha_(*this, "alpha.test", ip("127.0.1.1"),
             {{"anna@alpha.test", "Anna", "tegami-anna"},
              {"hanako@alpha.test", "Hanako", "tegami-hanako"}}),
      beta_(*this, "beta.test", ip("127.0.2.1"),
            {{"bob@beta.test", "Bob", "tegami-bob"},
             {"paul@beta.test", "Paul", "tegami-paul"},
             {"carla@beta.test", "Carla", "tegami-carla"},
             {"hanako@beta.test", "Hanako", "tegami-hanako"}}),
      mallory_(*this, "mallory.test", ip("127.0.3.1"),
               {{"mallory@mallory.test", "Mallory", "tegami-mallory"}}) {
  cores_.start();
}

World::~World() {
  stop();
  cores_.stop();
  cores_.join();
}

Endpoint World::endpoint(std::string_view address, std::uint16_t standard_port) const {
  return {ip(address), static_cast<std::uint16_t>(settings_.port_base + standard_port)};
}

Result<void> World::write_zone() {
  return write_text(zone_file(), zone_);
}

Result<void> World::remove_record(std::string_view beginning) {
  std::string kept;
  for (auto line : split(zone_, '\n'))
    if (!line.starts_with(beginning)) kept += std::string(line) + "\n";
  zone_ = std::move(kept);
  return write_zone();
}

Result<void> World::start() {
  TRY(tls_, net::ClientTls::create({.verify = net::ClientTls::Verify::Record}));
  zone_ = kZone;
  if (v6_) {
    zone_ += kZoneV6;
    beta_.listen_on_v6();
  }
  TRY_DO(write_zone());
  Site* sites[] = {&alpha_, &beta_, &mallory_};
  for (auto site : sites) TRY_DO(site->make(settings_.directory / site->domain()));
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
  TRY_DO(alpha_.settle({}));
  TRY_DO(beta_.settle({"fallback.test", "grey.test", "nomx.test"}));
  for (auto domain : {"fallback.test", "grey.test", "nomx.test"})
    TRY_DO(beta_.ask("alias.add",
                     {{"address", std::string("bob@") + domain}, {"targets", {"bob@beta.test"}}}));
  return mallory_.settle({});
}

void World::stop() {
  for (auto site : {&alpha_, &beta_, &mallory_}) site->stop();
}

std::string World::look_up(const std::string& name, dns::Type type) const {
  auto zone = dns::Zone::read(zone_file().string());
  if (!zone) return zone.error().describe();
  auto lookup = zone->find(name, type);
  if (lookup.status == dns::Status::Ok) return in_words(lookup, type);
  return lookup.status == dns::Status::NoName ? "no such name" : "no such record";
}

}  // namespace hikyaku::app::lab
