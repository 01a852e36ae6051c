#include "app/seccomp_filter.h"

#include <cerrno>
#include <seccomp.h>
#include <string>

#include "base/text.h"

namespace hikyaku::app {

SeccompFilter::SeccompFilter() : context_(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {
  if (!context_) error_ = ENOMEM;
}

SeccompFilter::~SeccompFilter() {
  if (context_) ::seccomp_release(context_);
}

void SeccompFilter::add(std::uint32_t action, std::string_view name, const Argument* argument) {
  if (!context_) return;
  int number = ::seccomp_syscall_resolve_name(std::string(name).c_str());
  if (number < 0) return;
  scmp_arg_cmp condition{};
  if (argument) condition = {argument->number, SCMP_CMP_MASKED_EQ, argument->mask, argument->value};
  int result = ::seccomp_rule_add_array(context_, action, number, argument ? 1 : 0,
                                        argument ? &condition : nullptr);
  if (result < 0 && error_ == 0) error_ = -result;
}

void SeccompFilter::allow(std::string_view names) {
  for (auto name : split(names, ' ')) add(SCMP_ACT_ALLOW, name, nullptr);
}

void SeccompFilter::allow_if(std::string_view name, Argument argument) {
  add(SCMP_ACT_ALLOW, name, &argument);
}

void SeccompFilter::refuse(std::string_view names) {
  for (auto name : split(names, ' ')) add(SCMP_ACT_ERRNO(EPERM), name, nullptr);
}

Result<void> SeccompFilter::enter() {
  if (error_ == 0) {
    // A binary tree: this is on every call's way.
    ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    error_ = -::seccomp_load(context_);
  }
  if (error_ == 0) return {};
  auto error = errno_error("cannot restrict system calls (seccomp)", error_);
  error.code = ErrorCode::Unavailable;
  return std::unexpected(std::move(error));
}

}  // namespace hikyaku::app
