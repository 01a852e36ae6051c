// FdWatch: another library's file descriptor in our event loop.
#pragma once

#include <memory>

#include "base/executor.h"
#include "base/result.h"

namespace hikyaku::net {

class Cores;

/// Calls back, on the first of `cores`, whenever the descriptor is readable, until it is destroyed;
/// afterwards it calls no more. The callback reads all there is. Making and destroying may happen
/// on any thread; the descriptor itself stays the caller's.
class FdWatch {
 public:
  FdWatch(Cores& cores, int fd, Callback readable);
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;
  ~FdWatch();

 private:
  struct Watching;
  std::shared_ptr<Watching> watching_;
};

}  // namespace hikyaku::net
