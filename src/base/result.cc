#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace hikyaku {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::Invalid:
      return "invalid";
    case ErrorCode::NotFound:
      return "not-found";
    case ErrorCode::Exists:
      return "exists";
    case ErrorCode::Denied:
      return "denied";
    case ErrorCode::Conflict:
      return "conflict";
    case ErrorCode::TooLarge:
      return "too-large";
    case ErrorCode::QuotaExceeded:
      return "quota-exceeded";
    case ErrorCode::NoSpace:
      return "no-space";
    case ErrorCode::Unavailable:
      return "unavailable";
    case ErrorCode::Io:
      return "io";
    case ErrorCode::Corrupt:
      return "corrupt";
    case ErrorCode::Unsupported:
      return "unsupported";
    case ErrorCode::Shutdown:
      return "shutdown";
    case ErrorCode::Internal:
      return "internal";
  }
  return "internal";
}

bool Error::temporary() const {
  switch (code) {
    case ErrorCode::Conflict:
    case ErrorCode::QuotaExceeded:
    case ErrorCode::NoSpace:
    case ErrorCode::Unavailable:
    case ErrorCode::Io:
    case ErrorCode::Corrupt:
    case ErrorCode::Shutdown:
    case ErrorCode::Internal:
      return true;
    default:
      return false;
  }
}

std::string Error::describe() const {
  std::string all = text;
  for (auto below = cause.get(); below; below = below->cause.get()) {
    all += ": ";
    all += below->text;
  }
  return all;
}

Error errno_error(std::string_view what, int error_number) {
  auto code = ErrorCode::Io;
  switch (error_number) {
    case ENOENT:
      code = ErrorCode::NotFound;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // of RLIMIT_FSIZE: as little is to be had by writing on as on a full disk
      code = ErrorCode::NoSpace;
      break;
    case EACCES:
    case EPERM:
      code = ErrorCode::Denied;
      break;
    case EEXIST:
      code = ErrorCode::Exists;
      break;
    default:
      break;
  }
  return Error{code, fmt::format("{}: {}", what, std::generic_category().message(error_number)),
               nullptr};
}

}  // namespace hikyaku
