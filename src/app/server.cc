#include "app/server.h"

#include <atomic>
#include <csignal>
#include <expected>
#include <fmt/core.h>
#include <future>
#include <ranges>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/admission.h"
#include "app/authentication_settings.h"
#include "app/commands.h"
#include "app/configured_resolver.h"
#include "app/confined_workers.h"
#include "app/control_io.h"
#include "app/dkim_keys.h"
#include "app/health.h"
#include "app/key_watch.h"
#include "app/listeners.h"
#include "app/maintenance.h"
#include "app/measured_resolver.h"
#include "app/next_steps.h"
#include "app/report_reader.h"
#include "app/report_sender.h"
#include "app/revocation.h"
#include "app/sandbox.h"
#include "app/server_metrics.h"
#include "app/sessions.h"
#include "app/submit.h"
#include "app/system_user.h"
#include "app/watch.h"
#include "auth/authenticator.h"
#include "auth/places.h"
#include "base/async.h"
#include "base/semaphore.h"
#include "base/shared_value.h"
#include "base/text.h"
#include "config/diff.h"
#include "config/load.h"
#include "mailbox/view.h"
#include "net/cores.h"
#include "net/signals.h"
#include "receive/receiver.h"
#include "receive/signing.h"
#include "transmit/transmitter.h"
#include "unbound/resolver.h"

namespace hikyaku::app {
namespace {

/// How long what is under way may take when the server ends.
constexpr milliseconds kGrace = std::chrono::seconds(10);

/// For a verb that has the store when the server starts; systemd gives it three times as long.
constexpr milliseconds kLockPatience = std::chrono::seconds(30);

/// Tells systemd how we are (sd_notify(3)); nothing without NOTIFY_SOCKET.
void notify_systemd(std::string_view state) {
  auto path = std::getenv("NOTIFY_SOCKET");
  if (!path || !*path) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) return;
  name.copy(address.sun_path, name.size());
  if (name.front() == '@') address.sun_path[0] = 0;
  int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
           length);
  ::close(fd);
}

