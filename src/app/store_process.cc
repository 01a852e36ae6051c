#include "app/store_process.h"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

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
#include "base/semaphores.h"
#include "mailbox/view.h"
#include "net/connect.h"
#include "net/cores.h"
#include "net/socket_passing.h"

namespace hikyaku::app {
namespace {

/// That process: a server without its listeners.
class Holder {
 public:
  explicit Holder(config::LogFormat format)
      : sink_(format, clock_), log_(sink_, LogLevel::Warn), cores_(1) {}
  ~Holder() {
    if (views_) {
      cores_.run(0, [this] { return end(); });
      core_->close_store();
    }
    cores_.stop();
    cores_.join();
  }

  Result<void> open(const Instance& instance, const config::Config& config) {
    TRY_DO(become_user(config.server.user));
    TRY(core_, Core::open(instance, config, log_));
    views_ = mailbox::make_views(core_->store(), core_->memory().views);
    authenticator_ = auth::make_authenticator(
        {.host_name = core_->host_name(),
         .uses = [this] { return core_->credential_uses(); },
         .limits = {}},
        {core_->store(), core_->workers(), core_->clock(), core_->random(), core_->master()}, log_);
    settings_ = make_service_settings(core_->config(), core_->host_name(), false);
    add_commands(table_, *core_);
    add_session_commands(table_, *core_, [this](auto stream, auto login) {
      return serve_account(std::move(stream), std::move(login));
    });
    cores_.start();
    return {};
  }

  /// Until the other end of the channel is closed.
  void serve(int channel) {
    while (auto socket = net::receive_socket(channel))
      cores_.call(0, [&] { begin(std::move(socket)); });
  }

 private:
  void begin(net::UniqueFd socket) {
    auto stream = net::stream_of(std::move(socket));
    if (stream) gate_.spawn(converse(std::move(*stream)));
  }

  Task<void> converse(std::unique_ptr<net::Stream> stream) {
    try {
      auto next = co_await serve_control(*stream, table_, ::geteuid());
      if (next) co_await next(std::move(stream));
    } catch (const net::Disconnected&) {
      // Whoever asked has gone.
    }
  }

  Task<void> serve_account(std::unique_ptr<net::Stream> stream, auth::Login login) {
    imapd::Services services{core_->store(), *authenticator_, *views_,        core_->workers(),
                             core_->clock(), large_messages_, large_updates_, nullptr};
    co_await imapd::serve(std::move(stream), settings_->imap, services, log_, std::move(login));
  }

  Task<void> end() {
    Completion<bool> ended;
    gate_.close([give = ended.giver()]() mutable { give(true); });
    co_await ended;
    views_.reset();
  }

  SystemClock clock_;
  StandardErrorSink sink_;
  Log log_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<mailbox::Views> views_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::shared_ptr<const ServiceSettings> settings_;
  ControlTable table_;
  Semaphore large_messages_{64 << 20};  // bytes
  Semaphores<store::AccountId> large_updates_{1};
  Gate gate_{[this](std::exception_ptr error) { Rounds(log_, "sessions").tell(error); }};
  net::Cores cores_;
};

void hold(Forked::Parent& parent, int channel, const Instance& instance,
          const config::Config& config) {
  Holder holder(config.log.format);
  auto opened = holder.open(instance, config);
  parent.tell(encode_control_line(opened ? ControlLine(ControlResult{})
                                         : ControlLine(std::move(opened).error())));
  if (opened) holder.serve(channel);
}

}  // namespace

bool StoreProcess::keeps_rights(const config::Config& config) {
  return ::geteuid() == 0 && !config.server.user.empty();
}

Result<std::unique_ptr<StoreProcess>> StoreProcess::start(const Instance& instance,
                                                          const config::Config& config) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return std::unexpected(errno_error("socketpair", errno));
  net::UniqueFd ours(ends[0]), theirs(ends[1]);
  TRY(auto process, Forked::start([&](Forked::Parent& parent) {
        ours.reset();  // by its end the process learns that we have gone
        hold(parent, theirs.get(), instance, config);
      }));
  theirs.reset();
  auto told = decode_control_line(process->answer());
  if (!told) return fail(ErrorCode::Internal, "the process that opened the store ended early");
  if (auto error = std::get_if<Error>(&*told)) return std::unexpected(std::move(*error));
  return std::unique_ptr<StoreProcess>(new StoreProcess(std::move(process), std::move(ours)));
}

Result<std::unique_ptr<net::Stream>> StoreProcess::connect() {
  TRY(auto pair, net::stream_to_process());
  TRY_DO(net::send_socket(channel_.get(), pair.second));
  return std::move(pair.first);
}

}  // namespace hikyaku::app
