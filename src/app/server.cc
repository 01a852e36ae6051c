#include "app/server.h"

#include <algorithm>
#include <csignal>
#include <expected>
#include <fmt/core.h>
#include <future>
#include <mutex>
#include <unistd.h>

#include "app/admission.h"
#include "app/commands.h"
#include "app/configured_resolver.h"
#include "app/confined_workers.h"
#include "app/dkim_keys.h"
#include "app/health.h"
#include "app/key_watch.h"
#include "app/listeners.h"
#include "app/mail_settings.h"
#include "app/maintenance.h"
#include "app/measured_resolver.h"
#include "app/names_needed.h"
#include "app/next_steps.h"
#include "app/reload.h"
#include "app/report_reader.h"
#include "app/report_sender.h"
#include "app/revocation.h"
#include "app/server_certificates.h"
#include "app/server_footing.h"
#include "app/server_metrics.h"
#include "app/sessions.h"
#include "app/systemd.h"
#include "app/watch.h"
#include "app/watchdog.h"
#include "auth/authenticator.h"
#include "base/async.h"
#include "base/semaphore.h"
#include "base/semaphores.h"
#include "base/shared_value.h"
#include "base/text.h"
#include "config/diff.h"
#include "config/load.h"
#include "mailbox/view.h"
#include "net/cores.h"
#include "net/signals.h"
#include "receive/receiver.h"
#include "receive/signing.h"
#include "store/posix_file_system.h"
#include "transmit/transmitter.h"
#include "unbound/resolver.h"

namespace hikyaku::app {
namespace {

/// How long what is under way may take when the server ends.
constexpr milliseconds kGrace = std::chrono::seconds(10);

/// For a verb that has the store when the server starts; systemd gives it three times as long.
constexpr milliseconds kLockPatience = std::chrono::seconds(30);

/// SIGHUP waits until there is somebody who catches it, rather than end a start.
void hold_back_reloads(int how) {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  ::pthread_sigmask(how, &hangup, nullptr);
}

class RunningServer final : public Server {
 public:
  RunningServer(Footing footing, Log log, std::function<void(std::string)> say,
                ServerMetrics& metrics)
      : metrics_(metrics),
        cores_(net::Cores::usable()),
        confined_(std::move(footing.confined), cores_, metrics.confined, log),
        sessions_(cores_, log),
        listeners_(std::move(footing.listeners)),
        log_(std::move(log)),
        local_(std::move(footing.local), cores_, sessions_,
               {commands_,
                [this](auto stream, auto& activity) {
                  return serve_local_smtp(std::move(stream), activity);
                }},
               log_),
        say_(std::move(say)),
        readable_(std::move(footing.readable)),
        files_(footing.files) {}

  ~RunningServer() override {
    if (local_.stop()) sessions_.end_all(kGrace);  // of a start that failed
    // Whatever happened, the loops end before what their sessions used.
    cores_.stop();
    cores_.join();
  }

  Result<void> prepare(Instance instance, config::Config config, WhichStore which) {
    signals_ =
        std::make_unique<net::Signals>(cores_, std::initializer_list<int>{SIGTERM, SIGINT, SIGHUP},
                                       [this](int number) { on_signal(number); });
    hold_back_reloads(SIG_UNBLOCK);
    cores_.start();
    local_.set_limit(std::min(config.limits.local_connections, files_.local));
    local_.start();
    TRY(core_, Core::open(std::move(instance), std::move(config), log_,
                          {metrics_.store, which, kLockPatience}));
    TRY(auto certificates, read_certificates(core_->instance(), core_->config()));
    if (!certificates.empty()) {
      net::ServerTls::Settings settings;
      settings.handshake_timeout = core_->config().tls.handshake_timeout;
      settings.handshakes = metrics_.handshakes;
      settings.failures = metrics_.handshake_failures;
      TRY(server_tls_, net::ServerTls::create(certificates, std::move(settings)));
    }
    TRY(client_tls_, net::ClientTls::create({.verify = net::ClientTls::Verify::Record}));
    TRY(resolver_, ConfiguredResolver::create(cores_, core_->config()));
    measured_resolver_ = std::make_unique<MeasuredResolver>(resolver_->get(), metrics_.dns);
    make_services();
    add_answers();
    set_limits();
    return {};
  }

