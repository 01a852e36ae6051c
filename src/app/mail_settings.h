// Taking mail in and sending it on, as the configuration has them.
#pragma once

#include <string>

#include "config/config.h"
#include "crypto/master_key.h"
#include "receive/receiver.h"
#include "transmit/transmitter.h"

namespace hikyaku::app {

receive::Settings receive_settings(const config::Config& config, const std::string& host_name,
                                   const crypto::MasterKey& master);
transmit::Settings transmit_settings(const config::Config& config, const std::string& host_name);

}  // namespace hikyaku::app
