// What confined workers do, one function a job. Pure: bytes in, bytes out.
#pragma once

#include "app/confined_protocol.h"

namespace hikyaku::app {

ConfinedJobs confined_jobs();

}  // namespace hikyaku::app
