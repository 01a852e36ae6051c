// The certificates that the server shows: where they are, and when the first of them ends.
#pragma once

#include <optional>
#include <vector>

#include "app/instance.h"
#include "base/result.h"
#include "base/time.h"
#include "config/config.h"
#include "net/tls.h"

namespace hikyaku::app {

/// Those of the options; without any, the instance's own, if it has one. Empty: no TLS. Blocks.
Result<std::vector<net::CertificatePem>> read_certificates(const Instance& instance,
                                                           const config::Config& config);

/// When the first of what is loaded ends; nullopt without TLS. From any thread.
std::optional<Time> certificate_end(const net::ServerTls* tls);

}  // namespace hikyaku::app
