// CAPABILITY, NOOP, CHECK, LOGOUT, ID, NAMESPACE, ENABLE (RFC 9051 §6.1, §6.3; RFC 2971, RFC 2342).
#include <algorithm>

#include "base/text.h"
#include "imapd/session.h"

namespace hikyaku::imapd {

Task<imap::Reply> Session::handle(imap::CapabilityCommand) {
  imap::append_capability(out(), imap::capability_list(state_, offered()));
  co_return imap::ok("Capabilities listed");
}

Task<imap::Reply> Session::handle(imap::NoopCommand) {
  // Asked for news, we look, whether or not the store's notice has come through yet.
  co_await refresh(Expunges::Tell);
  co_return imap::ok("Nothing done");
}

Task<imap::Reply> Session::handle(imap::CheckCommand) {
  co_await refresh(Expunges::Tell);
  co_return imap::ok("All is on disk");
}

Task<imap::Reply> Session::handle(imap::LogoutCommand) {
  selected_.reset();
  write(imap::bye("Until next time"));
  state_.phase = imap::Phase::Logout;
  closing_ = true;
  co_return imap::ok("Logged out");
}

Task<imap::Reply> Session::handle(imap::IdCommand command) {
  for (auto& [name, value] : command.fields) {
    if (name == "name" && value) log_.debug("imap.client", {{"name", *value}});
  }
  imap::append_id(out(), {{"name", "Hikyaku"}});
  co_return imap::ok("Pleased to meet you");
}

Task<imap::Reply> Session::handle(imap::NamespaceCommand) {
  imap::append_namespace(out());
  co_return imap::ok("Namespaces listed");
}

Task<imap::Reply> Session::handle(imap::EnableCommand command) {
  struct Known {
    std::string_view name;
    imap::Enabled bit;
  };
  static constexpr Known kKnown[] = {{"CONDSTORE", imap::Enabled::CondStore},
                                     {"QRESYNC", imap::Enabled::QResync},
                                     {"UTF8=ACCEPT", imap::Enabled::Utf8Accept},
                                     {"IMAP4rev2", imap::Enabled::Imap4Rev2}};
  std::vector<std::string> enabled;
  for (auto& known : kKnown) {
    auto asked = std::ranges::any_of(command.capabilities,
                                     [&](auto& name) { return iequals(name, known.name); });
    if (!asked) continue;
    if (state_.has(known.bit)) continue;
    state_.enable(known.bit);
    enabled.emplace_back(known.name);
  }
  // RFC 7162 §3.2.3: QRESYNC switches CONDSTORE on with it.
  if (state_.has(imap::Enabled::QResync)) state_.enable(imap::Enabled::CondStore);
  parser_.set_name_form(state_.name_form());
  imap::append_enabled(out(), enabled);
  co_return imap::ok("Enabled");
}

}  // namespace hikyaku::imapd
