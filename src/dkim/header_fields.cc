#include "dkim/header_fields.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dkim/signature.h"

namespace hikyaku::dkim {
namespace {

/// Fields that RFC 5322 §3.6 and RFC 2045 allow once, and that decide what a reader sees.
constexpr std::string_view kShownOnce[] = {"From",
                                           "Subject",
                                           "Date",
                                           "To",
                                           "Cc",
                                           "Reply-To",
                                           "Sender",
                                           "Message-ID",
                                           "MIME-Version",
                                           "Content-Type",
                                           "Content-Transfer-Encoding",
                                           "Content-Disposition"};

int compare_names(std::string_view a, std::string_view b) {
  auto length = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < length; ++i) {
    auto x = ascii_lower(a[i]), y = ascii_lower(b[i]);
    if (x != y) return x < y ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

/// A CR without LF behind it, or an LF without CR before it.
bool has_bare_line_end(std::string_view header) {
  auto carriage_returns = std::ranges::count(header, '\r');
  for (auto at = header.find('\n'); at != header.npos; at = header.find('\n', at + 1)) {
    if (at == 0 || header[at - 1] != '\r') return true;
    --carriage_returns;
  }
  return carriage_returns != 0;
}

bool is_shown_once(std::string_view name) {
  return std::ranges::any_of(kShownOnce, [&](auto known) { return iequals(name, known); });
}

}  // namespace

HeaderFields::HeaderFields(std::string_view header, std::size_t limit) {
  fields_.reserve(32);
  bool junk = false, more = false;
  auto after_mbox = header.data() + mime::mbox_lines_length(header);
  for (auto& field : mime::HeaderView(header)) {
    if (field.is_junk()) {
      // The line that an mbox begins a message with is known to everybody.
      junk = junk || field.raw.data() >= after_mbox;
    } else if (fields_.size() == limit) {
      more = true;
      break;
    } else {
      fields_.push_back(field);
    }
  }
  by_name_.resize(fields_.size());
  for (std::uint32_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
  std::ranges::sort(by_name_, [&](auto a, auto b) {
    auto order = compare_names(fields_[a].name, fields_[b].name);
    return order != 0 ? order < 0 : a > b;
  });
  for (std::size_t i = 1; i < by_name_.size() && !repeated_; ++i)
    repeated_ = compare_names(fields_[by_name_[i - 1]].name, fields_[by_name_[i]].name) == 0;
  problem_ = more   ? fmt::format("there are more than {} header fields", limit)
             : junk ? "a line of the header is no field"
                    : find_problem(header);
}

std::string HeaderFields::find_problem(std::string_view header) const {
  if (header.contains('\0')) return "a NUL stands in the header";
  if (has_bare_line_end(header)) return "a bare CR or LF stands in the header";
  auto authors = count("From");
  if (authors == 0) return "there is no From field";
  if (authors > 1) return fmt::format("there are {} From fields", authors);
  for (auto& field : fields_) {
    bool spaced = field.value.data() != field.name.data() + field.name.size() + 1;
    if (spaced && is_shown_once(field.name))
      return fmt::format("there is space between {} and its colon", printable(field.name, 40));
  }
  return {};
}

HeaderFields::Range HeaderFields::range(std::string_view name) const {
  auto before = [&](std::uint32_t index, std::string_view wanted) {
    return compare_names(fields_[index].name, wanted) < 0;
  };
  auto begin = std::lower_bound(by_name_.begin(), by_name_.end(), name, before);
  auto end = begin;
  while (end != by_name_.end() && compare_names(fields_[*end].name, name) == 0) ++end;
  return {static_cast<std::size_t>(begin - by_name_.begin()),
          static_cast<std::size_t>(end - by_name_.begin())};
}

std::size_t HeaderFields::count(std::string_view name) const {
  auto found = range(name);
  return found.end - found.begin;
}

std::vector<const mime::Field*> HeaderFields::find_all(std::string_view name) const {
  std::vector<const mime::Field*> result;
  auto found = range(name);
  for (auto i = found.begin; i < found.end; ++i) result.push_back(&fields_[by_name_[i]]);
  return result;
}

std::vector<const mime::Field*> HeaderFields::select(const std::vector<std::string>& names,
                                                     const mime::Field* except) const {
  std::vector<const mime::Field*> result;
  result.reserve(names.size());
  // How many fields of the name whose range begins there were taken or passed over.
  std::vector<std::uint32_t> taken(by_name_.size());
  for (auto& name : names) {
    auto before = [&](std::uint32_t index, std::string_view wanted) {
      return compare_names(fields_[index].name, wanted) < 0;
    };
    auto begin = static_cast<std::size_t>(
        std::lower_bound(by_name_.begin(), by_name_.end(), name, before) - by_name_.begin());
    if (begin == by_name_.size()) continue;
    auto next = [&]() -> const mime::Field* {
      auto at = begin + taken[begin];
      if (at >= by_name_.size()) return nullptr;
      auto& field = fields_[by_name_[at]];
      if (!field.is(name)) return nullptr;
      ++taken[begin];
      return &field;
    };
    auto* field = next();
    if (field && except && field->raw.data() == except->raw.data()) field = next();
    if (field) result.push_back(field);
  }
  return result;
}

std::string find_unsigned_copy(const HeaderFields& fields,
                               const std::vector<const mime::Field*>& selected) {
  if (!fields.has_repeated()) return {};
  for (auto name : kShownOnce) {
    auto present = fields.count(name);
    if (present < 2) continue;
    auto covered = static_cast<std::size_t>(
        std::ranges::count_if(selected, [&](auto* field) { return field->is(name); }));
    if (covered > 0 && covered < present) return std::string(name);
  }
  return {};
}

bool has_unsigned(const HeaderFields& fields, const std::vector<const mime::Field*>& selected,
                  std::string_view name) {
  auto covered = std::ranges::count_if(selected, [&](auto* field) { return field->is(name); });
  return static_cast<std::size_t>(covered) < fields.count(name);
}

std::string signed_data(const std::vector<const mime::Field*>& selected, const mime::Field& own,
                        Canonicalization canonicalization) {
  std::string data, storage;
  data.reserve(2048);
  for (auto* field : selected) append_canonical(data, *field, canonicalization);
  append_canonical(data, without_signature_value(own, storage), canonicalization);
  data.resize(data.size() - 2);
  return data;
}

}  // namespace hikyaku::dkim
