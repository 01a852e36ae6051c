// Bytes from strangers to a session: before login, logged in, with a mailbox selected, within a
// command that waits for more, under TLS. The first byte says which, and into how large pieces the
// rest is cut.
#include "imapd/fixture_test.h"
#include "net/tls_test.h"

namespace hikyaku::imapd::testing {
namespace {

constexpr unsigned kInputs = 16;

/// What some earlier inputs have done to the mailboxes, later ones find. Not more of them: what was
/// found must be found again, and where each adds mail and looks at all of it, the thousandth is
/// slow.
Server& server() {
  static std::unique_ptr<Server> instance;
  static unsigned inputs = 0;
  if (inputs++ % kInputs == 0) {
    instance.reset();
    instance = std::make_unique<Server>();
  }
  return *instance;
}

constexpr std::string_view kBefore[] = {
    "",
    "a LOGIN u pw\r\n",
    "a LOGIN u pw\r\nb APPEND INBOX {43+}\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\nhey\r\n"
    "\r\nc SELECT INBOX\r\n",
    "a LOGIN u pw\r\nb ENABLE QRESYNC IMAP4rev2\r\nc SELECT INBOX\r\n",
    "a AUTHENTICATE PLAIN\r\n",
    "a LOGIN u pw\r\nb SELECT INBOX\r\nc IDLE\r\n",
    "a LOGIN u pw\r\nb APPEND INBOX (\\Seen) {60+}\r\nSubject: x\r\n",
    "a STARTTLS\r\n",
};
constexpr int kStartTls = 7;

}  // namespace
}  // namespace hikyaku::imapd::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::imapd::testing;
  if (size == 0) return 0;
  auto how = data[0];
  auto which = (how & 3) | (how >> 5 & 4);
  auto* tls = which == kStartTls ? &hikyaku::net::testing::server_tls() : nullptr;
  Client client(server(), true, tls);
  if (how & 64) client.stream().set_read_limit(how >> 2 & 15 ? how >> 2 & 15 : 1);
  client.send(kBefore[which]);
  // What comes with the command is garbage in the handshake.
  if (which == kStartTls && !client.answer("a").starts_with("OK ")) std::abort();
  client.send({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
