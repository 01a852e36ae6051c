#include "iprev/problem.h"

#include <array>

#include "base/translate.h"

namespace hikyaku::iprev {
namespace {

/// The English side is what check() writes, word for word.
constexpr Phrase kProblems[] = {
    {"the name of the address could not be asked for", "アドレスの逆引き名を問い合わせできません"},
    {"the address has no name", "アドレスに逆引き名がありません"},
    {"its names could not all be asked for: {}", "逆引き名の一部を問い合わせできません: {}"},
    {"its names do not lead back to it: {}", "逆引き名が元のアドレスに戻りません: {}"},
};

}  // namespace

std::string problem_in(std::string_view problem, Language language) {
  static constexpr std::array<std::span<const Phrase>, 1> kTables{kProblems};
  return translate(problem, kTables, language);
}

}  // namespace hikyaku::iprev
