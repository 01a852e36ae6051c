#include "receive/authentication.h"

#include <algorithm>

#include "base/async.h"
#include "base/started.h"
#include "base/text.h"
#include "dns/name.h"
#include "mime/header.h"
#include "receive/bounded_resolver.h"

namespace hikyaku::receive {
namespace {

/// A body is read twice at most on the event loop, by the verifiers of DKIM and ARC; from this many
/// bytes in one piece on, it is a worker's.
constexpr std::size_t kInline = 64 * 1024;
/// Chains longer than this get no decoded keys from the cache: each seal asks its question, and
/// between questions the loop goes on.
constexpr std::size_t kShortHeader = 64 * 1024;
/// What was found out about a sender holds for the next messages of the connection, that long.
constexpr std::chrono::seconds kStillTrue(60);

/// "192.0.2.1", "192.0.2.0/24": whether the address is it, or in it.
bool is_address(std::string_view entry, const IpAddress& address) {
  auto slash = entry.find('/');
  auto network = IpAddress::parse(entry.substr(0, slash));
  if (!network) return false;
  if (slash == std::string_view::npos) return *network == address;
  auto prefix = parse_decimal(entry.substr(slash + 1), network->is_v4() ? 32 : 128);
  return prefix && address.in_network(*network, static_cast<int>(*prefix));
}

/// The entry that this domain is within; empty: none.
std::string find_domain(const std::vector<std::string>& entries, std::string_view domain) {
  if (domain.empty()) return {};
  auto found =
      std::ranges::find_if(entries, [&](auto& entry) { return dns::is_within(domain, entry); });
  return found == entries.end() ? std::string() : *found;
}

std::string find_address(const std::vector<std::string>& entries, const IpAddress& address) {
  auto found =
      std::ranges::find_if(entries, [&](auto& entry) { return is_address(entry, address); });
  return found == entries.end() ? std::string() : *found;
}

/// The newest sealers that are trusted here are asked in their order; the first that says DMARC
/// passed for this author settles it. Whoever is behind one that is not trusted may have said
/// anything.
std::string trusted_sealer(const SenderFindings& found, const std::vector<std::string>& sealers) {
  if (!found.arc.passed() || !found.arc.header_problem.empty()) return {};
  auto author = found.dmarc.header_from();
  for (auto& hop : found.arc.hops) {
    if (find_domain(sealers, hop.domain).empty()) return {};
    if (!hop.results) continue;
    auto* dmarc = hop.results->find("dmarc");
    if (dmarc && dmarc->result == "pass" && iequals(dmarc->property("header", "from"), author))
      return hop.domain;
  }
  return {};
}

/// A domain in `entries` that really had to do with the message: SPF or a signature says so.
std::string verified_domain(const SenderFindings& found, const std::vector<std::string>& entries) {
  if (found.spf_mail_from.result == spf::Result::Pass)
    if (auto entry = find_domain(entries, found.spf_mail_from.domain); !entry.empty()) return entry;
  for (auto& signature : found.signatures)
    if (signature.passed())
      if (auto entry = find_domain(entries, signature.domain); !entry.empty()) return entry;
  return {};
}

std::string known_forwarder(const SenderFindings& found, const std::vector<std::string>& entries) {
  if (auto entry = find_address(entries, found.client); !entry.empty()) return entry;
  if (auto entry = find_domain(entries, found.reverse_name.name); !entry.empty()) return entry;
  return verified_domain(found, entries);
}

std::string local_exception(const SenderFindings& found, const std::vector<std::string>& entries) {
  if (auto entry = find_address(entries, found.client); !entry.empty()) return entry;
  if (!found.dmarc.author.is_plain()) return {};
  return find_domain(entries, found.dmarc.header_from());
}

/// What RFC 7489 would have said, where that is something else. Its names are among those that the
/// tree walk has asked: they are in the resolver's cache.
Task<std::optional<dmarc::LegacyOpinion>> by_old_rules(dns::Resolver& dns,
                                                       const SenderFindings& found) {
  auto* outcome = found.dmarc.outcome();
  if (!outcome || !found.dmarc.author.is_plain() ||
      outcome->discovery.state != dmarc::Discovery::State::Found)
    co_return std::nullopt;
  dmarc::PublicSuffixes suffixes;
  auto opinion = co_await dmarc::legacy_opinion(dns, suffixes, found.dmarc.author.domains.front(),
                                                {&found.spf_mail_from, &found.signatures});
  if (!opinion.differs_from(found.dmarc)) co_return std::nullopt;
  co_return opinion;
}

/// Whether no reader will be shown an author, by whatever field.
bool claims_nobody(const mime::HeaderView& header) {
  static constexpr std::string_view kShown[] = {"From", "Sender", "Resent-From", "Resent-Sender"};
  return std::ranges::none_of(header.begin(), header.end(), [](const mime::Field& field) {
    return field.is_junk() ||
           std::ranges::any_of(kShown, [&](auto name) { return field.is(name); });
  });
}

dmarc::Circumstances circumstances_of(const SenderFindings& found, bool from_list,
                                      const AuthenticationSettings& settings) {
  dmarc::Circumstances now;
  now.spf_mail_from = found.spf_mail_from.result;
  now.spf_helo = found.spf_helo.result;
  if (found.reverse_name.result != iprev::Result::TempError)
    now.reverse_name_confirmed = found.reverse_name.passed();
  now.blocklist_weight = found.blocklists.weight;
  now.trusted_arc = trusted_sealer(found, settings.sealers);
  if (from_list) now.known_list = verified_domain(found, settings.lists);
  now.known_forwarder = known_forwarder(found, settings.forwarders);
  now.local_exception = local_exception(found, settings.exceptions);
  return now;
}

}  // namespace

struct Client::State {
  /// One identity of the sender, being asked about.
  struct Sender {
    Sender(AuthenticationServices services, milliseconds deadline, spf::Query query)
        : asked(services.clock.now()),
          name(query.identity == spf::Identity::Helo ? query.helo
                                                     : query.mail_from + '\0' + query.helo),
          dns(services.dns, deadline),
          verdict(spf::check(dns, services.clock, std::move(query))) {}

