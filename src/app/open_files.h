// How many files this process may have open at once, and how they are shared out: connections must
// leave the store those that it needs.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace hikyaku::app {

/// A shell usually lets a program have 1,024 files open unless it asks for more: asks for as many
/// as there may be (RLIMIT_NOFILE, ulimit -n).
void allow_open_files();

/// How many may be open.
struct OpenFiles {
  /// What stays for the store, the DNS, and mail on its way out: half, but no more than so many.
  static constexpr std::uint64_t kMostKept = 4096;
  /// A server with less could not even open a large store.
  static constexpr std::uint64_t kLeast = 256;

  std::uint64_t limit = 0;
  std::uint32_t connections = 0;  ///< from outside, at most
  std::uint32_t local = 0;        ///< programs of one user that are served at once, at most
  std::uint32_t outgoing = 0;     ///< connections to other servers, at most

  /// By the limit of this process. Unavailable: below kLeast.
  static Result<OpenFiles> plan();
};

}  // namespace hikyaku::app
