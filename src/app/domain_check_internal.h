// Words that the checks of a domain's records have in common; part of domain_check.cc.
#pragma once

#include "base/phrase.h"

namespace hikyaku::app {

inline constexpr Phrase kFailed{"could not be looked up: {}", "調べられません: {}"};
inline constexpr Phrase kTryLater{
    "try again later; if it lasts, look at the domain's name servers",
    "後でもう一度お試しください。続くようならネームサーバーを確認してください"};
inline constexpr Phrase kPublish{"publish: {}", "公開してください: {}"};
inline constexpr Phrase kReplace{"replace it with: {}", "次のように書き換えてください: {}"};

}  // namespace hikyaku::app
