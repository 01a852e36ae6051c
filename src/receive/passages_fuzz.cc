// Whose header it is, a line end, the header: any bytes give addresses of our directory's form, no
// more of them than there are fields of each kind.
#include <cstdlib>

#include "auth/directory.h"
#include "mime/header.h"
#include "receive/passages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view header(reinterpret_cast<const char*>(data), size);
  auto host_name = header.substr(0, header.find('\n'));
  header.remove_prefix(std::min(host_name.size() + 1, header.size()));
  auto passages = receive::find_passages(header, host_name);
  mime::HeaderView fields(header);
  if (passages.size() > fields.find_all("Received").size() ||
      passages.size() > fields.find_all("Delivered-To").size())
    std::abort();
  for (auto& passage : passages) {
    auto again = auth::normalize_address(passage.address);
    if (!again || *again != passage.address) std::abort();
  }
  return 0;
}
