#include "app/frozen_store.h"

#include <algorithm>
#include <unistd.h>

#include "app/commands.h"
#include "app/control_io.h"
#include "app/copy_files.h"
#include "app/core.h"
#include "app/forked.h"
#include "app/log_sink.h"
#include "app/run_command.h"
#include "app/system_user.h"
#include "base/base64.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/cores.h"
#include "store/segment.h"
#include "store/store_files.h"

namespace hikyaku::app {
namespace {

constexpr auto kConnect = std::chrono::seconds(5);
constexpr auto kForAnswer = std::chrono::minutes(10);

/// Whether a file of a store may be called so: STORE, a segment, or a file of the index, which is
/// in a directory of this name (or one that begins so).
bool is_of_store(std::string_view name, std::string_view index) {
  auto slash = name.find('/');
  if (slash == name.npos) return name == store::kStoreName;
  auto directory = name.substr(0, slash);
  auto file = name.substr(slash + 1);
  if (directory == "journal") return store::parse_segment_name(file).has_value();
  return directory.starts_with(index) && !file.contains('/');
}

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
  // Whoever made the server say something else shall not write, nor have read, what only we may.
  if (frozen.mark_name != store::kCleanMark ||
      !std::ranges::all_of(frozen.files, [](const store::Frozen::File& file) {
        return stays_below(file.from) && stays_below(file.to) &&
               is_of_store(file.from, store::kFrozenPrefix) && is_of_store(file.to, "index");
      }))
    return fail(ErrorCode::Invalid, "the server's answer is not one");
  frozen.mark = *mark;
  frozen.last_group = number_in(answer, "last_group");
  frozen.epoch = static_cast<std::uint32_t>(number_in(answer, "epoch"));
  frozen.store_id = *id;
  return frozen;
}

/// An older server tells of none.
StoreDamage damage_told(const boost::json::object& answer) {
  auto* damage = answer.if_contains("damage");
  return damage && damage->is_object() ? damage_in(damage->get_object()) : StoreDamage();
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
  bool is_held() override {
    // It says nothing more and hears nothing: its end is all that there is to see.
    return cores_.call(0, [this] { return stream_->peer_side() == net::PeerSide::Open; });
  }

  /// False: no server runs.
  Result<bool> ask(const Instance& instance, OnStarting starting) {
    return cores_.run(0, [&] { return ask_on_loop(instance.control_socket.string(), starting); });
  }

 private:
  Task<Result<bool>> ask_on_loop(std::string path, OnStarting starting) {
    auto stream = co_await net::connect_unix(std::move(path), kConnect);
    if (!stream) {
      auto code = stream.error().code;
      if (code == ErrorCode::NotFound || code == ErrorCode::Unavailable) co_return false;
      co_return std::unexpected(std::move(stream).error());
    }
    stream_ = std::move(*stream);
    stream_->set_timeout(kForAnswer);
    ControlRequest request{"backup.freeze", {}};
    CO_TRY(auto answer, co_await ask_for_session(*stream_, request, std::move(starting)));
    CO_TRY(frozen_, parse_frozen(answer));
    damage_ = damage_told(answer);
    co_return true;
  }

  net::Cores cores_;
  std::unique_ptr<net::Stream> stream_;
  store::Frozen frozen_;
};

/// In this process, which becomes the server's user for that.
class Here final : public FrozenStore {
 public:
  explicit Here(config::LogFormat format) : sink_(format, clock_), cores_(1) {}
  ~Here() override {
    frozen_.reset();
    if (core_) core_->close_store();
    cores_.stop();
    cores_.join();
  }
  const store::Frozen& frozen() const override { return *frozen_; }

  Result<void> open(const Instance& instance, const config::Config& config) {
    TRY_DO(become_user(config.server.user));
    TRY(core_, Core::open(instance, config, Log(sink_, LogLevel::Warn)));
    cores_.start();
    TRY(frozen_, cores_.run(0, [&] { return core_->store().freeze(); }));
    damage_ = damage_of(core_->store().statistics());
    return {};
  }

 private:
  SystemClock clock_;
  StandardErrorSink sink_;
  std::unique_ptr<Core> core_;
  net::Cores cores_;
  std::shared_ptr<const store::Frozen> frozen_;
};

/// By a process of its own, which becomes the server's user: what it writes belongs to that user,
/// while we keep the rights of root to write the backup where only root may.
class Apart final : public FrozenStore {
 public:
  const store::Frozen& frozen() const override { return frozen_; }

  Result<void> open(const Instance& instance, const config::Config& config) {
    TRY(process_, Forked::start([&](Forked::Parent& parent) { hold(parent, instance, config); }));
    boost::json::error_code error;
    auto value = boost::json::parse(process_->answer(), error);
    if (error || !value.is_object())
      return fail(ErrorCode::Internal, "the process that opened the store ended early");
    auto& answer = value.get_object();
    if (auto text = text_in(answer, "error"); !text.empty())
      return fail(static_cast<ErrorCode>(number_in(answer, "code")), "{}", text);
    TRY(frozen_, parse_frozen(answer));
    damage_ = damage_told(answer);
    return {};
  }

 private:
  static void hold(Forked::Parent& parent, const Instance& instance, const config::Config& config) {
    Here here(config.log.format);
    if (auto opened = here.open(instance, config); !opened) {
      auto& error = opened.error();
      parent.tell(boost::json::serialize(
          boost::json::object{{"error", json_text(error.describe())},
                              {"code", static_cast<std::uint64_t>(error.code)}}));
      return;
    }
    parent.tell(boost::json::serialize(describe_frozen(here.frozen(), here.damage())));
    parent.wait_until_released();
  }

  std::unique_ptr<Forked> process_;
  store::Frozen frozen_;
};

}  // namespace

Result<std::unique_ptr<FrozenStore>> FrozenStore::open(const Instance& instance,
                                                       const config::Config& config,
                                                       OnStarting starting) {
  {
    auto asked = std::make_unique<ByServer>();
    TRY(bool running, asked->ask(instance, std::move(starting)));
    if (running) return asked;
  }
  if (::geteuid() == 0 && !config.server.user.empty()) {
    auto apart = std::make_unique<Apart>();
    TRY_DO(apart->open(instance, config));
    return apart;
  }
  auto here = std::make_unique<Here>(config.log.format);
  TRY_DO(here->open(instance, config));
  return here;
}

}  // namespace hikyaku::app
