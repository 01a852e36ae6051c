// Bytes from anybody, on a whole HTTP connection, cut at the place that the first byte names.
#include <algorithm>
#include <cstdlib>

#include "httpd/server.h"
#include "net/fake_stream.h"
#include "testing/test_loop.h"

namespace {

using namespace hikyaku;

Task<http::Response> hello(const http::Request& request) {
  co_return http::Response{.body = "hello " + request.query};
}

/// What came in pieces is answered as what came at once.
std::string answers(std::string_view bytes, std::size_t piece) {
  testing::TestLoop loop;
  httpd::Router router;
  router.add("/hello", hello);
  router.add("/put", hello, {"PUT", "POST"});
  httpd::Settings settings;
  settings.max_requests = 20;
  auto [server, client] = net::FakeStream::pair();
  server->set_read_limit(piece);
  server->receive(bytes);
  server->receive_end();
  loop.run(httpd::serve(std::move(server), settings, {router, loop}, {}));
  std::string all;
  char buffer[4096];
  while (auto got = client->try_read(buffer)) {
    if (*got == 0) break;
    all.append(buffer, *got);
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 20'000) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto whole = answers(bytes, 65536);
  if (whole != answers(bytes, std::max<std::size_t>(data[0], 1))) std::abort();
  if (!whole.empty() && !whole.starts_with("HTTP/1.1 ")) std::abort();
  return 0;
}