  void run() override {
    cores_.call(0, [this] { opened_ = true; });
    // Before the first session sees an account.
    cores_.run(0, [this] { return Maintenance::recover(*core_); });
    cores_.call(0, [this] {
      transmitter_->start();
      maintenance_ = std::make_unique<Maintenance>(*core_);
      maintenance_->start();
      watch_ = std::make_unique<Watch>(
          Watch::Services{*core_, *measured_resolver_, *transmitter_, metrics_.watched});
      watch_->start();
      revocation_ = std::make_unique<Revocation>(core_->store(), sessions_, log_);
      revocation_->start();
      report_sender_->start();
      report_reader_ = std::make_unique<ReportReader>(*core_, confined_);
      report_reader_->start();
      key_watch_ = std::make_unique<KeyWatch>(*core_, *measured_resolver_, key_looks_);
      key_watch_->start();
      if (reload_wanted_) look_at_files_again();
      local_.let_in();
    });
    for (auto& bound : listeners_) {
      bound.listener->start(
          cores_,
          [this, service = bound.service](auto stream) { begin(service, std::move(stream)); },
          [this, service = bound.service](const Endpoint& peer) { return admit(service, peer); });
    }
    notify_systemd("READY=1");
    cores_.call(0, [this] { start_watchdog(); });
    // Not before: nobody may read it.
    for (auto& bound : listeners_)
      say_(fmt::format("listening on {} ({})", bound.listener->name(), list_of(bound.service)));
    say_("ready");
    log_.info("server.ready", {{"host", core_->host_name()}});
    ended_.get_future().wait();
    notify_systemd("STOPPING=1");
    end();
  }

 private:
  void make_services() {
    auto& core = *core_;
    auto& config = core.config();
    views_ = mailbox::make_views(core.store(), core.memory().views);
    large_messages_ = std::make_unique<Semaphore>(core.memory().large);
    authenticator_ = auth::make_authenticator(
        {.host_name = core.host_name(),
         .uses = [&core] { return core.credential_uses(); },
         .limits = {},
         .parallel_hashes = config.login.parallel},
        {core.store(), core.hashers(), core.clock(), core.random(), core.master(), &metrics_.auth},
        log_);
    if (config.dkim.sign) {
      auto read = [directory = core.instance().dkim](
                      const std::string& domain,
                      const std::string& selector) -> Result<crypto::Secret> {
        TRY(auto pem, read_file(dkim_key_path(directory, domain, selector), 64 * 1024));
        return crypto::Secret::take(std::move(pem));
      };
      key_ring_ = std::make_unique<receive::KeyRing>(core.store(), core.workers(), core.clock(),
                                                     std::move(read), log_);
    }
    receiver_ = receive::make_receiver(
        receive_settings(config, core.host_name(), core.master()),
        {core.store(), core.workers(), core.clock(), core.random(), *large_messages_,
         measured_resolver_.get(), key_ring_.get(), metrics_.receive},
        log_);
    auto sending = transmit_settings(config, core.host_name());
    sending.connections = std::min<std::size_t>(sending.connections, files_.outgoing);
    sending.language = [&core] { return core.config().server.language; };
    transmitter_ = transmit::make_transmitter(
        std::move(sending),
        {core.store(), *receiver_, *measured_resolver_, *client_tls_, core.clock(), core.random(),
         metrics_.transmit, &core.patient_clock()},
        log_);
    report_sender_ = std::make_unique<ReportSender>(core, *measured_resolver_, *receiver_);
    settings_.store(make_service_settings(config, core.host_name(), server_tls_ != nullptr));
  }