    bool still_true(Time now, std::string_view of) const {
      auto* known = verdict.value();
      return name == of && now - asked < kStillTrue &&
             !(known && known->result == spf::Result::TempError);
    }

    Time asked;
    std::string name;
    BoundedResolver dns;
    Started<spf::Verdict> verdict;
  };

  State(const AuthenticationSettings& with, AuthenticationServices using_services, IpAddress ip)
      : settings(with),
        services(using_services),
        address(ip),
        dns(using_services.dns, with.deadline),
        reverse_name(iprev::check(dns, ip)),
        blocklists(dnsbl::check(dns, ip, with.blocklists)) {}

  const AuthenticationSettings& settings;
  AuthenticationServices services;
  IpAddress address;
  std::string helo;
  std::string mail_from;
  BoundedResolver dns;
  Started<iprev::Verdict> reverse_name;
  Started<dnsbl::Verdict> blocklists;
  std::shared_ptr<Sender> by_mail_from, by_helo;

  void ask(std::shared_ptr<Sender>& sender, spf::Identity identity) {
    auto now = services.clock.now();
    auto is_helo = identity == spf::Identity::Helo;
    if (sender && sender->still_true(now, is_helo ? helo : mail_from + '\0' + helo)) return;
    spf::Query query;
    query.ip = address;
    query.helo = helo;
    query.mail_from = mail_from;
    query.receiver = settings.host_name;
    query.identity = identity;
    sender = std::make_shared<Sender>(services, settings.deadline, std::move(query));
  }
};

Client::Client(const AuthenticationSettings& settings, AuthenticationServices services,
               IpAddress address)
    : state_(std::make_unique<State>(settings, services, address)) {}
Client::~Client() = default;

void Client::begins_mail(std::string helo, std::string mail_from) {
  auto& state = *state_;
  state.helo = std::move(helo);
  state.mail_from = std::move(mail_from);
  state.ask(state.by_mail_from, spf::Identity::MailFrom);
  state.ask(state.by_helo, spf::Identity::Helo);
}

std::string Client::reverse_name() const {
  auto* verdict = state_->reverse_name.value();
  return verdict ? verdict->name : std::string();
}

struct Authentication::State {
  /// Both read the body; owned apart, since a worker may still hold them when the message is gone.
  struct Verifiers {
    dkim::Verifier signatures;
    arc::Verifier chain;

