// Any file can be read as mbox, any text as a program's message; both come to their end, and what
// comes out has CRLF line ends only.
#include <cstdlib>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/mail_files.h"
#include "app/program_mail.h"
#include "net/fd.h"

namespace {

void check_line_ends(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) std::abort();
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::app;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  LineEnds ends;
  auto text = ends.feed(input);
  text += ends.finish();
  check_line_ends(text);
  auto header = prepare_header(text, {"a@b.test", "A", "b.test"}, 1000);
  if (header.taken > text.size() || !header.text.ends_with("\r\n")) std::abort();

  hikyaku::net::UniqueFd file(::memfd_create("mbox", MFD_CLOEXEC));
  if (::write(file.get(), data, size) < 0) return 0;
  auto source = open_mbox(fmt::format("/proc/self/fd/{}", file.get()), "");
  if (!source) return 0;
  while (true) {
    auto item = (*source)->next();
    if (!item || !*item) return 0;
    std::string message;
    while (true) {
      auto piece = (*source)->read();
      if (!piece || piece->empty()) break;
      message += *piece;
    }
    check_line_ends(message);
  }
}
