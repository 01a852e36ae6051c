#include "app/frozen_store.h"

#include "app/control_io.h"
#include "app/core.h"
#include "app/log_sink.h"
#include "app/run_command.h"
#include "app/system_user.h"
#include "base/base64.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/cores.h"

namespace hikyaku::app {
namespace {

constexpr auto kConnect = std::chrono::seconds(5);
constexpr auto kForAnswer = std::chrono::minutes(10);

Result<store::Frozen> parse_frozen(const boost::json::object& answer) {
  store::Frozen frozen;
  auto mark = base64_decode(text_in(answer, "mark"));
  auto id = from_hex(text_in(answer, "store_id"));
  auto files = answer.if_contains("files");
  if (!mark || !id || !files || !files->is_array())
    return fail(ErrorCode::Invalid, "the server's answer is not one");
  for (auto& one : files->get_array()) {
    if (!one.is_object()) return fail(ErrorCode::Invalid, "the server's answer is not one");
    auto& file = one.get_object();
    frozen.files.push_back({text_in(file, "from"), text_in(file, "to"), number_in(file, "length"),
                            flag_in(file, "sealed")});
  }
  frozen.mark_name = text_in(answer, "mark_name");
  frozen.mark = *mark;
  frozen.last_group = number_in(answer, "last_group");
  frozen.epoch = static_cast<std::uint32_t>(number_in(answer, "epoch"));
  frozen.store_id = *id;
  return frozen;
}

/// By the server, which holds it while the connection lives.
class ByServer final : public FrozenStore {
 public:
  ByServer() : cores_(1) { cores_.start(); }
  ~ByServer() override {
    cores_.call(0, [this] { stream_.reset(); });
    cores_.stop();
    cores_.join();
  }
  const store::Frozen& frozen() const override { return frozen_; }

  /// False: no server runs.
  Result<bool> ask(const Instance& instance) {
    return cores_.run(0, [&] { return ask_on_loop(instance.control_socket.string()); });
  }

 private:
  Task<Result<bool>> ask_on_loop(std::string path) {
    auto stream = co_await net::connect_unix(std::move(path), kConnect);
    if (!stream) {
      auto code = stream.error().code;
      if (code == ErrorCode::NotFound || code == ErrorCode::Unavailable) co_return false;
      co_return std::unexpected(std::move(stream).error());
    }
    stream_ = std::move(*stream);
    stream_->set_timeout(kForAnswer);
    ControlRequest request{"backup.freeze", {}};
    CO_TRY(auto answer, co_await ask_for_session(*stream_, request));
    CO_TRY(frozen_, parse_frozen(answer));
    co_return true;
  }

  net::Cores cores_;
  std::unique_ptr<net::Stream> stream_;
  store::Frozen frozen_;
};

class Here final : public FrozenStore {
 public:
  explicit Here(config::LogFormat format) : sink_(format, clock_), cores_(1) {}
  ~Here() override {
    frozen_.reset();
    cores_.stop();
    cores_.join();
  }
  const store::Frozen& frozen() const override { return *frozen_; }

  Result<void> open(const Instance& instance, const config::Config& config) {
    TRY_DO(become_user(config.server.user));
    TRY(core_, Core::open(instance, config, Log(sink_, LogLevel::Warn)));
    cores_.start();
    TRY(frozen_, cores_.run(0, [&] { return core_->store().freeze(); }));
    return {};
  }

 private:
  SystemClock clock_;
  StandardErrorSink sink_;
  std::unique_ptr<Core> core_;
  net::Cores cores_;
  std::shared_ptr<const store::Frozen> frozen_;
};

}  // namespace

Result<std::unique_ptr<FrozenStore>> FrozenStore::open(const Instance& instance,
                                                       const config::Config& config) {
  {
    auto asked = std::make_unique<ByServer>();
    TRY(bool running, asked->ask(instance));
    if (running) return asked;
  }
  auto here = std::make_unique<Here>(config.log.format);
  TRY_DO(here->open(instance, config));
  return here;
}

}  // namespace hikyaku::app
