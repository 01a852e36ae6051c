// How the program ends.
#pragma once

#include <initializer_list>

namespace hikyaku::app {

/// Exit codes, those of sysexits.h where they say what is meant.
enum class Exit {
  Ok = 0,
  Failed = 1,        ///< it was done, and the answer is no (a check found something)
  Usage = 64,        ///< the command line is wrong
  Data = 65,         ///< the input is not what it should be
  NoInput = 66,      ///< an input file cannot be read
  NoAccount = 67,    ///< no such account
  Unavailable = 69,  ///< something that is needed does not work
  Software = 70,     ///< a defect in Hikyaku
  CannotCreate = 73,
  Io = 74,
  TryLater = 75,  ///< a failure that may pass
  Protocol = 76,  ///< a remote side said something impossible
  NoPermission = 77,
  Config = 78,
};

/// What `hikyaku serve` ends with when starting it again would end in the same way until somebody
/// has mended something. packaging/hikyaku.service keeps systemd from trying (a test compares);
/// with all others it tries again.
inline constexpr auto kNotMendedByRestart = {
    Exit::Usage,        Exit::Data,         Exit::NoInput, Exit::Unavailable,
    Exit::CannotCreate, Exit::NoPermission, Exit::Config};

}  // namespace hikyaku::app
