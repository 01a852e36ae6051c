// A session at one moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/activity.h"
#include "base/ip.h"
#include "base/time.h"

namespace hikyaku::app {

/// Sessions of this program's own commands are not shown.
inline constexpr std::string_view kControlProtocol = "control";

/// What is told of a session (`hikyaku who`), a copy.
struct SessionFacts {
  std::uint64_t id = 0;
  Activity activity;
  Endpoint peer;
  std::uint32_t uid = UINT32_MAX;  ///< of a program of this machine
  std::string tls;                 ///< "TLSv1.3"; empty: in clear
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  seconds age{};   ///< since it connected
  seconds idle{};  ///< since its last command (or since it connected)
};

}  // namespace hikyaku::app
