#include "auth/authenticator.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "auth/places.h"
#include "auth/remembered_logins.h"
#include "auth/throttle.h"
#include "base/async.h"
#include "base/semaphore.h"
#include "base/text.h"
#include "crypto/keyed_hash.h"
#include "crypto/password.h"
#include "sasl/apop.h"
#include "sasl/saslprep.h"
#include "sasl/server.h"

namespace hikyaku::auth {
namespace {

/// What is kept of a name that nobody has: the throttle and the log remember it.
constexpr std::size_t kMaxUnknownName = 320;
/// What the throttle keeps of a wrong password is hashed with a key of its own.
constexpr std::string_view kTriedPurpose = "failed login";
/// Remembering when a password was last used costs a write: once an hour is enough.
constexpr std::chrono::hours kLastUsedStep{1};

/// What the store has about a login name. Without an account the rest is empty.
struct Known {
  std::string address;  ///< as it was looked up
  std::optional<Account> account;
  std::vector<Credential> credentials;  ///< what this secret.key can use of them
  bool has_foreign = false;             ///< something there was made with another secret.key
};

constexpr std::string_view kForeign =
    "the password that is kept for this cannot be opened with this secret.key (hikyaku check: "
    "remedy)";

using Answer = std::variant<Login, LoginFailure>;

class AuthenticatorService final : public Authenticator {
 public:
  AuthenticatorService(AuthenticatorSettings settings, AuthenticatorServices services, Log log)
      : settings_(std::move(settings)),
        services_(services),
        log_(std::move(log)),
        limits_(settings_.limits),
        throttle_({.max_failures = limits_.max_failures,
                   .max_network_failures = limits_.max_failures * 10}),
        remembered_({.lifetime = limits_.remember}, services_.random),
        hashing_(settings_.parallel_hashes) {}

  void set_limits(const LoginLimits& limits) override {
    {
      std::lock_guard lock(mutex_);
      limits_ = limits;
    }
    throttle_.set_max_failures(limits.max_failures);
    remembered_.set_lifetime(limits.remember);
  }

  std::vector<ThrottledLogin> throttled() override {
    return throttle_.refused(services_.clock.now());
  }
  std::size_t lift_throttle(std::string_view account_or_network) override {
    return throttle_.lift(account_or_network, services_.clock.now());
  }

  Task<Answer> check_password(LoginContext context, std::string user,
                              std::string password) override {
    auto secret = crypto::Secret::take(std::move(password));
    auto answer =
        co_await verify_password(std::move(context), std::move(user), std::move(secret), "PLAIN");
    crypto::wipe_stack();
    co_return answer;
  }

  Task<Answer> check_apop(LoginContext context, std::string user, std::string timestamp,
                          std::string digest) override {
    auto known = co_await look_up(user);
    if (auto failure = refused(context, known, "APOP")) co_return *failure;
    auto passwords = plain_passwords(known);
    auto match = sasl::check_apop(timestamp, digest, passwords.secrets);
    if (match && known.account)
      co_return co_await accept(context, known, passwords.names[*match], "APOP");
    co_return co_await reject(context, known, "APOP",
                              known.has_foreign && passwords.secrets.empty()
                                  ? std::string(kForeign)
                                  : "wrong digest, or no such user, or not ready for APOP");
  }

  std::unique_ptr<SaslExchange> begin(LoginContext context, std::string_view mechanism,
                                      const std::vector<std::string>& offered,
                                      Bindings bindings) override;

  // --- for the exchanges ---

  Task<Answer> verify_password(LoginContext context, std::string user, crypto::Secret password,
                               std::string mechanism) {
    auto known = co_await look_up(user);
    if (auto failure = refused(context, known, mechanism)) co_return *failure;
    for (auto& credential : known.credentials) {
      if (credential.is_app_password &&
          matches_app_password(services_.master, credential, password)) {
        co_return co_await accept(context, known, credential.name, mechanism);
      }
    }
    auto own = std::ranges::find(known.credentials, kPassword, &Credential::name);
    auto exists = own != known.credentials.end();
    if (exists && own->ready().covers(uses_of(*own)) &&
        remembered_.knows(known.account->id, own->hash, password, services_.clock.now())) {
      co_return co_await accept(context, known, std::string(kPassword), mechanism);
    }
    co_return co_await verify_slowly(context, known, exists ? &*own : nullptr, password, mechanism);
  }

