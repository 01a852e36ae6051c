#include <algorithm>
#include <map>
#include <mutex>

#include "base/async.h"
#include "base/completion.h"
#include "mailbox/summary_rows.h"
#include "mailbox/view.h"
#include "mailbox/view_parts.h"
#include "store/store.h"

namespace hikyaku::mailbox {

namespace {

using ViewPointer = std::shared_ptr<const View>;

/// Rows of the store that one read of a large mailbox takes.
constexpr std::size_t kGroupsPerRead = 1'000;

struct Piece {
  std::vector<MessageSummary> rows;
  Uid next = 0;  ///< where the next piece begins; 0: this was the last
};

/// Rows from `first` on, out of about 1,000 rows of the store.
Piece read_piece(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first) {
  Piece piece;
  std::size_t groups = 0;
  auto group = UINT32_MAX;
  scan_summaries(reader, account, mailbox, first, UINT32_MAX, [&](const MessageSummary& row) {
    if (group_of(row.uid) != group) {
      group = group_of(row.uid);
      if (++groups > kGroupsPerRead) {
        piece.next = row.uid;
        return false;
      }
    }
    piece.rows.push_back(row);
    return true;
  });
  return piece;
}

std::size_t bytes_of(const View& view) {
  return sizeof(View::Parts) + view.size() * sizeof(MessageSummary) +
         view.parts().blocks.size() * (sizeof(View::Block) + 64);
}

/// What of `old` no `newer` view shares; what several old ones share is divided among them.
std::size_t bytes_of_old(const View& old, const View* newer) {
  std::vector<const View::Block*> shared;
  if (newer)
    for (const auto& block : newer->parts().blocks) shared.push_back(block.get());
  std::ranges::sort(shared);
  std::size_t bytes = 0;
  for (const auto& block : old.parts().blocks)
    if (!std::ranges::binary_search(shared, block.get()))
      bytes += (sizeof(View::Block) + block->rows.capacity() * sizeof(MessageSummary)) /
               static_cast<std::size_t>(std::max(block.use_count(), 1L));
  return bytes;
}

class CachedViews final : public Views {
 public:
  CachedViews(store::Store& store, std::size_t memory) : store_(store), memory_(memory) {}

  Task<Result<ViewPointer>> open(AccountId account, MailboxId mailbox) override {
    Where where{account, mailbox};
    for (;;) {
      Completion<bool> turn;
      auto flight = begin(where, turn);
      if (!flight) {
        // Somebody else is reading it; what he reads may be older than what our caller knows of.
        co_await turn;
        continue;
      }
      auto view = co_await refresh(where, flight->before());
      flight->land(view);
      if (!view) co_return fail(ErrorCode::NotFound, "the mailbox is gone");
      co_return view;
    }
  }

  Held held() const override {
    std::lock_guard lock(mutex_);
    Held held{0, bytes_};
    for (const auto& [where, entry] : entries_) held.views += entry.view != nullptr;
    return held;
  }

  std::size_t kept_by(AccountId account, MailboxId mailbox,
                      const ViewPointer& view) const override {
    ViewPointer newest;
    {
      std::lock_guard lock(mutex_);
      if (auto found = entries_.find({account, mailbox}); found != entries_.end())
        newest = found->second.view;
    }
    if (newest == view) return 0;
    return bytes_of_old(*view, newest.get()) /
           static_cast<std::size_t>(std::max(view.use_count(), 1L));
  }

 private:
  using Where = std::pair<AccountId, MailboxId>;
  struct Entry {
    ViewPointer view;
    std::size_t bytes = 0;
    std::uint64_t used = 0;
    bool busy = false;
    std::vector<Completion<bool>::Giver> waiting;
  };

