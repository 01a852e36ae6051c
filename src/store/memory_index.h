// An index in memory that forgets what was not flushed, as the real one does. For tests.
#pragma once

#include <map>
#include <mutex>

#include "store/index.h"

namespace hikyaku::store {

/// What survives a crash: share it between the MemoryIndex before and the one after.
struct MemoryIndexDisk {
  std::map<std::string, std::string, std::less<>> rows;
  JournalPosition position;
  /// Flushes fail while this says no.
  std::function<bool()> writable = [] { return true; };
};

class MemoryIndex final : public Index {
 public:
  explicit MemoryIndex(std::shared_ptr<MemoryIndexDisk> disk);
  ~MemoryIndex() override;

  JournalPosition position() const override;
  Result<void> apply(const Overlay& writes, JournalPosition position) override;
  std::shared_ptr<const IndexView> view() override;
  Result<void> flush() override;
  JournalPosition flushed() const override;

  /// Reads of the next `count` keys fail with ColdRead until they were read from "disk" once.
  void make_cold(int count);

 private:
  struct State;
  class View;
  class Cursor;
  std::shared_ptr<State> state_;
  std::shared_ptr<MemoryIndexDisk> disk_;
};

}  // namespace hikyaku::store