  /// By Argon2, when it is this login's turn. `own`: the account's password, if there is one.
  Task<Answer> verify_slowly(const LoginContext& context, const Known& known, const Credential* own,
                             const crypto::Secret& password, const std::string& mechanism) {
    auto network = waiting_of_network_.take(Throttle::network_of(context.ip),
                                            limits().max_waiting_per_network);
    auto place = network ? waiting_.take(0, limits().max_waiting) : nullptr;
    if (!place) {
      count(mechanism, Metrics::Outcome::Crowded);
      log_of(context).warn("login.busy", {{"proto", context.protocol}, {"user", known.address}});
      co_return LoginFailure::Unavailable;
    }
    auto permit = co_await hashing_.acquire();
    // Those who were before it may have used up what this client is allowed.
    if (auto failure = refused(context, known, mechanism)) co_return *failure;
    auto right = co_await matches(own ? own->hash : std::string(), password);
    if (!right) {
      {
        auto done = std::move(permit);
      }
      place.reset();
      network.reset();
      co_return co_await reject(
          context, known, mechanism, why_not(known, own),
          crypto::keyed_hash(services_.master, kTriedPurpose, password.reveal()));
    }
    auto stored = co_await bring_up_to_date(known, *own, password);
    remembered_.remember(known.account->id, stored, password, services_.clock.now());
    co_return co_await accept(context, known, std::string(kPassword), mechanism);
  }

  static std::string why_not(const Known& known, const Credential* own) {
    if (!own) return "no such user";
    if (known.has_foreign)
      return "wrong password, or an app password made with another secret.key (hikyaku check: "
             "remedy)";
    return "wrong password";
  }

  Task<Known> look_up(std::string user) {
    co_return co_await services_.store.read([&](store::Reader& reader) {
      Known known;
      // People leave the domain away; where there is only one it is clear which.
      auto domains =
          user.find('@') == std::string::npos ? list_domains(reader) : std::vector<Domain>();
      auto full = domains.size() == 1 ? user + "@" + domains.front().name : user;
      known.address = normalize_address(full).value_or(to_lower(full.substr(0, kMaxUnknownName)));
      known.account = find_account(reader, known.address);
      if (known.account) known.credentials = list_credentials(reader, known.account->id);
      leave_out_foreign(known);
      return known;
    });
  }

  /// What was made with another secret.key (the store came out of a backup) is as if it were not
  /// there: a chosen password still works with PLAIN, and makes the rest anew.
  void leave_out_foreign(Known& known) const {
    std::erase_if(known.credentials, [&](Credential& credential) {
      if (belongs_to(services_.master, known.address, credential)) return false;
      known.has_foreign = true;
      if (!credential.is_app_password) forget_keyed(credential);
      return credential.is_app_password;
    });
  }

  Log log_of(const LoginContext& context) const {
    return context.log ? *context.log : log_.with({{"ip", context.ip.to_string()}});
  }

  /// Why this login is not even looked at; nullopt: it is.
  std::optional<LoginFailure> refused(const LoginContext& context, const Known& known,
                                      std::string_view mechanism) {
    if (is_behind(context, known, mechanism)) return LoginFailure::Unavailable;
    if (!throttle_.refuses(context.ip, known.address, services_.clock.now())) return std::nullopt;
    count(mechanism, Metrics::Outcome::Throttled);
    log_of(context).warn("login.throttle", {{"proto", context.protocol}, {"user", known.address}});
    return LoginFailure::Throttled;
  }

  /// What the store shows is not the last that was acknowledged: a password that seems wrong may be
  /// right, and a mailbox lack messages, which clients would take for deleted.
  bool is_behind(const LoginContext& context, const Known& known, std::string_view mechanism) {
    if (!services_.store.is_behind()) return false;
    count(mechanism, Metrics::Outcome::Crowded);
    log_of(context).warn("login.busy", {{"proto", context.protocol},
                                        {"user", known.address},
                                        {"why", "the store is damaged (hikyaku check)"}});
    return true;
  }

