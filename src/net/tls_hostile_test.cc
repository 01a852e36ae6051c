// Peers that do with TLS what no honest one does.
#include <atomic>
#include <doctest/doctest.h>
#include <future>
#include <memory>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/async.h"
#include "net/fd.h"
#include "net/input.h"
#include "net/served.h"
#include "net/tls_test.h"

namespace hikyaku::net {
namespace {

using testing::Served;

/// A client that has OpenSSL in its hands, and blocks.
class RawClient {
 public:
  explicit RawClient(const Endpoint& to) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    int enough = 1 << 20;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &enough, sizeof enough);
    testing::connect_raw(fd_.get(), to);
    SSL_set_fd(ssl_.get(), fd_.get());
    REQUIRE(SSL_connect(ssl_.get()) == 1);
    // From now on what it sends is collected.
    SSL_set0_wbio(ssl_.get(), BIO_new(BIO_s_mem()));
  }

  void update_key() {
    REQUIRE(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(ssl_.get()) == 1);
  }
  void write(std::string_view bytes) {
    REQUIRE(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0);
  }
  void send() {
    char* bytes = nullptr;
    auto size = static_cast<std::size_t>(BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &bytes));
    REQUIRE(::send(fd_.get(), bytes, size, 0) == static_cast<ssize_t>(size));
  }

 private:
  UniqueFd fd_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{SSL_new(context_.get()), SSL_free};
};

}  // namespace

TEST_CASE("TLS: a flood of new keys does not keep the loop from others") {
  constexpr int kUpdates = 10'000;  // 270 KB
  std::promise<void> sent;
  std::atomic<int> turns = 0;
  std::string got;
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    REQUIRE(co_await stream->start_tls(testing::server_tls()));
    sent.get_future().wait();  // all of it is there
    std::atomic<bool> done = false;
    Gate others{end_process};
    auto count = [](std::atomic<int>& into, const std::atomic<bool>& enough) -> Task<void> {
      for (; !enough; ++into) co_await yield_now();
    };
    others.spawn(count(turns, done));
    Input input(*stream);
    while (input.available().size() < 4)
      if (co_await input.fill() != Input::Filled::Bytes) break;
    got = input.available();
    done = true;
    co_await yield_now();
  });
  RawClient client(served.listener().endpoint());
  for (int i = 0; i < kUpdates; ++i) client.update_key();
  client.write("NOOP");
  client.send();
  sent.set_value();
  served.settle();
  CHECK(got == "NOOP");
  MESSAGE("turns: ", turns.load());
  // OpenSSL takes what it has read ahead at once: up to 16 KB, of 27 bytes each.
  CHECK(turns >= 10);
}

}  // namespace hikyaku::net