    void body(std::string_view bytes) {
      if (signatures.has_signatures()) signatures.body(bytes);
      if (chain.has_chain()) chain.body(bytes);
    }
    bool needs_body() const { return signatures.has_signatures() || chain.has_chain(); }
  };

  const AuthenticationSettings& settings;
  AuthenticationServices services;
  std::shared_ptr<Client> client;
  std::shared_ptr<Client::State::Sender> by_mail_from, by_helo;
  std::string helo;
  std::string mail_from;
  dmarc::Author author = {};
  bool from_list = false;
  bool claims_nobody = false;
  std::shared_ptr<Verifiers> verifiers = nullptr;
  std::size_t held = 0;  ///< the verifiers' headers
};

Authentication::Authentication(const AuthenticationSettings& settings,
                               AuthenticationServices services, std::shared_ptr<Client> client)
    : state_(new State{.settings = settings,
                       .services = services,
                       .client = client,
                       .by_mail_from = client->state_->by_mail_from,
                       .by_helo = client->state_->by_helo,
                       .helo = client->state_->helo,
                       .mail_from = client->state_->mail_from}) {}
Authentication::~Authentication() = default;

std::size_t Authentication::memory() const {
  return state_->held;
}

void Authentication::header(std::string_view header, bool complete) {
  auto& state = *state_;
  state.author = dmarc::find_author(header);
  if (!complete) state.author.findings.push_back({dmarc::AuthorProblem::HeaderTooLong, {}});
  mime::HeaderView fields(header);
  state.from_list = fields.find("List-Id").has_value();
  state.claims_nobody = complete && claims_nobody(fields);
  dkim::VerifyOptions options;
  options.now = state.services.clock.now();
  options.signatures = complete ? state.settings.signatures : 0;
  options.authors = state.author.domains;
  options.keys = state.services.keys;
  arc::VerifyOptions chain{options.now,
                           header.size() > kShortHeader ? nullptr : state.services.keys};
  state.held = complete ? 2 * header.size() : header.size();
  state.verifiers = std::make_shared<State::Verifiers>(
      dkim::Verifier(std::string(header), std::move(options)),
      arc::Verifier(complete ? std::string(header) : std::string("\r\n"), chain));
}

Task<void> Authentication::body(std::string_view bytes) {
  auto verifiers = state_->verifiers;
  if (bytes.empty() || !verifiers->needs_body()) co_return;
  if (bytes.size() < kInline) {
    verifiers->body(bytes);
  } else {
    co_await run_on(state_->services.workers,
                    [verifiers, piece = std::string(bytes)] { verifiers->body(piece); });
  }
}

Task<SenderFindings> Authentication::finish() {
  auto& state = *state_;
  auto& client = *state.client->state_;
  SenderFindings found;
  found.client = client.address;
  found.helo = state.helo;
  found.mail_from = state.mail_from;
  BoundedResolver dns(state.services.dns, state.settings.deadline);
  found.ignored_signatures = state.verifiers->signatures.ignored();
  if (state.verifiers->signatures.has_signatures())
    found.signatures = co_await state.verifiers->signatures.finish(dns);
  if (state.verifiers->chain.has_chain()) found.arc = co_await state.verifiers->chain.finish(dns);
  found.spf_mail_from = *co_await state.by_mail_from->verdict.wait();
  found.spf_helo = *co_await state.by_helo->verdict.wait();
  found.reverse_name = *co_await client.reverse_name.wait();
  found.blocklists = *co_await client.blocklists.wait();
  found.dmarc = co_await dmarc::evaluate(dns, std::move(state.author),
                                         {&found.spf_mail_from, &found.signatures});
  found.old_rules = co_await by_old_rules(dns, found);
  found.circumstances = circumstances_of(found, state.from_list, state.settings);
  found.circumstances.claims_nobody = state.claims_nobody;
  found.circumstances.unchecked_signatures = state.verifiers->signatures.ignored_of_authors();
  found.disposition = dmarc::decide(found.dmarc, found.circumstances, state.settings.rules);
  co_return found;
}

}  // namespace hikyaku::receive
