// What a read of the store throws when the index is damaged.
#pragma once

#include <exception>
#include <string>

namespace hikyaku::store {

/// The index could not be read (damaged, device error). Thrown, because Reader has no other way.
/// Who asked is told that what he wants is damaged; it is no defect of the program.
class IndexError : public std::exception {
 public:
  explicit IndexError(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

}  // namespace hikyaku::store
