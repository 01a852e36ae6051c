// What the store says of damage and repairs, in the reader's language: src/store/ speaks English.
#pragma once

#include <span>

#include "base/phrase.h"

namespace hikyaku::app {

/// For translate(). Each stands as the store writes it.
std::span<const Phrase> store_phrases();

}  // namespace hikyaku::app