  /// The right password (or proof) was given.
  Task<Answer> accept(const LoginContext& context, const Known& known, std::string credential,
                      std::string mechanism) {
    auto& account = *known.account;
    auto used = std::ranges::find(known.credentials, credential, &Credential::name);
    auto made = used == known.credentials.end() ? Time{} : used->created;
    // Clients may take their time between what was read of them and their last word.
    auto worth = co_await note_use(account, credential, made);
    if (worth != Worth::Good)
      co_return co_await reject(context, known, mechanism,
                                worth == Worth::SwitchedOff ? "the account is switched off"
                                                            : "the password is not valid any more");
    throttle_.succeeded(context.ip, known.address, services_.clock.now());
    auto place = sessions_.take(account.id, limits().sessions_per_account);
    if (!place) {
      count(mechanism, Metrics::Outcome::Crowded);
      log_of(context).warn("login.crowded",
                           {{"proto", context.protocol}, {"user", account.address}});
      co_return LoginFailure::Crowded;
    }
    count(mechanism, Metrics::Outcome::Ok);
    log_of(context).info("login.ok", {{"proto", context.protocol},
                                      {"user", account.address},
                                      {"mechanism", mechanism},
                                      {"credential", credential}});
    co_return Login{.account = account.id,
                    .address = account.address,
                    .mechanism = std::move(mechanism),
                    .credential = std::move(credential),
                    .credential_made = made,
                    .place = std::move(place)};
  }

  /// `tried`: see Throttle::failed.
  Task<Answer> reject(const LoginContext& context, const Known& known, std::string mechanism,
                      std::string why, std::string tried = {}) {
    throttle_.failed(context.ip, known.address, services_.clock.now(), tried);
    count(mechanism, Metrics::Outcome::Failed);
    log_of(context).info("login.fail", {{"proto", context.protocol},
                                        {"user", known.address},
                                        {"mechanism", mechanism},
                                        {"why", why}});
    co_await sleep_for(settings_.failure_delay);
    co_return LoginFailure::Denied;
  }

  /// The passwords in clear that are kept for CRAM-MD5 and APOP, with the names of their
  /// credentials.
  struct PlainPasswords {
    std::vector<crypto::Secret> secrets;
    std::vector<std::string> names;
  };
  PlainPasswords plain_passwords(const Known& known) const {
    PlainPasswords result;
    for (auto& credential : known.credentials) {
      if (credential.sealed.empty()) continue;
      auto secret = reveal(services_.master, known.address, credential);
      if (!secret) continue;  // look_up() left it out
      result.secrets.push_back(std::move(*secret));
      result.names.push_back(credential.name);
    }
    return result;
  }

  const AuthenticatorServices& services() const { return services_; }
  const AuthenticatorSettings& settings() const { return settings_; }

 private:
  LoginLimits limits() const {
    std::lock_guard lock(mutex_);
    return limits_;
  }

  void count(std::string_view mechanism, Metrics::Outcome outcome) const {
    if (services_.metrics) services_.metrics->add(mechanism, outcome);
  }

  /// Argon2 on a worker. An empty hash (nobody there) takes as long. A hash that was taken over is
  /// of the password as it was typed then: so one that preparing changes is tried both ways.
  Task<bool> matches(std::string hash, const crypto::Secret& password) {
    metrics::Timer timer(services_.metrics ? services_.metrics->hashing : metrics::Histogram());
    co_return co_await run_on(services_.workers, [&, hash] {
      auto is_right = [&hash](const crypto::Secret& form) {
        if (!hash.empty()) return crypto::verify_password(form, hash).value_or(false);
        crypto::spend_password_time(form);
        return false;
      };
      auto prepared = sasl::prepare_password(password);
      auto right =
          is_right(prepared) || (prepared.reveal() != password.reveal() && is_right(password));
      crypto::wipe_stack();
      return right;
    });
  }