  /// What can be asked of it by the control socket and by HTTP.
  void add_answers() {
    auto& core = *core_;
    add_commands(commands_, core, &key_looks_);
    add_mail_commands(commands_, core, *receiver_);
    add_report_commands(commands_, core, measured_resolver_.get());
    add_report_sending_commands(commands_, *report_sender_);
    add_session_commands(commands_, core, [this](auto stream, auto login) {
      return serve_account(std::move(stream), std::move(login));
    });
    add_watch_commands(commands_,
                       {core, metrics_, sessions_, [this]() -> Watch& { return *watch_; }});
    add_throttle_commands(commands_, core, *authenticator_);
    commands_.add({.verb = "server.reload",
                   .run = [this](ControlCall& call) { return answer_reload(call); }});
    router_.add("/metrics", [this](auto& request) { return answer_metrics(request); });
    router_.add("/health", [this](auto& request) { return answer_health(request); });
    metrics_.read_with([this] { return read_numbers(); });
  }

  // --- what can be seen from outside ---

  void start_watchdog() {
    auto limit = watchdog_limit();
    if (!limit) return;
    std::vector<Executor*> loops;
    for (std::size_t i = 0; i < cores_.size(); ++i) loops.push_back(&cores_[i]);
    watchdog_ = std::make_unique<Watchdog>(std::move(loops), *limit, notify_watchdog);
    watchdog_->start();
  }

  ServerMetrics::Readings read_numbers() {
    auto end = certificate_end(server_tls_.get());
    return {.store = core_->store().statistics(),
            .workers = core_->workers().load(),
            .memory_plan = core_->memory().total,
            .session_memory = sessions_.memory().held(),
            .certificate_end =
                end ? std::chrono::duration<double>(end->time_since_epoch()).count() : 0};
  }

  Task<http::Response> answer_metrics(const http::Request&) {
    http::Response response;
    response.type = metrics::Registry::kContentType;
    response.body = metrics_.registry.text();
    co_return response;
  }

  Task<http::Response> answer_health(const http::Request&) {
    std::error_code error;
    auto space = std::filesystem::space(core_->instance().data, error);
    bool no_inodes = store::lacks_inodes(core_->instance().data.string());
    co_return health_response(check_health({.store = core_->store().statistics(),
                                            .free_bytes = error ? 0 : space.available,
                                            .no_inodes = no_inodes,
                                            .reserve = core_->config().store.reserve.count,
                                            .watch = watch_->seen(),
                                            .certificate_end = certificate_end(server_tls_.get()),
                                            .needs_dns = needs_dns(core_->config()),
                                            .confined = confined_.available(),
                                            .now = core_->clock().now()}));
  }

  /// Those that are not settings of a service.
  void set_limits() {
    auto& config = core_->config();
    admission_.set_limits(std::min(config.limits.connections, files_.connections),
                          config.limits.connections_per_address);
    sessions_.memory().set_limits({.total = config.limits.memory.count != 0
                                                ? config.limits.memory.count
                                                : core_->memory().sessions,
                                   .per_session = config.limits.memory_per_connection.count});
    local_.set_limit(std::min(config.limits.local_connections, files_.local));
    authenticator_->set_limits({.max_failures = config.login.max_failures,
                                .max_waiting = config.login.max_waiting,
                                .max_waiting_per_network = config.login.max_waiting_per_network,
                                .sessions_per_account = config.limits.connections_per_account,
                                .remember = config.login.remember});
  }

  // --- connections ---

