// SeccompFilter: the list of system calls that a process keeps (seccomp(2)).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace hikyaku::app {

/// Everything that is not added gives ENOSYS, for which libraries that try something newer first
/// have another way.
class SeccompFilter {
 public:
  SeccompFilter();
  ~SeccompFilter();
  SeccompFilter(const SeccompFilter&) = delete;
  SeccompFilter& operator=(const SeccompFilter&) = delete;

  /// The condition that an argument of a call has a value in the bits of `mask`.
  struct Argument {
    unsigned number;
    std::uint64_t value;
    std::uint64_t mask = ~std::uint64_t{0};
  };

  // Names are separated by spaces. Calls that this machine's kernel does not know are left out.

  void allow(std::string_view names);
  void allow_if(std::string_view name, Argument argument);
  /// A clear EPERM.
  void refuse(std::string_view names);

  /// For good, for this thread and what it starts. Unavailable if the kernel refuses.
  Result<void> enter();

 private:
  void add(std::uint32_t action, std::string_view name, const Argument* argument);

  void* context_;
  int error_ = 0;
};

}  // namespace hikyaku::app
