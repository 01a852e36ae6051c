// The mechanisms' clients, for make_client.
#pragma once

#include "sasl/client.h"

namespace hikyaku::sasl {

Result<std::unique_ptr<Client>> make_scram_client(const MechanismInfo& mechanism,
                                                  ClientSettings settings);

}  // namespace hikyaku::sasl