  net::Listener::Admission admit(Service service, const Endpoint& peer) {
    auto& memory = sessions_.memory();
    auto crowded = memory.crowded();
    // What is left then is for those who have little of it.
    constexpr std::uint32_t kFew = 8;
    sessions_.make_room();
    std::expected<void, std::string_view> entered = std::unexpected("limits.memory");
    if (!memory.full()) entered = admission_.enter(peer.address, crowded ? kFew : UINT32_MAX);
    if (entered) return {};
    if (auto untold = refusals_.note(peer.address, core_->clock().now()))
      log_.warn("connection.refuse", {{"proto", to_string(service)},
                                      {"ip", peer.address.to_string()},
                                      {"limit", entered.error()},
                                      {"untold", *untold}});
    auto why = crowded ? NotNow::TooBusy : NotNow::TooManyConnections;
    metrics_.of(service).refused.add();
    return {.admitted = false, .farewell = farewell(service, why, core_->host_name())};
  }

  void begin(Service service, std::unique_ptr<net::Stream> stream) {
    auto serve_it = [this, service](auto connection, Activity& activity) {
      return serve(service, std::move(connection), activity);
    };
    sessions_.spawn(to_string(service), std::move(stream), serve_it);
  }

  Task<void> serve(Service service, std::unique_ptr<net::Stream> stream, Activity& activity) {
    auto peer = stream->peer().address;
    auto& counted = metrics_.of(service);
    counted.accepted.add();
    counted.open.add();
    auto settings = settings_.load();
    auto log = log_.with({{"cid", activity.id}, {"ip", peer.to_string()}});
    co_await converse(service, *settings, std::move(log), std::move(stream), activity);
    counted.open.add(-1);
    counted.bytes_in.add(activity.bytes_in);
    counted.bytes_out.add(activity.bytes_out);
    admission_.leave(peer);
  }

  Task<void> converse(Service service, const ServiceSettings& settings, Log log,
                      std::unique_ptr<net::Stream> stream, Activity& activity) {
    smtpd::Services smtp{*receiver_, *authenticator_, server_tls_.get(), &metrics_.smtp_of(service),
                         &activity};
    auto imap = imap_services(&activity);
    pop3d::Services pop3{core_->store(),  *authenticator_,   core_->clock(), core_->random(),
                         maildrop_locks_, server_tls_.get(), &metrics_.pop3, &activity};
    switch (service) {
      case Service::Smtp:
        co_return co_await smtpd::serve(std::move(stream), settings.smtp, smtp, log);
      case Service::Submission:
        co_return co_await smtpd::serve(std::move(stream), settings.submission, smtp, log);
      case Service::Submissions:
        co_return co_await smtpd::serve(std::move(stream), settings.submissions, smtp, log);
      case Service::Imap:
        co_return co_await imapd::serve(std::move(stream), settings.imap, imap, log);
      case Service::Imaps:
        co_return co_await imapd::serve(std::move(stream), settings.imaps, imap, log);
      case Service::Pop3:
        co_return co_await pop3d::serve(std::move(stream), settings.pop3, pop3, log);
      case Service::Pop3s:
        co_return co_await pop3d::serve(std::move(stream), settings.pop3s, pop3, log);
      case Service::Http:
        co_return co_await httpd::serve(std::move(stream), settings.http,
                                        {router_, core_->clock(), &metrics_.http, &activity}, log);
    }
  }

  imapd::Services imap_services(Activity* activity) {
    return {core_->store(),
            *authenticator_,
            *views_,
            core_->workers(),
            core_->clock(),
            *large_messages_,
            large_updates_,
            server_tls_.get(),
            &metrics_.imap,
            activity,
            [this](store::AccountId account) {
              cores_[0].post([this, account] {
                if (maintenance_) maintenance_->take_up(account);
              });
            }};
  }

  /// An IMAP session that the owner of the instance has asked for (imap.session).
  Task<void> serve_account(std::unique_ptr<net::Stream> stream, auth::Login login) {
    auto settings = settings_.load();
    auto activity = sessions_.activity_of(*stream);
    auto log = log_.with({{"cid", activity->id}});
    activity->protocol = to_string(Service::Imap);
    co_await imapd::serve(std::move(stream), settings->imap, imap_services(activity), log,
                          std::move(login));
  }

