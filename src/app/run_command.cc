#include "app/run_command.h"

#include <cmath>
#include <fmt/core.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/core.h"
#include "app/log_sink.h"
#include "app/missing_store.h"
#include "app/next_steps.h"
#include "app/progress.h"
#include "app/store_process.h"
#include "app/system_user.h"
#include "config/load.h"
#include "net/cores.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNoInstance{
    "there is no instance in {}. Make one: hikyaku quickstart ADDRESS --dir {}",
    "{} にインスタンスがありません。作るには: hikyaku quickstart ADDRESS --dir {}"};
constexpr Phrase kNoSystemInstance{
    "there is no instance in {}. Make one: hikyaku quickstart ADDRESS (or name another with --dir)",
    "{} にインスタンスがありません。作るには: hikyaku quickstart ADDRESS(別の場所なら --dir "
    "で指定)"};
constexpr Phrase kStoreTaken{
    "another process has the store open but does not answer on {}: a server that is just ending, "
    "or another offline command. Try again in a moment.",
    "別のプロセスが保管庫を開いていますが、{} "
    "で応答しません。終了中のサーバー、または別のオフラインコマンドが実行中です。"
    "少し待ってからもう一度お試しください。"};
constexpr Phrase kStillStarting{
    "the server is still starting (its log says with what it is busy): waiting for it (Ctrl-C "
    "gives "
    "up)",
    "サーバーは起動処理中です(何をしているかはログで分かります)。完了を待ちます(Ctrl-C で中止)"};
constexpr Phrase kNeedsServer{
    "this is done by the running server, and none runs. Start it: {}",
    "これは動いているサーバーが行いますが、サーバーは動いていません。起動するには: {}"};

std::string command_to_serve(const Instance& instance) {
  return "hikyaku serve" + dir_words(instance);
}
}  // namespace

/// What does a command when no server runs.
class Commands::Offline {
 public:
  virtual ~Offline() = default;
  virtual bool knows(std::string_view verb) const = 0;
  virtual Answer run(const ControlRequest& request, const ControlHandlers& handlers) = 0;
};

/// In this process.
class Commands::Here final : public Offline {
 public:
  static Result<std::unique_ptr<Offline>> open(const Instance& placed, config::Config config) {
    auto here = std::make_unique<Here>(config.log.format);
    Log log(here->sink_, LogLevel::Warn);
    // What is written must belong to whom the server becomes.
    TRY_DO(become_user(config.server.user));
    TRY(here->core_, Core::open(placed, std::move(config), log));
    add_commands(here->table_, *here->core_);
    add_report_commands(here->table_, *here->core_, nullptr);
    here->cores_.start();
    return here;
  }

  explicit Here(config::LogFormat format) : sink_(format, clock_), cores_(1) {}
  ~Here() override {
    if (core_) core_->close_store();
    cores_.stop();
    cores_.join();
  }

  bool knows(std::string_view verb) const override { return table_.knows(verb); }
  Answer run(const ControlRequest& request, const ControlHandlers& handlers) override {
    return cores_.run(0, [&] { return run_control_here(table_, request, handlers); });
  }

 private:
  SystemClock clock_;
  StandardErrorSink sink_;
  std::unique_ptr<Core> core_;
  net::Cores cores_;
  ControlTable table_;
};

/// In a process of its own, for verbs whose command needs no more than the store.
class Commands::Apart final : public Offline {
 public:
  static Result<std::unique_ptr<Offline>> open(const Instance& placed,
                                               const config::Config& config) {
    TRY(auto process, StoreProcess::start(placed, config));
    return std::make_unique<Apart>(std::move(process));
  }

  explicit Apart(std::unique_ptr<StoreProcess> process) : process_(std::move(process)), cores_(1) {
    cores_.start();
  }
  ~Apart() override {
    cores_.stop();
    cores_.join();
  }

  bool knows(std::string_view) const override { return true; }
  Answer run(const ControlRequest& request, const ControlHandlers& handlers) override {
    return cores_.run(0, [&] { return ask(request, handlers); });
  }

 private:
  Task<Answer> ask(const ControlRequest& request, const ControlHandlers& handlers) {
    CO_TRY(auto stream, process_->connect());
    co_return co_await ask_control(*stream, request, handlers);
  }

  std::unique_ptr<StoreProcess> process_;
  net::Cores cores_;
};

Commands::Commands(const Invocation& invocation, Terminal& terminal, Rights rights)
    : invocation_(invocation),
      terminal_(terminal),
      rights_(rights),
      instance_(Instance::from(invocation.value("--dir"))) {}

Commands::~Commands() = default;

bool instance_is_there(const Instance& instance, Terminal& terminal) {
  std::error_code error;
  if (std::filesystem::exists(instance.config, error) || error) return true;
  auto directory = instance.config.parent_path().string();
  if (instance.config == Instance::of_system().config)
    terminal.complain(kNoSystemInstance, directory);
  else
    terminal.complain(kNoInstance, directory, directory);
  return false;
}

OnStarting tell_of_start(Terminal& terminal) {
  return [&terminal] {
    if (terminal.shows_progress()) terminal.complain(kStillStarting);
    return true;
  };
}

