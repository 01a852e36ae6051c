// imap.session: an account's mail for the owner of the instance (migrate, export, import).
#include "app/commands.h"
#include "auth/directory.h"

namespace hikyaku::app {
namespace {

Task<Result<boost::json::object>> imap_session(Core& core, ControlCall& call,
                                               const ServeAccount& serve) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto login, co_await find_owner(core, std::move(address)));
  boost::json::object result{{"address", json_text(login.address)}};
  call.hand_over_to(
      [serve, login](auto stream) { return serve(std::move(stream), auth::Login(login)); });
  co_return result;
}

}  // namespace

Task<Result<auth::Login>> find_owner(Core& core, std::string address) {
  auto account = co_await core.store().read(
      [&](store::Reader& reader) { return auth::find_account(reader, address); });
  // Whoever compares it with another place would take for deleted what it lacks.
  if (core.store().is_behind())
    co_return fail(ErrorCode::Unavailable,
                   "the store is damaged, and shows an older state: hikyaku verify --repair");
  if (!account) co_return fail(ErrorCode::NotFound, "there is no account {}", address);
  co_return auth::Login{
      .account = account->id, .address = account->address, .mechanism = "OWNER", .credential = ""};
}

void add_session_commands(ControlTable& table, Core& core, ServeAccount serve) {
  table.add({.verb = "imap.session", .run = [&core, serve = std::move(serve)](ControlCall& call) {
               return imap_session(core, call, serve);
             }});
}

}  // namespace hikyaku::app
