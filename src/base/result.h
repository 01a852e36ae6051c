// Results and errors: how functions say that something went wrong (STYLE §4).
#pragma once

#include <expected>
#include <fmt/core.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hikyaku {

/// What kind of thing went wrong. Every caller can decide by it what to do; the text is for people.
enum class ErrorCode {
  /// The input does not follow its grammar or is out of range. Tell whoever sent it; trying again
  /// is no use.
  Invalid,
  /// The named thing does not exist. Say which; offer to make it where that helps.
  NotFound,
  /// The thing to be made exists already.
  Exists,
  /// Policy or missing rights forbid it.
  Denied,
  /// The state of things changed between reading and writing (or another holds a lock). Read again
  /// and decide anew.
  Conflict,
  /// The input exceeds a size or count limit. The text names the limit.
  TooLarge,
  /// A quota or a configured rate is used up. Temporary for the sender.
  QuotaExceeded,
  /// Too little free disk space or memory at the moment: 452 / NO, try later.
  NoSpace,
  /// Somebody else could not be asked or did not answer (DNS, a remote server, a busy store). Try
  /// later.
  Unavailable,
  /// Reading or writing a file or device failed.
  Io,
  /// Stored bytes are not what was written. Report it, never go on with them.
  Corrupt,
  /// Well-formed, but we do not do that.
  Unsupported,
  /// The work was given up because the server is going down.
  Shutdown,
  /// A defect in Hikyaku. Logged at error; the session says so in its protocol's words and lives.
  Internal,
};

/// The name of a code as it appears in logs and JSON, such as "not-found".
std::string_view to_string(ErrorCode code);

/// One thing that went wrong, with what caused it. Cheap to move, small enough to return.
struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string text;  ///< For people: what went wrong with which thing. No secrets, no newline.
  std::shared_ptr<const Error> cause;  ///< What lay beneath, if anything.

  /// True if the same request may succeed later without anybody changing it (4xx rather than 5xx).
  bool temporary() const;
  /// The text with the causes behind it: "cannot read x: permission denied".
  std::string describe() const;
};

/// A value, or the reason why there is none.
template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::Invalid, "no such mechanism: {}", name);`
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format,
                                          Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...), nullptr});
}

/// Adds what one was doing to an error from below; keeps its code.
template <class... Args>
[[nodiscard]] std::unexpected<Error> wrap(Error below, fmt::format_string<Args...> format,
                                          Args&&... args) {
  auto code = below.code;
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...),
                               std::make_shared<const Error>(std::move(below))});
}

/// The Error of the last failed system call: "WHAT: strerror(errno)"; ENOENT becomes NotFound,
/// ENOSPC and EDQUOT NoSpace, EACCES and EPERM Denied, EEXIST Exists, everything else Io.
Error errno_error(std::string_view what, int error_number);

}  // namespace hikyaku

#define HIKYAKU_CONCAT_(a, b) a##b
#define HIKYAKU_CONCAT(a, b) HIKYAKU_CONCAT_(a, b)

/// `TRY(auto x, f());` declares x with the value of f(), or returns f()'s error from this function.
#define TRY(declaration, expression)                                           \
  auto HIKYAKU_CONCAT(try_, __LINE__) = (expression);                          \
  if (!HIKYAKU_CONCAT(try_, __LINE__))                                         \
    return std::unexpected(std::move(HIKYAKU_CONCAT(try_, __LINE__)).error()); \
  declaration = std::move(*HIKYAKU_CONCAT(try_, __LINE__))

/// `TRY_DO(f());` for a Result<void>, or to drop the value.
#define TRY_DO(expression)                                                  \
  do {                                                                      \
    auto try_result = (expression);                                         \
    if (!try_result) return std::unexpected(std::move(try_result).error()); \
  } while (false)

/// The same inside coroutines: `CO_TRY(auto x, co_await f());`
#define CO_TRY(declaration, expression)                                           \
  auto HIKYAKU_CONCAT(try_, __LINE__) = (expression);                             \
  if (!HIKYAKU_CONCAT(try_, __LINE__))                                            \
    co_return std::unexpected(std::move(HIKYAKU_CONCAT(try_, __LINE__)).error()); \
  declaration = std::move(*HIKYAKU_CONCAT(try_, __LINE__))

#define CO_TRY_DO(expression)                                                  \
  do {                                                                         \
    auto try_result = (expression);                                            \
    if (!try_result) co_return std::unexpected(std::move(try_result).error()); \
  } while (false)
