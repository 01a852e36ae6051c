// What is said of mail whose account has lost its address.
#pragma once

#include "base/phrase.h"

namespace hikyaku::app {

/// Account, messages, size, dir_words().
inline constexpr Phrase kNoAddress{
    "Account {0} has {1} [message|messages] ({2}), but its address is lost: nobody can read them. "
    "Give it one: hikyaku account recover {0} ADDRESS{3}",
    "アカウント {0} にはメールが {1} 通({2})ありますが、アドレスが失われ、誰も読めません。アドレス"
    "を付けるには: hikyaku account recover {0} アドレス{3}"};

}  // namespace hikyaku::app
