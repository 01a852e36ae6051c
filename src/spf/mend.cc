#include "spf/mend.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/suggest.h"
#include "base/text.h"
#include "spf/record.h"

namespace hikyaku::spf {
namespace {

constexpr std::string_view kVersion = "v=spf1";
constexpr std::size_t kMostTerms = 500;
constexpr std::array<std::string_view, 8> kMechanisms{"all", "include", "a",   "mx",
                                                      "ptr", "ip4",     "ip6", "exists"};
constexpr std::array<std::string_view, 2> kModifiers{"redirect", "exp"};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view skip(std::string_view text, auto is_skipped) {
  while (!text.empty() && is_skipped(text.front())) text.remove_prefix(1);
  return text;
}

/// Quotes that a panel's form has taken for part of the text.
std::string_view without_quotes(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kQuotes{"\"", "'", "“", "”", "‘", "’"};
  text = trim(text);
  auto quote = kQuotes.begin();
  auto stands = [&](auto where) {
    quote = std::ranges::find_if(kQuotes, where);
    return quote != kQuotes.end();
  };
  while (stands([&](auto one) { return text.starts_with(one); })) text.remove_prefix(quote->size());
  while (stands([&](auto one) { return text.ends_with(one); })) text.remove_suffix(quote->size());
  return trim(text);
}

/// What stands behind a version as people write it: "v=spf1", "v = spf1", "spf1", "v=spf4:".
std::optional<std::string_view> after_version(std::string_view text) {
  if (istarts_with(text, "v")) {
    auto behind = skip(text.substr(1), is_blank);
    if (!behind.starts_with('=') && !behind.starts_with(':')) return std::nullopt;
    text = skip(behind.substr(1), is_blank);
  }
  if (!istarts_with(text, "spf")) return std::nullopt;
  text.remove_prefix(3);
  return skip(text, [](char c) {
    return is_ascii_digit(c) || c == '.' || c == ';' || c == ',' || c == ':';
  });
}

bool is_qualifier(char c) {
  return c == '+' || c == '-' || c == '~' || c == '?';
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](auto known) { return iequals(known, name); });
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> names) {
  if (iequals(name, "ipv4") || iequals(name, "ip")) return "ip4";
  if (iequals(name, "ipv6")) return "ip6";
  return is_one_of(name, names) ? name : closest(name, names);
}

/// One term with its name spelt right.
std::string mend_term(std::string_view term) {
  while (term.ends_with(';') || term.ends_with(',')) term.remove_suffix(1);
  auto bare = term;
  std::string qualifier;
  if (!bare.empty() && is_qualifier(bare.front())) {
    qualifier = bare.front();
    bare.remove_prefix(1);
  }
  auto end = std::min(bare.find_first_of(":=/"), bare.size());
  auto name = bare.substr(0, end);
  auto rest = std::string(bare.substr(end));
  if (auto modifier = nearest(name, kModifiers);
      !modifier.empty() && is_one_of(modifier, kModifiers)) {
    // A modifier has an = and no qualifier.
    if (rest.starts_with(':')) rest.front() = '=';
    return std::string(modifier) + rest;
  }
  auto mechanism = nearest(name, kMechanisms);
  if (mechanism.empty()) return std::string(term);  // a modifier of somebody's own, or beyond help
  if (rest.starts_with('=')) rest.front() = ':';
  return qualifier + std::string(mechanism) + rest;
}

std::vector<std::string_view> terms_of(std::string_view text) {
  std::vector<std::string_view> terms;
  for (text = skip(text, is_blank); !text.empty() && terms.size() < kMostTerms;
       text = skip(text, is_blank)) {
    auto end = std::min(text.find_first_of(" \t"), text.size());
    terms.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return terms;
}

bool is_all(std::string_view term) {
  return iequals(term, "all") ||
         (term.size() == 4 && is_qualifier(term.front()) && iequals(term.substr(1), "all"));
}

}  // namespace

bool is_meant_as_record(std::string_view text) {
  // Sender ID is another thing.
  if (istarts_with(trim(text), "spf2.0/")) return false;
  return after_version(without_quotes(text)).has_value();
}

std::optional<std::string> mend_record(std::string_view text) {
  auto rest = after_version(without_quotes(text));
  if (!rest) return std::nullopt;
  std::string mended(kVersion);
  for (auto term : terms_of(*rest)) mended += ' ' + mend_term(term);
  if (mended == text || !parse_record(mended)) return std::nullopt;
  return mended;
}

std::string with_term(std::string_view record, std::string_view term) {
  std::string mended(kVersion);
  bool put = false;
  for (auto one : terms_of(record.substr(kVersion.size()))) {
    if (!put && (is_all(one) || istarts_with(one, "redirect="))) {
      mended += ' ' + std::string(term);
      put = true;
    }
    mended += ' ' + std::string(one);
  }
  if (!put) mended += ' ' + std::string(term) + " -all";
  return mended;
}

std::string with_all_denied(std::string_view record) {
  std::string mended(kVersion);
  for (auto one : terms_of(record.substr(kVersion.size())))
    mended += ' ' + (iequals(one, "all") || iequals(one, "+all") ? "-all" : std::string(one));
  return mended;
}

std::string with_all_last(std::string_view record) {
  std::string mended(kVersion), all;
  for (auto one : terms_of(record.substr(kVersion.size()))) {
    if (!is_all(one))
      mended += ' ' + std::string(one);
    else if (all.empty())
      all = one;
  }
  return all.empty() ? mended : mended + ' ' + all;
}

}  // namespace hikyaku::spf
