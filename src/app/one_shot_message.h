// The message of a one-shot command (dkim, arc, dmarc), and what they have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/verb.h"
#include "base/result.h"
#include "base/time.h"
#include "dkim/signer.h"

namespace hikyaku::app {

/// A message from a file, in the form that it travels in.
struct OneShotMessage {
  std::string bytes;
  std::size_t header_size = 0;  ///< with the empty line that ends it
  bool was_lf = false;          ///< its lines ended with LF alone; they end with CRLF now

  std::string_view header() const { return std::string_view(bytes).substr(0, header_size); }
  std::string_view body() const { return std::string_view(bytes).substr(header_size); }
};

/// Reads FILE, or standard input for "-" or nothing. When the first line ends with LF alone, every
/// LF becomes CRLF; in a file with CRLF a bare LF stays what it is. Invalid when it cannot be read.
Result<OneShotMessage> read_message(const std::string& name);

/// The message with `fields` in front of its own, behind an mbox's line, with the line ends that
/// the file had.
std::string with_fields(const std::string& fields, const OneShotMessage& message);

/// FILE, optional.
ArgumentSpec message_argument();
/// --time, for Verb::options.
OptionSpec time_option();
/// Its value: seconds since 1970 or RFC 3339; now without it. Invalid for anything else.
Result<Time> time_of(const Invocation& invocation);

/// --domain, --selector, --key (several: repeatable in pairs) and --headers, for Verb::options.
enum class SigningKeys { One, Several };
std::vector<OptionSpec> signing_options(SigningKeys keys);
/// The keys that they name. Invalid when one is missing or cannot be used.
Result<std::vector<dkim::SigningKey>> signing_keys(const Invocation& invocation);
/// The names of --headers; empty without it.
std::vector<std::string> header_names(const Invocation& invocation);

}  // namespace hikyaku::app
