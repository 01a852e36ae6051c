#include "dns/message.h"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dns/record.h"

namespace hikyaku::dns {
namespace {

constexpr std::size_t kHeader = 12;
constexpr unsigned kCodeMask = 0xF;

/// Goes through a message; nullopt, or false, at its end and for what has no form.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : rest_(bytes) {}

  std::optional<unsigned> u16() {
    if (rest_.size() < 2) return std::nullopt;
    auto value = static_cast<unsigned>(static_cast<unsigned char>(rest_[0]) << 8 |
                                       static_cast<unsigned char>(rest_[1]));
    rest_.remove_prefix(2);
    return value;
  }
  bool skip(std::size_t bytes) {
    if (rest_.size() < bytes) return false;
    rest_.remove_prefix(bytes);
    return true;
  }
  /// Labels up to the root's or to a pointer, which ends a name (RFC 1035 §4.1.4).
  bool skip_name() {
    while (!rest_.empty()) {
      auto length = static_cast<unsigned char>(rest_.front());
      if (length >= 0xC0) return skip(2);
      if (length > 63 || !skip(1U + length)) return false;
      if (length == 0) return true;
    }
    return false;
  }
  /// The type of the record that stands here, which is passed over.
  std::optional<Type> record() {
    if (!skip_name()) return std::nullopt;
    auto type = u16();
    if (!type || !skip(6)) return std::nullopt;  // class, time to live
    auto length = u16();
    if (!length || !skip(*length)) return std::nullopt;
    return static_cast<Type>(*type);
  }

 private:
  std::string_view rest_;
};

}  // namespace

bool is_referral(std::string_view message) {
  if (message.size() < kHeader) return false;
  MessageReader reader(message);
  reader.skip(2);  // id
  auto flags = *reader.u16();
  auto questions = *reader.u16();
  auto answers = *reader.u16();
  auto authorities = *reader.u16();
  reader.skip(2);  // additional records
  if ((flags & kCodeMask) != 0) return false;
  for (; questions > 0; --questions)
    if (!reader.skip_name() || !reader.skip(4)) return false;
  for (; answers > 0; --answers) {
    auto type = reader.record();
    if (type != Type::CNAME && type != Type::DNAME && type != Type::RRSIG) return false;
  }
  bool servers = false;
  for (; authorities > 0; --authorities) {
    auto type = reader.record();
    if (!type || *type == Type::SOA) return false;
    servers |= *type == Type::NS;
  }
  return servers;
}

}  // namespace hikyaku::dns
