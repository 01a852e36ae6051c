// Where a verb's password comes from: standard input, a person's typing, or chance.
#pragma once

#include <string>
#include <string_view>

#include "app/terminal.h"
#include "app/verb.h"
#include "base/result.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::app {

struct ChosenPassword {
  crypto::Secret password;
  bool generated = false;  ///< nobody knows it yet: show it
};

/// How a password is found when --password-stdin is not given.
enum class Ask {
  OnTerminal,  ///< asks twice where somebody sits at a terminal; an empty answer generates one
  Never,       ///< generates one
};

/// With --password-stdin the first line of standard input. Otherwise as `ask` says; where there is
/// no terminal one is generated. Invalid: empty, too short or long, or typed differently the second
/// time.
Result<ChosenPassword> choose_password(const Invocation& invocation, Terminal& terminal, Ask ask);

/// The password of somebody else's account, which must be known: with --password-stdin the next
/// line of standard input, otherwise asked for with `question`. Invalid: empty, or nobody to ask.
Result<crypto::Secret> ask_password(const Invocation& invocation, Terminal& terminal,
                                    std::string_view question);

/// Four groups of four letters and digits that are not easily taken for each other: 79 bits.
crypto::Secret generate_password(crypto::Random& random);

/// The option --password-stdin.
const OptionSpec& password_stdin_option();

}  // namespace hikyaku::app
