#include "imap/capability.h"

#include <algorithm>

namespace hikyaku::imap {

std::string capability_list(const Session& session, const CapabilitySettings& settings) {
  std::string list = "IMAP4rev1";
  auto add = [&](std::string_view name) {
    list += ' ';
    list += name;
  };
  if (settings.imap4rev2) add("IMAP4rev2");
  add(settings.literal_minus ? "LITERAL-" : "LITERAL+");
  add("ID");
  add("ENABLE");
  if (session.phase == Phase::NotAuthenticated) {
    add("SASL-IR");
    if (settings.starttls && !session.tls) add("STARTTLS");
    if (!settings.login || !session.confidential()) add("LOGINDISABLED");
    auto& mechanisms =
        session.confidential() ? settings.mechanisms : settings.mechanisms_without_tls;
    for (auto& mechanism : mechanisms) add("AUTH=" + mechanism);
    return list;
  }
  for (auto& extension : settings.extensions) add(extension);
  if (settings.append_limit) add("APPENDLIMIT=" + std::to_string(*settings.append_limit));
  return list;
}

bool mechanism_offered(const Session& session, const CapabilitySettings& settings,
                       std::string_view mechanism) {
  auto& mechanisms = session.confidential() ? settings.mechanisms : settings.mechanisms_without_tls;
  return std::ranges::find(mechanisms, mechanism) != mechanisms.end();
}

}  // namespace hikyaku::imap
