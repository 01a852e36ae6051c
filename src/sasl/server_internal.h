// The mechanisms' servers, for make_server.
#pragma once

#include "sasl/server.h"

namespace hikyaku::sasl {

std::unique_ptr<Server> make_plain_server(const ServerSettings& settings);
std::unique_ptr<Server> make_login_server(const ServerSettings& settings);
std::unique_ptr<Server> make_cram_md5_server(const ServerSettings& settings);
std::unique_ptr<Server> make_scram_server(const MechanismInfo& mechanism,
                                          const ServerSettings& settings,
                                          const crypto::MasterKey& master);

Failure malformed(std::string text);

/// A user name prepared for look-up, or why there can be no such user.
std::variant<std::string, Failure> prepare_name(std::string_view name, const ServerLimits& limits);

/// Failure if `authzid` asks for anybody but `authcid` (both prepared or empty).
std::optional<Failure> check_authzid(std::string_view authzid, std::string_view authcid,
                                     const ServerLimits& limits);

}  // namespace hikyaku::sasl
