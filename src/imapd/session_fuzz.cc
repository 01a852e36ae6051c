// Bytes from strangers to a session: before login, logged in, with a mailbox selected. The first
// byte says which, and into how large pieces the rest is cut.
#include "imapd/fixture_test.h"

namespace hikyaku::imapd::testing {
namespace {

/// One for the whole run: what earlier inputs have done to the mailboxes, later ones find.
Server& server() {
  static Server instance;
  return instance;
}

constexpr std::string_view kBefore[] = {
    "",
    "a LOGIN u pw\r\n",
    "a LOGIN u pw\r\nb APPEND INBOX {43+}\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\nhey\r\n"
    "\r\nc SELECT INBOX\r\n",
    "a LOGIN u pw\r\nb ENABLE QRESYNC IMAP4rev2\r\nc SELECT INBOX\r\n",
};

}  // namespace
}  // namespace hikyaku::imapd::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::imapd::testing;
  if (size == 0) return 0;
  auto how = data[0];
  Client client(server());
  if (how & 64) client.stream().set_read_limit(how >> 2 & 15 ? how >> 2 & 15 : 1);
  client.send(kBefore[how & 3]);
  client.send({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