Error no_server(const Instance& instance, Language language) {
  return {ErrorCode::Unavailable, say(language, kNeedsServer, command_to_serve(instance)), {}};
}

std::expected<config::Config, Exit> load_instance_config(const Instance& instance,
                                                         Terminal& terminal) {
  if (!instance_is_there(instance, terminal)) return std::unexpected(Exit::NoInput);
  auto config = config::load_file(instance.config);
  if (!config) {
    terminal.err(config.error().describe(terminal.language()));
    return std::unexpected(Exit::Config);
  }
  return std::move(*config);
}

Result<void> Commands::open_here() {
  if (offline_) return {};
  auto config = load_instance_config(instance_, terminal_);
  if (!config) {
    shown_ = config.error();
    return fail(ErrorCode::NotFound, "no usable configuration");
  }
  auto placed = instance_.with(*config);
  auto apart = rights_ == Rights::Own && StoreProcess::keeps_rights(*config);
  auto opened = apart ? Apart::open(placed, *config) : Here::open(placed, std::move(*config));
  if (!opened) {
    if (opened.error().code != ErrorCode::Denied) shown_ = report_missing_store(placed, terminal_);
    return std::unexpected(std::move(opened).error());
  }
  offline_ = std::move(*opened);
  return {};
}

Commands::Answer Commands::run(std::string_view verb, boost::json::object args,
                               ControlHandlers handlers, std::string label) {
  std::optional<Progress> progress;
  if (!label.empty()) {
    handlers.progress = [&](const ControlProgress& told) {
      if (!progress) progress.emplace(terminal_, label, told.total);
      progress->set(told.done);
    };
  }
  handlers.starting = tell_of_start(terminal_);
  ControlRequest request{std::string(verb), std::move(args), terminal_.language()};
  if (!offline_) {
    auto answer = ask_server(instance_.control_socket, request, handlers);
    if (answer.running || asked_) {
      asked_ = true;
      return std::move(answer.result);
    }
  }
  if (auto opened = open_here(); !opened) return std::unexpected(std::move(opened).error());
  if (!offline_->knows(verb)) return std::unexpected(no_server(instance_, terminal_.language()));
  return offline_->run(request, handlers);
}

Exit Commands::report(const Error& error, Exit missing) {
  if (shown_) return *shown_;
  if (invocation_.json())
    print_json(
        terminal_,
        boost::json::object{
            {"error", {{"code", to_string(error.code)}, {"text", json_text(error.describe())}}}});
  if (error.code == ErrorCode::Conflict && !asked_ && !offline_)
    terminal_.complain(kStoreTaken, instance_.control_socket.string());
  else
    report_access(error, terminal_);
  return error.code == ErrorCode::NotFound ? missing : exit_for(error.code);
}

std::string text_in(const boost::json::object& object, std::string_view name) {
  auto value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number_in(const boost::json::object& object, std::string_view name) {
  auto value = object.if_contains(name);
  if (!value) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

bool flag_in(const boost::json::object& object, std::string_view name) {
  auto value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

ItemList::ItemList(const Invocation& invocation, Terminal& terminal, std::vector<Phrase> headings,
                   Row row)
    : json_(invocation.json()), terminal_(terminal), row_(std::move(row)) {
  for (auto& heading : headings) table_.headings.emplace_back(heading.in(terminal.language()));
}

void ItemList::add(const boost::json::object& item) {
  if (json_)
    terminal_.out((count_ == 0 ? "[" : ",\n ") + boost::json::serialize(with_whole_numbers(item)));
  else
    table_.rows.push_back(row_(item));
  ++count_;
}

void ItemList::finish(const Phrase& none) {
  if (json_)
    terminal_.out(count_ == 0 ? "[]\n" : "]\n");
  else if (count_ == 0)
    terminal_.say(none);
  else
    terminal_.table(table_);
}

std::string short_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::string_view unit;
  for (std::string_view next : {"KB", "MB", "GB", "TB"}) {
    value /= 1024;
    unit = next;
    if (value < 1000) break;
  }
  return value < 10 ? fmt::format("{:.1f} {}", value, unit) : fmt::format("{:.0f} {}", value, unit);
}

boost::json::array json_texts(const std::vector<std::string>& texts) {
  boost::json::array all;
  for (auto& text : texts) all.push_back(json_text(text));
  return all;
}

boost::json::value with_whole_numbers(boost::json::value value) {
  constexpr double kExact = 9007199254740992;  // 2^53: beyond, not every whole number is a double
  if (value.is_double()) {
    auto number = value.get_double();
    if (std::trunc(number) == number && std::abs(number) < kExact)
      value = static_cast<std::int64_t>(number);
  } else if (value.is_array()) {
    for (auto& one : value.get_array()) one = with_whole_numbers(std::move(one));
  } else if (value.is_object()) {
    for (auto& member : value.get_object())
      member.value() = with_whole_numbers(std::move(member.value()));
  }
  return value;
}

void print_json(Terminal& terminal, const boost::json::value& value) {
  terminal.out(boost::json::serialize(with_whole_numbers(value)) + '\n');
}

}  // namespace hikyaku::app
