// What a migration noted of a folder, any bytes: it is read, in order of the UIDs, and is the same
// when it is read again from what is written.
#include <cstdlib>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/migration_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::app;
  net::UniqueFd file(::memfd_create("folder", MFD_CLOEXEC));
  if (::write(file.get(), data, size) < 0) return 0;
  auto path = fmt::format("/proc/self/fd/{}", file.get());
  const FolderPair pair{"INBOX", 1, "INBOX", 2};
  auto state = FolderState::open(path, pair, false);
  if (!state) return 0;
  std::uint32_t last = 0;
  for (auto& message : state->messages()) {
    if (message.from <= last && last != 0) std::abort();
    last = message.from;
    (void)state->flags_text(message.flags);
    if (state->find(last) != &message) std::abort();
  }
  MovedMessage moved;
  moved.from = 7;
  moved.to = 8;
  moved.flags = state->flags_id("\\Seen");
  state->add(moved);
  auto count = state->messages().size();
  if (!state->save()) std::abort();
  auto again = FolderState::open(path, pair, true);
  if (!again || again->messages().size() != count || again->find(7)->to != 8) std::abort();
  return 0;
}
