#include "imap/flags.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/text.h"
#include "imap/characters.h"

namespace hikyaku::imap {
namespace {

struct NamedFlag {
  std::string_view name;
  Flag flag;
};
constexpr std::array<NamedFlag, 6> kSystemFlags{{{"\\Answered", Flag::Answered},
                                                 {"\\Flagged", Flag::Flagged},
                                                 {"\\Deleted", Flag::Deleted},
                                                 {"\\Seen", Flag::Seen},
                                                 {"\\Draft", Flag::Draft},
                                                 {"\\Recent", Flag::Recent}}};

/// The text of every combination of system flags, joined by spaces: FETCH FLAGS of a large mailbox
/// writes little else.
const std::array<std::string, 64>& flag_texts() {
  static const auto texts = [] {
    std::array<std::string, 64> all;
    for (unsigned bits = 0; bits < all.size(); ++bits) {
      for (auto& named : kSystemFlags) {
        if (!has(static_cast<FlagBits>(bits), named.flag)) continue;
        if (!all[bits].empty()) all[bits] += ' ';
        all[bits] += named.name;
      }
    }
    return all;
  }();
  return texts;
}

}  // namespace

bool Flags::has_keyword(std::string_view keyword) const {
  return std::ranges::any_of(keywords, [&](auto& own) { return iequals(own, keyword); });
}

Result<> check_keyword(std::string_view keyword) {
  if (keyword.size() > kMaxKeywordBytes)
    return fail(ErrorCode::TooLarge, "a keyword may have {} characters", kMaxKeywordBytes);
  if (keyword.empty() || !std::ranges::all_of(keyword, is_atom_char))
    return fail(ErrorCode::Invalid, "\"{}\" is no keyword", printable(keyword, 40));
  return {};
}

Result<> add_flag(Flags& flags, std::string_view name) {
  if (name.starts_with('\\')) {
    for (auto& named : kSystemFlags) {
      if (!iequals(named.name, name)) continue;
      if (named.flag != Flag::Recent) flags.system |= bit(named.flag);
      return {};
    }
    return fail(ErrorCode::Invalid, "there is no system flag {}", printable(name, 40));
  }
  TRY_DO(check_keyword(name));
  if (!flags.has_keyword(name)) flags.keywords.emplace_back(name);
  return {};
}

std::string_view flag_name(Flag flag) {
  for (auto& named : kSystemFlags) {
    if (named.flag == flag) return named.name;
  }
  return "\\Seen";
}

void append_flags(std::string& out, FlagBits system, const std::vector<std::string>& keywords) {
  auto& text = flag_texts()[system & 63];
  out += '(';
  out += text;
  bool separate = !text.empty();
  for (auto& keyword : keywords) {
    if (separate) out += ' ';
    separate = true;
    out += keyword;
  }
  out += ')';
}

void append_flags(std::string& out, FlagBits system, std::uint64_t keyword_bits,
                  const std::vector<std::string>& names) {
  append_flags(out, system);
  if (keyword_bits == 0) return;
  out.pop_back();
  for (; keyword_bits != 0; keyword_bits &= keyword_bits - 1) {
    auto number = static_cast<std::size_t>(std::countr_zero(keyword_bits));
    if (number >= names.size()) break;
    if (out.back() != '(') out += ' ';
    out += names[number];
  }
  out += ')';
}

}  // namespace hikyaku::imap