  /// SMTP by hand of sendmail -bs.
  Task<void> serve_local_smtp(std::unique_ptr<net::Stream> stream, Activity& activity) {
    auto settings = settings_.load();
    auto log = log_.with({{"cid", activity.id}});
    smtpd::Services services{*receiver_, *authenticator_, nullptr, &metrics_.local, &activity};
    co_await smtpd::serve(std::move(stream), settings->local, services, log);
  }

  // --- signals ---

  /// On the first loop.
  void on_signal(int number) {
    if (!opened_ && number != SIGHUP) {
      // Opening the store cannot be cut short, and bears any end: as if nobody caught it.
      std::signal(number, SIG_DFL);
      std::raise(number);
      ::_exit(128 + number);  // as process 1 of a container, whom that does not end
    }
    if (number == SIGHUP && !opened_) {
      reload_wanted_ = true;
    } else if (number == SIGHUP) {
      reload();
    } else if (!std::exchange(ending_, true)) {
      ended_.set_value();
    }
  }

  /// Certificates and options anew. A mistake in the file leaves every option as it was; the
  /// certificates that run are renewed all the same, for they end whether it is mended or not.
  Reload reload() {
    notify_systemd("RELOADING=1");
    auto plan = look_at_files_again();
    notify_systemd("READY=1");
    return plan;
  }

  Reload look_at_files_again() {
    std::lock_guard lock(reloading_);
    auto& running = core_->config();
    auto loaded = config::load_file(core_->instance().config);
    auto plan = plan_reload(core_->instance(), running, loaded ? *loaded : running,
                            {readable_ ? &*readable_ : nullptr, server_tls_ != nullptr});
    plan.mistaken = !loaded;
    for (auto& changed : plan.options) log_changed(log_, changed);
    if (loaded) {
      core_->reconfigure(plan.config);
      settings_.store(
          make_service_settings(plan.config, core_->host_name(), server_tls_ != nullptr));
      set_limits();
      cores_[0].post([this] {
        if (maintenance_) maintenance_->look_again();
      });
    }
    if (plan.certificates) {
      auto shown = server_tls_->reload(*plan.certificates);
      if (!shown) plan.unreadable = std::move(shown).error();
    }
    if (!loaded) log_mistakes(log_, core_->instance(), loaded.error(), plan);
    if (plan.unreadable && plan.remedy.empty())
      log_.error("tls.reload", {{"err", plan.unreadable->describe()}});
    else if (plan.unreadable)
      log_.error("tls.reload", {{"err", plan.unreadable->describe()}, {"remedy", plan.remedy}});
    if (loaded && !plan.unreadable) log_.info("server.reload");
    return plan;
  }

  /// The same, asked for by `hikyaku reload`.
  Task<Result<boost::json::object>> answer_reload(ControlCall& call) {
    auto plan = reload();
    if (plan.mistaken) co_return std::unexpected(mistakes_error(core_->instance(), plan));
    for (auto& changed : plan.options)
      co_await call.item({{"option", changed.option->name},
                          {"after", json_text(changed.after)},
                          {"outcome", to_string(changed.outcome)},
                          {"why", json_text(changed.why)}});
    boost::json::object answer;
    if (plan.unreadable) answer["unreadable"] = json_text(plan.unreadable->describe());
    if (!plan.remedy.empty()) answer["remedy"] = json_text(plan.remedy);
    co_return answer;
  }

