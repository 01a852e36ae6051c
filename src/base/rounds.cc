#include "base/rounds.h"

#include <string>

namespace hikyaku {
namespace {

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (...) {
    return "something that is no exception of ours";
  }
}

}  // namespace

Task<bool> Rounds::run(Task<void> piece) {
  try {
    co_await std::move(piece);
    co_return true;
  } catch (...) {
    tell(std::current_exception());
  }
  co_return false;
}

void Rounds::tell(const std::exception_ptr& error) {
  auto now = std::chrono::steady_clock::now();
  if (told_ && now < *told_ + tell_every_) {
    ++untold_;
    return;
  }
  told_ = now;
  log_.error("work.fail",
             {{"what", what_}, {"untold", std::exchange(untold_, 0)}, {"err", text_of(error)}});
}

}  // namespace hikyaku