Result<std::vector<net::CertificatePem>> read_certificates(const Instance& instance,
                                                           const config::Config& config) {
  std::vector<net::CertificatePem> certificates;
  for (auto& entry : config.tls.certificates) {
    TRY(auto certificate, net::read_certificate(entry.cert.string(), entry.key.string()));
    certificates.push_back(std::move(certificate));
  }
  if (certificates.empty() && std::filesystem::exists(instance.tls / "cert.pem")) {
    TRY(auto certificate, net::read_certificate((instance.tls / "cert.pem").string(),
                                                (instance.tls / "key.pem").string()));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

class RunningServer final : public Server {
 public:
  RunningServer(ConfinedProcess confined, std::vector<BoundListener> listeners,
                std::unique_ptr<net::Listener> control, std::unique_ptr<net::Listener> submit,
                Log log, std::function<void(std::string)> say, ServerMetrics& metrics)
      : metrics_(metrics),
        cores_(net::Cores::usable()),
        confined_(std::move(confined), cores_, metrics.confined, log),
        sessions_(cores_),
        listeners_(std::move(listeners)),
        control_(std::move(control)),
        submit_(std::move(submit)),
        log_(std::move(log)),
        say_(std::move(say)) {}

  ~RunningServer() override {
    // Whatever happened, the loops end before what their sessions used.
    cores_.stop();
    cores_.join();
  }

  Result<void> prepare(Instance instance, config::Config config, WhichStore which) {
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
    set_limits();
    return {};
  }

  void run() override {
    net::Signals signals(cores_, {SIGTERM, SIGINT, SIGHUP},
                         [this](int number) { on_signal(number); });
    cores_.start();
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
    });
    for (auto& bound : listeners_) {
      bound.listener->start(
          cores_,
          [this, service = bound.service](auto stream) { begin(service, std::move(stream)); },
          [this, service = bound.service](const Endpoint& peer) { return admit(service, peer); });
      say_(fmt::format("listening on {} ({})", bound.listener->name(), to_string(bound.service)));
    }
    control_->start(cores_, [this](auto stream) { begin_control(std::move(stream)); });
    submit_->start(cores_, [this](auto stream) { begin_submit(std::move(stream)); });
    notify_systemd("READY=1");
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
         .uses = core.credential_uses(),
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
    std::optional<seconds> signature_lifetime;
    if (config.dkim.expiry != milliseconds(0))
      signature_lifetime = std::chrono::duration_cast<seconds>(config.dkim.expiry);
    receiver_ = receive::make_receiver(
        {.host_name = core.host_name(),
         .recipient_delimiters = config.delivery.recipient_delimiters,
         .report_address = config.dmarc.report_address,
         .max_received = config.smtp.max_received,
         .max_header = config.smtp.max_header.count,
         .max_queued = config.queue.max_recipients,
         .max_queued_bytes = config.queue.max_bytes.count,
         .hide_client_address = config.submission.hide_client_address,
         .signature_lifetime = signature_lifetime,
         .oversigned = config.dkim.oversign,
         .seal = config.arc.seal,
         .authentication = authentication_settings(config, core.host_name()),
         .failure_reports = failure_report_settings(config, core.master())},
        {core.store(), core.workers(), core.clock(), core.random(), *large_messages_,
         measured_resolver_.get(), key_ring_.get(), metrics_.receive},
        log_);
    transmit::Settings transmit;
    transmit.connect.host_name = core.host_name();
    transmit.connect.port = config.mx_port();
    transmit.connect.source_addresses = config.transmit.source_addresses;
    transmit.connect.connect_timeout = config.transmit.connect_timeout;
    transmit.schedule = {config.queue.retry, config.queue.lifetime, config.queue.delay_notice};
    transmit.self.host_name = core.host_name();
    for (auto& endpoint : config.listen.endpoints(config.listen.smtp)) {
      if (endpoint.port == config.mx_port()) transmit.self.addresses.push_back(endpoint.address);
    }
    transmit.connections = config.transmit.connections;
    transmit.connections_per_destination = config.transmit.connections_per_destination;
    transmit.messages_per_connection = config.transmit.messages_per_connection;
    transmitter_ = transmit::make_transmitter(
        std::move(transmit),
        {core.store(), *receiver_, *measured_resolver_, *client_tls_, core.clock(), core.random(),
         metrics_.transmit, &core.patient_clock()},
        log_);
    report_sender_ = std::make_unique<ReportSender>(core, *measured_resolver_, *receiver_);
    settings_.store(make_service_settings(config, core.host_name(), server_tls_ != nullptr));
    add_commands(commands_, core, &key_looks_);
    add_mail_commands(commands_, core, *receiver_);
    add_report_commands(commands_, core, measured_resolver_.get());
    add_report_sending_commands(commands_, *report_sender_);
    add_session_commands(commands_, core, [this](auto stream, auto login) {
      return serve_account(std::move(stream), std::move(login));
    });
    add_watch_commands(commands_,
                       {core, metrics_, sessions_, [this]() -> Watch& { return *watch_; }});
    router_.add("/metrics", [this](auto& request) { return answer_metrics(request); });
    router_.add("/health", [this](auto& request) { return answer_health(request); });
    metrics_.read_with([this] { return read_numbers(); });
  }

  // --- what can be seen from outside ---

  ServerMetrics::Readings read_numbers() {
    auto end = certificate_end();
    return {.store = core_->store().statistics(),
            .workers = core_->workers().load(),
            .memory_plan = core_->memory().total,
            .session_memory = sessions_.memory().held(),
            .certificate_end =
                end ? std::chrono::duration<double>(end->time_since_epoch()).count() : 0};
  }

  std::optional<Time> certificate_end() const {
    std::optional<Time> end;
    if (!server_tls_) return end;
    for (auto& facts : server_tls_->certificates())
      end = std::min(end.value_or(facts.not_after), Time(facts.not_after));
    return end;
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
    co_return health_response(check_health({.store = core_->store().statistics(),
                                            .free_bytes = error ? 0 : space.available,
                                            .reserve = core_->config().store.reserve.count,
                                            .watch = watch_->seen(),
                                            .certificate_end = certificate_end(),
                                            .confined = confined_.available(),
                                            .now = core_->clock().now()}));
  }

  /// Those that are not settings of a service.
  void set_limits() {
    auto& config = running_config();
    admission_.set_limits(config.limits.connections, config.limits.connections_per_address);
    sessions_.memory().set_limits({.total = config.limits.memory.count != 0
                                                ? config.limits.memory.count
                                                : core_->memory().sessions,
                                   .per_session = config.limits.memory_per_connection.count});
    most_local_connections_ = config.limits.local_connections;
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
    return {core_->store(),   *authenticator_,   *views_,        core_->workers(), core_->clock(),
            *large_messages_, server_tls_.get(), &metrics_.imap, activity};
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

  /// A program of this machine on its way in.
  struct LocalPlace {
    std::uint32_t uid = UINT32_MAX;
    bool one_too_many = false;  ///< another one is to go
    std::shared_ptr<void> place;
  };

  /// nullopt: its user has too many.
  std::optional<LocalPlace> local_place(const net::Stream& stream) {
    // So many may be on their way in while others are on their way out.
    constexpr std::uint32_t kMore = 64;
    LocalPlace local;
    auto most = most_local_connections_.load();
    if (auto process = stream.peer_process()) local.uid = process->uid;
    local.place = local_connections_.take(local.uid, most);
    local.one_too_many = !local.place;
    if (!local.place) local.place = local_connections_.take(local.uid, most + kMore);
    return local.place ? std::optional(local) : std::nullopt;
  }

  /// Programs that connect and say nothing keep nobody out: the oldest of the same user gives way.
  /// False: all are at work.
  Task<bool> end_silent_program(std::uint32_t uid) {
    auto is_silent = [uid](const SessionFacts& facts) {
      return facts.uid == uid && facts.bytes_in == 0 &&
             (facts.activity.protocol == "control" || facts.activity.protocol == "local");
    };
    while (true) {
      auto all = co_await sessions_.list();
      auto oldest = std::ranges::find_if(all, [&](auto& facts) {
        return is_silent(facts) && facts.activity.end == Activity::End::Not;
      });
      if (oldest == all.end()) co_return false;
      // Between the two looks it may have spoken, or others have ended it.
      auto ended = co_await sessions_.end(
          [id = oldest->id, is_silent](const SessionFacts& facts) {
            return facts.id == id && is_silent(facts);
          },
          Activity::End::Crowded);
      if (ended > 0) co_return true;
    }
  }

  void begin_control(std::unique_ptr<net::Stream> stream) {
    auto local = local_place(*stream);
    if (!local) return;
    sessions_.spawn("control", std::move(stream), [this, local](auto connection, Activity&) {
      return serve_commands(std::move(connection), *local);
    });
  }

  Task<void> serve_commands(std::unique_ptr<net::Stream> stream, LocalPlace local) {
    if (local.one_too_many && !co_await end_silent_program(local.uid)) co_return;
    try {
      auto next = co_await serve_control(*stream, commands_, ::getuid());
      if (next) co_await next(std::move(stream));
    } catch (const net::Disconnected&) {
      // Whoever asked has gone.
    }
  }

  void begin_submit(std::unique_ptr<net::Stream> stream) {
    auto local = local_place(*stream);
    if (!local) return;
    sessions_.spawn("local", std::move(stream), [this, local](auto connection, Activity& activity) {
      return serve_programs(std::move(connection), activity, *local);
    });
  }

  /// Programs of this machine: mail.submit, or SMTP by hand of sendmail -bs.
  Task<void> serve_programs(std::unique_ptr<net::Stream> stream, Activity& activity,
                            LocalPlace local) {
    if (local.one_too_many && !co_await end_silent_program(local.uid)) co_return;
    auto settings = settings_.load();
    auto log = log_.with({{"cid", activity.id}});
    smtpd::Services services{*receiver_, *authenticator_, nullptr, &metrics_.local, &activity};
    auto smtp = [settings, log, services](std::unique_ptr<net::Stream> connection) {
      return smtpd::serve(std::move(connection), settings->local, services, log);
    };
    try {
      co_await serve_submit(std::move(stream), commands_, smtp);
    } catch (const net::Disconnected&) {
      // Whoever asked has gone.
    }
  }

  // --- signals ---

  void on_signal(int number) {
    if (number == SIGHUP) {
      reload();
    } else if (!std::exchange(ending_, true)) {
      ended_.set_value();
    }
  }

  /// Each in a line of its own.
  void log_mistakes(const config::Problems& problems) {
    constexpr std::size_t kMostTold = 50;
    for (auto& problem : problems.list | std::views::take(kMostTold))
      log_.error("config.reload", {{"err", problem.describe(problems.file)}});
    log_.error("config.reload",
               {{"count", problems.list.size()},
                {"what", "nothing was changed; mend it, then reload again"},
                {"remedy", "hikyaku config check" + dir_words(core_->instance())}});
  }

  /// Certificates and options anew; a mistake leaves everything as it was.
  void reload() {
    notify_systemd("RELOADING=1");
    auto loaded = config::load_file(core_->instance().config);
    if (!loaded) {
      log_mistakes(loaded.error());
    } else {
      for (auto& change : config::diff(running_config(), *loaded)) {
        auto restart = change.option->applies == config::Applies::OnRestart;
        log_.info("config.change", {{"option", change.option->name},
                                    {"after", change.after},
                                    {"why", restart ? "needs a restart" : "applied"}});
      }
      reloaded_ = std::make_unique<config::Config>(config::reloaded(running_config(), *loaded));
      settings_.store(
          make_service_settings(*reloaded_, core_->host_name(), server_tls_ != nullptr));
      set_limits();
    }
    auto certificates = read_certificates(core_->instance(), running_config());
    auto result = certificates && server_tls_ ? server_tls_->reload(*certificates) : Result<>{};
    if (!certificates) log_.error("tls.reload", {{"err", certificates.error().describe()}});
    if (!result) log_.error("tls.reload", {{"err", result.error().describe()}});
    if (loaded && certificates && result) log_.info("server.reload");
    notify_systemd("READY=1");
  }
  const config::Config& running_config() const { return reloaded_ ? *reloaded_ : core_->config(); }

  /// From the outside in: no new connections, sessions, what is being sent; the store last.
  void end() {
    log_.info("server.end");
    for (auto& bound : listeners_) stop(*bound.listener);
    stop(*control_);
    stop(*submit_);
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
  std::unique_ptr<net::Listener> control_;
  std::unique_ptr<net::Listener> submit_;
  Log log_;
  std::function<void(std::string)> say_;
  std::unique_ptr<net::ServerTls> server_tls_;
  std::unique_ptr<net::ClientTls> client_tls_;
  std::unique_ptr<ConfiguredResolver> resolver_;
  std::unique_ptr<MeasuredResolver> measured_resolver_;
  std::unique_ptr<mailbox::Views> views_;
  std::unique_ptr<Semaphore> large_messages_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::unique_ptr<receive::KeyRing> key_ring_;
  std::unique_ptr<receive::Receiver> receiver_;
  std::unique_ptr<transmit::Transmitter> transmitter_;
  std::unique_ptr<Maintenance> maintenance_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Revocation> revocation_;
  httpd::Router router_;
  std::unique_ptr<ReportSender> report_sender_;
  std::unique_ptr<ReportReader> report_reader_;
  KeyLooks key_looks_;
  std::unique_ptr<KeyWatch> key_watch_;
  pop3d::MaildropLocks maildrop_locks_;
  Admission admission_;
  RefusalLog refusals_;
  auth::Places<std::uint32_t> local_connections_;  ///< by user id
  std::atomic<std::uint32_t> most_local_connections_{0};
  ControlTable commands_;
  SharedValue<ServiceSettings> settings_;
  std::unique_ptr<config::Config> reloaded_;
  std::promise<void> ended_;
  bool ending_ = false;
};

/// The process in whose children hostile formats are read.
Result<ConfinedProcess> start_confined(const config::Config& config, const Log& log) {
  auto confine = config.server.sandbox ? Confine::Required : Confine::IfPossible;
  TRY(auto process, ConfinedProcess::start(config.server.user, confine));
  if (process.confined())
    log.info("confined.start", {{"what", process.state()}});
  else
    log.warn("confined.start", {{"err", process.state()}});
  return process;
}

/// Before the first thread: what is given up holds for those that come.
Result<void> give_up_rights(const Instance& instance, const config::Config& config, const Log& log,
                            WhichStore which) {
  if (!config.server.sandbox) {
    log.warn("server.sandbox", {{"what", "off (server.sandbox)"}});
    return {};
  }
  std::error_code error;
  if (which == WhichStore::New) std::filesystem::create_directories(instance.data, error);
  if (error)
    return std::unexpected(errno_error("cannot make " + instance.data.string(), error.value()));
  TRY(auto state, enter_sandbox(sandbox_paths(instance, config)));
  log.info("server.sandbox", {{"what", state.describe()}});
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Instance instance, config::Config config, Log log,
                                              std::function<void(std::string)> say,
                                              ServerMetrics& metrics, WhichStore which) {
  // Before there is anything that it should not have.
  TRY(auto confined, start_confined(config, log));
  TRY(auto listeners, bind_listeners(config));
  std::error_code error;
  std::filesystem::create_directories(instance.control_socket.parent_path(), error);
  if (error)
    return std::unexpected(errno_error(
        "cannot make " + instance.control_socket.parent_path().string(), error.value()));
  TRY(auto control, net::Listener::bind_unix(instance.control_socket.string()));
  TRY(auto submit, net::Listener::bind_unix(instance.submit_socket.string(), 0666));
  TRY_DO(become_user(config.server.user));  // root was needed for the ports only
  TRY_DO(give_up_rights(instance, config, log, which));
  auto server =
      std::make_unique<RunningServer>(std::move(confined), std::move(listeners), std::move(control),
                                      std::move(submit), std::move(log), std::move(say), metrics);
  TRY_DO(server->prepare(std::move(instance), std::move(config), which));
  return server;
}

}  // namespace hikyaku::app