  /// From the outside in: no new connections, sessions, what is being sent; the store last.
  void end() {
    log_.info("server.end");
    for (auto& bound : listeners_) stop(*bound.listener);
    local_.stop();
    std::promise<void> sent, trimmed, watched, revoked, reported, read, keys_watched;
    cores_[0].post([&] { watch_->stop([&] { watched.set_value(); }); });
    cores_[0].post([&] { revocation_->stop([&] { revoked.set_value(); }); });
    cores_[0].post([&] { confined_.stop(); });
    cores_[0].post([&] { report_reader_->stop([&] { read.set_value(); }); });
    cores_[0].post([&] { report_sender_->stop([&] { reported.set_value(); }); });
    cores_[0].post([&] { maintenance_->stop([&] { trimmed.set_value(); }); });
    cores_[0].post([&] { key_watch_->stop([&] { keys_watched.set_value(); }); });
    cores_[0].post([&] { transmitter_->stop(kGrace, [&] { sent.set_value(); }); });
    sessions_.end_all(kGrace);
    sent.get_future().wait();
    // Who asks the DNS now does so for himself; a silent one would keep us for ten seconds.
    if (auto* outside = resolver_->outside()) outside->give_up();
    trimmed.get_future().wait();
    watched.get_future().wait();
    revoked.get_future().wait();
    reported.get_future().wait();
    read.get_future().wait();
    keys_watched.get_future().wait();
    metrics_.forget();
    cores_.call(0, [this] {
      watchdog_.reset();
      report_sender_.reset();
      report_reader_.reset();
      revocation_.reset();
      watch_.reset();
      maintenance_.reset();
      key_watch_.reset();
      transmitter_.reset();
      views_.reset();
    });
    core_->close_store();
  }

  static void stop(net::Listener& listener) {
    std::promise<void> stopped;
    listener.stop([&] { stopped.set_value(); });
    stopped.get_future().wait();
  }

  ServerMetrics& metrics_;
  std::unique_ptr<Core> core_;
  net::Cores cores_;
  ConfinedWorkers confined_;
  Sessions sessions_;
  std::vector<BoundListener> listeners_;
  Log log_;
  ControlTable commands_;
  LocalSockets local_;
  std::function<void(std::string)> say_;
  std::unique_ptr<net::ServerTls> server_tls_;
  std::unique_ptr<net::ClientTls> client_tls_;
  std::unique_ptr<ConfiguredResolver> resolver_;
  std::unique_ptr<MeasuredResolver> measured_resolver_;
  std::unique_ptr<mailbox::Views> views_;
  std::unique_ptr<Semaphore> large_messages_;
  Semaphores<store::AccountId> large_updates_{1};
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::unique_ptr<receive::KeyRing> key_ring_;
  std::unique_ptr<receive::Receiver> receiver_;
  std::unique_ptr<transmit::Transmitter> transmitter_;
  std::unique_ptr<Maintenance> maintenance_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<Revocation> revocation_;
  httpd::Router router_;
  std::unique_ptr<ReportSender> report_sender_;
  std::unique_ptr<ReportReader> report_reader_;
  KeyLooks key_looks_;
  std::unique_ptr<KeyWatch> key_watch_;
  pop3d::MaildropLocks maildrop_locks_;
  Admission admission_;
  RefusalLog refusals_;
  SharedValue<ServiceSettings> settings_;
  std::optional<SandboxPaths> readable_;  ///< in the sandbox; nothing: there is none
  OpenFiles files_;
  std::mutex reloading_;
  bool opened_ = false;         ///< the store; on the first loop
  bool reload_wanted_ = false;  ///< SIGHUP came before
  std::unique_ptr<net::Signals> signals_;
  std::promise<void> ended_;
  bool ending_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Instance instance, config::Config config, Log log,
                                              std::function<void(std::string)> say,
                                              ServerMetrics& metrics, WhichStore which) {
  hold_back_reloads(SIG_BLOCK);
  TRY(auto footing, take_footing(instance, config, log, which));
  auto server =
      std::make_unique<RunningServer>(std::move(footing), std::move(log), std::move(say), metrics);
  TRY_DO(server->prepare(std::move(instance), std::move(config), which));
  return server;
}

}  // namespace hikyaku::app
