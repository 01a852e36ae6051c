#include "app/account_session.h"

#include "app/commands.h"
#include "app/control_io.h"
#include "app/core.h"
#include "app/listeners.h"
#include "app/log_sink.h"
#include "app/system_user.h"
#include "auth/authenticator.h"
#include "base/completion.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/semaphore.h"
#include "mailbox/view.h"
#include "net/connect.h"

namespace hikyaku::app {
namespace {

constexpr auto kConnect = std::chrono::seconds(5);

}  // namespace

/// The IMAP server without its listeners.
class AccountSessions::Offline {
 public:
  static Result<std::unique_ptr<Offline>> open(Instance instance, config::Config config) {
    auto here = std::make_unique<Offline>(config.log.format);
    Log log(here->sink_, LogLevel::Warn);
    // What is written must belong to whom the server becomes.
    TRY_DO(become_user(config.server.user));
    TRY(here->core_, Core::open(std::move(instance), std::move(config), log));
    auto& core = *here->core_;
    here->log_ = log;
    here->views_ = mailbox::make_views(core.store(), core.memory().views);
    here->authenticator_ = auth::make_authenticator(
        {.host_name = core.host_name(),
         .uses = [&core] { return core.credential_uses(); },
         .limits = {}},
        {core.store(), core.workers(), core.clock(), core.random(), core.master()}, log);
    here->settings_ = make_service_settings(core.config(), core.host_name(), false);
    return here;
  }
  explicit Offline(config::LogFormat format) : sink_(format, clock_) {}
  ~Offline() { views_.reset(); }

  Task<Result<std::unique_ptr<net::Stream>>> connect(std::string address) {
    CO_TRY(auto login, co_await find_owner(*core_, std::move(address)));
    CO_TRY(auto pair, net::connected_pair());
    imapd::Services services{core_->store(), *authenticator_, *views_, core_->workers(),
                             core_->clock(), large_messages_, nullptr};
    gate_.spawn(
        imapd::serve(std::move(pair.second), settings_->imap, services, log_, std::move(login)));
    co_return std::move(pair.first);
  }

  Task<void> end() {
    Completion<bool> ended;
    gate_.close([give = ended.giver()]() mutable { give(true); });
    co_await ended;
  }

 private:
  SystemClock clock_;
  StandardErrorSink sink_;
  Log log_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<mailbox::Views> views_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::shared_ptr<const ServiceSettings> settings_;
  Semaphore large_messages_{64 << 20};  // bytes
  Gate gate_{[this](std::exception_ptr error) { Rounds(log_, "sessions").tell(error); }};
};

AccountSessions::AccountSessions(Instance instance, config::Config config)
    : instance_(std::move(instance)), config_(std::move(config)) {}

AccountSessions::~AccountSessions() = default;

Task<Result<std::unique_ptr<net::Stream>>> AccountSessions::connect(std::string address) {
  if (offline_) co_return co_await offline_->connect(std::move(address));
  auto stream = co_await net::connect_unix(instance_.control_socket.string(), kConnect);
  if (stream) {
    asked_ = true;
    ControlRequest request{"imap.session", {{"address", json_text(address)}}};
    auto granted = co_await ask_for_session(**stream, request);
    if (!granted) co_return std::unexpected(std::move(granted).error());
    co_return std::move(*stream);
  }
  auto code = stream.error().code;
  if (code != ErrorCode::NotFound && code != ErrorCode::Unavailable)
    co_return std::unexpected(std::move(stream).error());
  // One that is just starting again must find its store free.
  if (asked_)
    co_return fail(ErrorCode::Unavailable, "the server is gone: {}", stream.error().describe());
  auto opened = Offline::open(instance_, config_);
  if (!opened) co_return std::unexpected(std::move(opened).error());
  offline_ = std::move(*opened);
  co_return co_await offline_->connect(std::move(address));
}

Task<void> AccountSessions::end() {
  if (offline_) co_await offline_->end();
}

}  // namespace hikyaku::app
