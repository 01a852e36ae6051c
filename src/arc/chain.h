// The Authenticated Received Chain of a message: its sets of three fields, put in order (RFC 8617
// §4).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dkim/header_fields.h"
#include "dkim/signature.h"

namespace hikyaku::arc {

/// RFC 8617 §4.2.1
inline constexpr std::uint32_t kMaxInstance = 50;

/// cv=: what a sealer found out about the chain that it received.
enum class ChainStatus : std::uint8_t { None, Pass, Fail };
/// "none", "pass", "fail".
std::string_view to_string(ChainStatus status);

/// What an ARC-Seal field says (RFC 8617 §4.1.3).
struct Seal {
  std::uint32_t instance = 0;
  ChainStatus status = ChainStatus::None;
  dkim::Algorithm algorithm = dkim::Algorithm::RsaSha256;
  std::string value;  ///< b=, decoded
  std::string domain;
  std::string selector;
  std::optional<Time> signed_at;
};

/// Reads the value of an ARC-Seal field, or says why it cannot be used.
std::expected<Seal, std::string> parse_seal(std::string_view value);

/// One hop's three fields. They point into HeaderFields::all().
struct Set {
  std::uint32_t instance = 0;
  const mime::Field* results = nullptr;            ///< ARC-Authentication-Results
  const mime::Field* message_signature = nullptr;  ///< ARC-Message-Signature
  const mime::Field* seal_field = nullptr;         ///< ARC-Seal
  dkim::Signature signature;
  Seal seal;
};

struct Chain {
  std::vector<Set> sets;  ///< from instance 1 on; complete unless there is a problem
  /// Why it is no valid chain (RFC 8617 §5.2, steps 1 to 3); empty when its structure is right.
  std::string problem;
  std::uint32_t highest = 0;  ///< the highest instance that a readable field names
  bool ended = false;         ///< the newest seal says cv=fail: nobody is to add another set

  bool present = false;  ///< there is at least one ARC field
};

/// Puts the chain of a header in order. `fields` must outlive it.
Chain parse_chain(const dkim::HeaderFields& fields);

/// The i= that an ARC-Authentication-Results value begins with, and what follows its semicolon;
/// nullopt when it does not begin so.
struct InstanceAndRest {
  std::uint32_t instance = 0;
  std::string_view rest;
};
std::optional<InstanceAndRest> take_instance(std::string_view value);

/// What the seal of the last of `sets` signs: all their fields in order, its own with b= emptied
/// (RFC 8617 §5.1.1).
std::string sealed_data(const std::vector<Set>& sets, std::size_t count);

}  // namespace hikyaku::arc
