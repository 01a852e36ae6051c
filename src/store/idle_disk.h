// Reading from the disk when nobody else wants to.
#pragma once

namespace hikyaku::store {

/// As long as it lives, what this thread asks of a disk comes after what all others ask, where the
/// kernel keeps such an order (BFQ, CFQ); elsewhere it changes nothing.
class IdleDisk {
 public:
  IdleDisk();
  IdleDisk(const IdleDisk&) = delete;
  IdleDisk& operator=(const IdleDisk&) = delete;
  ~IdleDisk();

 private:
  long before_;  ///< negative: unknown
};

}  // namespace hikyaku::store