  /// One reader at a time for each mailbox; however it ends, the others are woken.
  class Flight {
   public:
    Flight(CachedViews& views, Where where, ViewPointer before)
        : views_(views), where_(where), before_(std::move(before)) {}
    Flight(const Flight&) = delete;
    ~Flight() {
      if (!landed_) views_.end(where_, before_);
    }
    ViewPointer before() const { return before_; }
    void land(ViewPointer view) {
      landed_ = true;
      before_ = nullptr;
      views_.end(where_, std::move(view));
    }

   private:
    CachedViews& views_;
    Where where_;
    ViewPointer before_;
    bool landed_ = false;
  };

  /// nullptr: `turn` will be given when the present reader has ended.
  std::unique_ptr<Flight> begin(Where where, Completion<bool>& turn) {
    std::lock_guard lock(mutex_);
    auto& entry = entries_[where];
    if (entry.busy) {
      entry.waiting.push_back(turn.giver());
      return nullptr;
    }
    entry.busy = true;
    return std::make_unique<Flight>(*this, where, entry.view);
  }

  void end(Where where, ViewPointer view) {
    std::vector<Completion<bool>::Giver> waiting;
    std::vector<ViewPointer> dropped;  // destroyed without the lock
    {
      std::lock_guard lock(mutex_);
      auto found = entries_.find(where);
      auto& entry = found->second;
      entry.busy = false;
      entry.used = ++clock_;
      waiting.swap(entry.waiting);
      bool grew = view && view != entry.view;
      bytes_ -= entry.bytes;
      entry.bytes = view ? bytes_of(*view) : 0;
      bytes_ += entry.bytes;
      dropped.push_back(std::exchange(entry.view, std::move(view)));
      if (!entry.view)
        entries_.erase(found);
      else if (grew && bytes_ > memory_)
        evict(dropped);
    }
    for (auto& give : waiting) give(true);
  }

  /// Lets the longest unused go until the rest fits.
  void evict(std::vector<ViewPointer>& dropped) {
    std::vector<std::pair<std::uint64_t, Where>> unused;
    for (auto& [where, entry] : entries_)
      if (!entry.busy && entry.view.use_count() == 1) unused.emplace_back(entry.used, where);
    std::sort(unused.begin(), unused.end());
    for (const auto& [used, where] : unused) {
      if (bytes_ <= memory_) return;
      auto found = entries_.find(where);
      bytes_ -= found->second.bytes;
      dropped.push_back(std::move(found->second.view));
      entries_.erase(found);
    }
  }

  /// nullptr when the mailbox is gone.
  Task<ViewPointer> refresh(Where where, ViewPointer before) {
    auto [account, mailbox] = where;
    if (before) {
      auto view = co_await store_.read([account, mailbox, before](store::Reader& reader) {
        return update_view(reader, account, mailbox, before);
      });
      if (view) co_return view;
    }
    co_return co_await read_all(account, mailbox);
  }

  /// In pieces, on one snapshot.
  Task<ViewPointer> read_all(AccountId account, MailboxId mailbox) {
    auto snapshot = store_.snapshot();
    auto state = co_await store_.read_at(snapshot, [account, mailbox](store::Reader& reader) {
      return read_state(reader, account, mailbox);
    });
    if (!state) co_return nullptr;
    ViewBuilder builder;
    Uid first = 1;
    while (first != 0) {
      auto piece =
          co_await store_.read_at(snapshot, [account, mailbox, first](store::Reader& reader) {
            return read_piece(reader, account, mailbox, first);
          });
      for (const auto& row : piece.rows) builder.add(row);
      first = piece.next;
      // A read may be done at once: others on this loop get their turn between two.
      if (first != 0) co_await yield_now();
    }
    co_return builder.finish(*state);
  }

  store::Store& store_;
  std::size_t memory_;
  mutable std::mutex mutex_;
  std::map<Where, Entry> entries_;
  std::size_t bytes_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace

std::unique_ptr<Views> make_views(store::Store& store, std::size_t memory) {
  return std::make_unique<CachedViews>(store, memory);
}

}  // namespace hikyaku::mailbox
