#include "store/index_source.h"

#include <algorithm>

#include "store/rocks_index.h"
#include "store/store_files.h"

namespace hikyaku::store {
namespace {

/// Reading the tables from one end to the other needs no cache.
constexpr std::uint64_t kMemory = 8ull << 20;

Result<void> leads_to_the_end(const LogChain& chain, JournalPosition from, Lsn least,
                              const std::optional<JournalPosition>& clean) {
  if (!is_within(from, chain))
    return fail(ErrorCode::Corrupt, "the groups behind {} are gone", from.lsn);
  for (const auto& problem : chain.problems)
    if (from.segment < problem.since) return fail(ErrorCode::Corrupt, "{}", problem.text);
  auto nothing = [](const GroupRecord&, JournalPosition) -> Result<void> { return {}; };
  TRY(auto replayed, replay(chain, from, nothing, clean ? clean->lsn : 0));
  if (replayed.damage) return fail(ErrorCode::Corrupt, "{}", replayed.damage->describe());
  if (clean && replayed.last != *clean)
    return fail(ErrorCode::Corrupt, "the journal ends at group {}, but was closed at group {}",
                replayed.last.lsn, clean->lsn);
  if (replayed.last.lsn < least)
    return fail(ErrorCode::Corrupt, "the journal ends at group {}, but the index has group {}",
                replayed.last.lsn, least);
  return {};
}

}  // namespace

bool is_within(JournalPosition position, const LogChain& chain) {
  const auto& links = chain.links;
  if (position.segment == 0) return links.empty() || links.front().segment->header().first_lsn == 1;
  return std::ranges::any_of(
      links, [&](auto& link) { return link.segment->number() == position.segment; });
}

Result<IndexSource> find_index_source(FileSystem& files, bool simulated,
                                      const std::string& directory, const LogChain& chain,
                                      Lsn least) {
  TRY(auto clean, read_clean_mark(files, directory));
  Error why{ErrorCode::Corrupt, "", nullptr};
  auto fits = [&](JournalPosition from) -> Result<bool> {
    auto leads = leads_to_the_end(chain, from, least, clean);
    if (!leads && leads.error().code != ErrorCode::Corrupt) return std::unexpected(leads.error());
    if (!leads) why = leads.error();
    return leads.has_value();
  };
  for (const auto& kept : kept_indexes(files, directory)) {
    auto position = check_rocks_index({kept, kMemory, {}, simulated ? &files : nullptr});
    if (!position) {
      why = wrap(position.error(), "{} is damaged, too", kept).error();
      continue;
    }
    TRY(bool whole, fits(*position));
    if (whole) return IndexSource{kept};
  }
  // What a copy lacks may still be in a journal that begins with the first group.
  auto of_copy = why;
  TRY(bool whole, fits({}));
  if (whole) return IndexSource{};
  return std::unexpected(of_copy.text.empty() ? why : of_copy);
}

}  // namespace hikyaku::store