  /// A mechanism was switched on, or the hash is of an older kind: now is the one moment when the
  /// password is known.
  /// Gives the hash that is stored then.
  Task<std::string> bring_up_to_date(const Known& known, Credential credential,
                                     const crypto::Secret& password) {
    auto uses = uses_of(credential);
    auto old_hash = credential.hash;
    auto rehash = crypto::wants_rehash(credential.hash);
    if (credential.ready().covers(uses) && !rehash) co_return old_hash;
    CredentialMaker maker{services_.master, services_.random, known.address, services_.clock.now()};
    auto completed = co_await run_on(services_.workers, [&]() -> Result<void> {
      if (rehash) {
        TRY(credential.hash,
            crypto::hash_password(sasl::prepare_password(password), services_.random));
      }
      auto done = complete(maker, credential, password, uses);
      crypto::wipe_stack();
      return done;
    });
    if (!completed)
      co_return old_hash;  // a password that SASLprep refuses cannot be used with SCRAM: it stays
                           // as it is
    auto account = known.account->id;
    co_await services_.store.transact({store::kInstance},
                                      [&](store::Transaction& tx) -> Result<void> {
                                        auto stored = find_credential(tx, account, credential.name);
                                        // It was changed or removed meanwhile.
                                        if (!stored || stored->hash != old_hash) return {};
                                        put_credential(tx, account, credential);
                                        return {};
                                      },
                                      {.durability = store::Durability::Lazy});
    co_return credential.hash;
  }

  CredentialUses uses_of(const Credential& credential) const {
    auto offered = settings_.uses ? settings_.uses() : CredentialUses{};
    return {.scram = offered.scram || credential.wanted.scram,
            .legacy = offered.legacy || credential.wanted.legacy};
  }

  /// What a password is worth that was right when it was looked up.
  enum class Worth { Good, SwitchedOff, Gone };
  static Worth worth_of(store::Reader& reader, AccountId id,
                        const std::optional<Credential>& credential, Time made) {
    auto account = get_account(reader, id);
    if (!account || !credential || credential->created != made) return Worth::Gone;
    return account->enabled ? Worth::Good : Worth::SwitchedOff;
  }

  /// Judges it once more, and writes down that it was used.
  Task<Worth> note_use(const Account& account, const std::string& name, Time made) {
    auto now = services_.clock.now();
    auto worth = Worth::Gone;
    auto due = co_await services_.store.read([&](store::Reader& reader) {
      auto credential = find_credential(reader, account.id, name);
      worth = worth_of(reader, account.id, credential, made);
      return worth == Worth::Good && now - credential->last_used >= kLastUsedStep;
    });
    if (!due) co_return worth;
    co_await services_.store.transact({store::kInstance},
                                      [&](store::Transaction& tx) -> Result<void> {
                                        auto credential = find_credential(tx, account.id, name);
                                        worth = worth_of(tx, account.id, credential, made);
                                        if (worth != Worth::Good) return {};
                                        credential->last_used = now;
                                        put_credential(tx, account.id, *credential);
                                        return {};
                                      },
                                      {.durability = store::Durability::Lazy});
    co_return worth;
  }

  AuthenticatorSettings settings_;
  AuthenticatorServices services_;
  Log log_;
  mutable std::mutex mutex_;
  LoginLimits limits_;
  Throttle throttle_;
  RememberedLogins remembered_;
  Semaphore hashing_;
  Places<int> waiting_;
  Places<std::string> waiting_of_network_;
  Places<AccountId> sessions_;
};

/// Drives one sasl::Server: looks up what it asks for, verifies what it leaves to us.
class Exchange final : public SaslExchange {
 public:
  Exchange(AuthenticatorService& service, LoginContext context,
           const sasl::MechanismInfo& mechanism, std::unique_ptr<sasl::Server> server)
      : service_(service),
        context_(std::move(context)),
        mechanism_(mechanism),
        server_(std::move(server)) {}

  Task<Outcome> step(std::optional<std::string> response) override {
    auto step = std::exchange(started_, true) ? server_->respond(response.value_or(""))
                                              : server_->start(response);
    while (true) {
      if (auto challenge = std::get_if<sasl::Challenge>(&step))
        co_return Challenge{std::move(challenge->bytes)};
      if (auto check = std::get_if<sasl::CheckPassword>(&step)) {
        auto answer = co_await service_.verify_password(context_, std::move(check->authcid),
                                                        std::move(check->password),
                                                        std::string(mechanism_.name));
        if (response) crypto::wipe(*response);
        crypto::wipe_stack();
        co_return as_outcome(std::move(answer));
      }
      if (auto success = std::get_if<sasl::Success>(&step)) {
        auto name =
            success->password < names_.size() ? names_[success->password] : std::string(kPassword);
        co_return as_outcome(co_await service_.accept(context_, known_, std::move(name),
                                                      std::string(mechanism_.name)));
      }
      if (auto failure = std::get_if<sasl::Failure>(&step))
        co_return co_await failed(std::move(*failure));
      auto refused = co_await supply(std::get<sasl::NeedCredentials>(step), step);
      if (refused) co_return *refused;
    }
  }

