#include "app/account_session.h"

#include "net/connect.h"
#include "net/cores.h"

namespace hikyaku::app {
namespace {

constexpr auto kConnect = std::chrono::seconds(5);

Task<Result<bool>> server_listens(std::string socket) {
  auto stream = co_await net::connect_unix(std::move(socket), kConnect);
  if (stream) co_return true;
  auto code = stream.error().code;
  if (code == ErrorCode::NotFound || code == ErrorCode::Unavailable) co_return false;
  co_return std::unexpected(std::move(stream).error());
}

Result<bool> server_runs(const std::string& socket) {
  net::Cores cores(1);
  cores.start();
  auto runs = cores.run(0, [&] { return server_listens(socket); });
  cores.stop();
  cores.join();
  return runs;
}

}  // namespace

Result<std::unique_ptr<AccountSessions>> AccountSessions::open(const Instance& instance,
                                                               const config::Config& config,
                                                               OnStarting starting) {
  auto socket = instance.control_socket.string();
  TRY(bool runs, server_runs(socket));
  std::unique_ptr<StoreProcess> store;
  if (!runs) {
    TRY(store, StoreProcess::start(instance, config));
  }
  return std::unique_ptr<AccountSessions>(
      new AccountSessions(std::move(socket), std::move(store), std::move(starting)));
}

Task<Result<std::unique_ptr<net::Stream>>> AccountSessions::connect(std::string address) {
  std::unique_ptr<net::Stream> stream;
  if (store_) {
    CO_TRY(stream, store_->connect());
  } else {
    auto connected = co_await net::connect_unix(socket_, kConnect);
    // One that is just starting again must find its store free.
    if (!connected)
      co_return fail(ErrorCode::Unavailable, "the server is gone: {}",
                     connected.error().describe());
    stream = std::move(*connected);
  }
  ControlRequest request{"imap.session", {{"address", json_text(address)}}};
  CO_TRY_DO(co_await ask_for_session(*stream, request, starting_));
  co_return std::move(stream);
}

}  // namespace hikyaku::app
