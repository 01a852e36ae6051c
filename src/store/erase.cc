#include "store/erase.h"

#include <string>
#include <vector>

namespace hikyaku::store {

bool erase_some(Transaction& tx, const KeyRange& range, std::size_t& most) {
  std::vector<std::string> keys;
  bool done = true;
  tx.scan(range, [&](std::string_view key, std::string_view) {
    if (keys.size() == most) return done = false;
    keys.emplace_back(key);
    return true;
  });
  for (const auto& key : keys) tx.erase(key);
  most -= keys.size();
  return done;
}

Task<Result<void>> erase_in_pieces(Store& store, AccountId account,
                                   std::function<bool(Transaction&)> piece,
                                   std::function<bool()> stopping) {
  for (bool done = false; !done && !stopping();)
    CO_TRY_DO(co_await store.transact({account},
                                      [&](Transaction& tx) -> Result<void> {
                                        done = piece(tx);
                                        return {};
                                      },
                                      {.may_use_reserve = true}));
  co_return Result<void>{};
}

}  // namespace hikyaku::store