 private:
  static Outcome as_outcome(Answer answer) {
    if (auto login = std::get_if<Login>(&answer)) return std::move(*login);
    return std::get<LoginFailure>(answer);
  }

  Task<Outcome> failed(sasl::Failure failure) {
    if (failure.reason == sasl::FailureReason::Malformed) co_return LoginFailure::Malformed;
    // There was nothing to compare with: the password may be right.
    auto foreign =
        failure.reason == sasl::FailureReason::Rejected && known_.has_foreign && names_.empty();
    co_return as_outcome(
        co_await service_.reject(context_, known_, std::string(mechanism_.name),
                                 foreign ? std::string(kForeign) : std::move(failure.text)));
  }

  /// Gives the server what is stored for the name; or why this client may not try it now.
  Task<std::optional<LoginFailure>> supply(sasl::NeedCredentials need, sasl::Step& next) {
    known_ = co_await service_.look_up(need.authcid);
    if (auto failure = service_.refused(context_, known_, mechanism_.name)) co_return failure;
    if (need.needs == sasl::Needs::ScramKeys) {
      auto scram = scram_credentials(service_.services().master, mechanism_.hash, known_.address,
                                     known_.credentials);
      for (auto& credential : known_.credentials) {
        auto& keys =
            mechanism_.hash == crypto::Hash::Sha1 ? credential.scram_sha1 : credential.scram_sha256;
        if (keys) names_.push_back(credential.name);
      }
      next =
          scram.keys.empty() ? server_->unknown(known_.address) : server_->known(std::move(scram));
      co_return std::nullopt;
    }
    auto passwords = service_.plain_passwords(known_);
    names_ = std::move(passwords.names);
    next = passwords.secrets.empty() ? server_->unknown(known_.address)
                                     : server_->known(std::move(passwords.secrets));
    co_return std::nullopt;
  }

  AuthenticatorService& service_;
  LoginContext context_;
  const sasl::MechanismInfo& mechanism_;
  std::unique_ptr<sasl::Server> server_;
  Known known_;
  std::vector<std::string> names_;  ///< of the credentials that the server was given, in that order
  bool started_ = false;
};

std::unique_ptr<SaslExchange> AuthenticatorService::begin(LoginContext context,
                                                          std::string_view mechanism,
                                                          const std::vector<std::string>& offered,
                                                          Bindings bindings) {
  auto found = sasl::find_mechanism(mechanism);
  if (!found) return nullptr;
  auto& info = sasl::info(*found);
  auto is_offered = [&](std::string_view name) {
    return std::ranges::any_of(offered, [&](auto& other) { return iequals(other, name); });
  };
  if (!is_offered(info.name)) return nullptr;
  sasl::ServerSettings server;
  server.nonce = services_.random.token(24);
  server.host = settings_.host_name;
  auto bind = [&](sasl::BindingType type, std::string& data) {
    if (!data.empty()) server.bindings.push_back({type, std::move(data)});
  };
  bind(sasl::BindingType::TlsExporter, bindings.tls_exporter);
  bind(sasl::BindingType::TlsUnique, bindings.tls_unique);
  bind(sasl::BindingType::TlsServerEndPoint, bindings.tls_server_end_point);
  server.channel_binding_offered =
      std::ranges::any_of(offered, [](auto& name) { return iends_with(name, "-PLUS"); });
  return std::make_unique<Exchange>(*this, std::move(context), info,
                                    sasl::make_server(*found, server, services_.master));
}

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(AuthenticatorSettings settings,
                                                  AuthenticatorServices services, Log log) {
  return std::make_unique<AuthenticatorService>(std::move(settings), services, std::move(log));
}

}  // namespace hikyaku::auth
