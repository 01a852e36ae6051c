// A line server as the protocol drivers are built, and a client process beside it: requests per
// second, CPU time of the server per request, and memory per idle connection.
//
//     bench_net_net [plain|tls] [CONNECTIONS] [SECONDS] [PIPELINED]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/core.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/async.h"
#include "net/connect.h"
#include "net/cores.h"
#include "net/input.h"
#include "net/listener.h"
#include "net/output.h"
#include "net/tls.h"

namespace {

using namespace hikyaku;
using namespace hikyaku::net;
using namespace std::chrono_literals;

struct Options {
  bool tls = false;
  int connections = 100;
  int seconds = 3;
  int pipelined = 1;
};

Task<void> serve(std::unique_ptr<Stream> stream, const ServerTls* tls) {
  try {
    if (tls && !co_await stream->start_tls(*tls)) co_return;
    Input input(*stream);
    Output output(*stream);
    while (co_await input.fill() == Input::Filled::Bytes) {
      auto bytes = input.available();
      std::size_t used = 0;
      for (auto end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n', used)) {
        output.append("250 2.0.0 Ok\r\n");
        used = end + 1;
      }
      input.consume(used);
      co_await output.flush();
    }
  } catch (const Disconnected&) {
  }
}

Task<void> ask(Endpoint to, const ClientTls* tls, const Options& options,
               std::atomic<int>& connected, std::atomic<bool>& go, std::atomic<bool>& stop,
               std::atomic<long>& answered) {
  auto made = co_await connect(to, {}, 10s);
  if (!made) {
    fmt::print(stderr, "{}\n", made.error().text);
    co_return;
  }
  auto& stream = **made;
  if (tls) co_await stream.start_tls(*tls, "bench.test");
  ++connected;
  while (!go) co_await sleep_for(20ms);
  std::string request;
  for (int i = 0; i < options.pipelined; ++i) request += "NOOP\r\n";
  Input input(stream);
  while (!stop) {
    co_await stream.write(request);
    for (int lines = 0; lines < options.pipelined;) {
      co_await input.fill();
      lines += static_cast<int>(std::ranges::count(input.available(), '\n'));
      input.consume(input.available().size());
    }
    answered += options.pipelined;
  }
}

long resident_kb() {
  std::ifstream file("/proc/self/statm");
  long total = 0, resident = 0;
  file >> total >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The client process: connects, writes "c" when all are there, runs when it reads a byte, and
/// writes its count at the end.
int run_clients(Endpoint to, const Options& options, int control_in, int control_out) {
  auto tls = ClientTls::create({}).value();
  Cores cores(1);
  cores.start();
  std::atomic<int> connected{0};
  std::atomic<bool> go{false}, stop{false};
  std::atomic<long> answered{0};
  Gate gate{end_process};
  cores[0].post([&] {
    for (int i = 0; i < options.connections; ++i)
      gate.spawn(
          ask(to, options.tls ? tls.get() : nullptr, options, connected, go, stop, answered));
  });
  while (connected < options.connections) ::usleep(10'000);
  char byte = 'c';
  if (::write(control_out, &byte, 1) != 1 || ::read(control_in, &byte, 1) != 1) return 1;
  go = true;
  ::sleep(static_cast<unsigned>(options.seconds));
  long count = answered;
  if (::write(control_out, &count, sizeof count) != sizeof count) return 1;
  stop = true;
  _exit(0);
}

int run_server(const Options& options) {
  int to_client[2], from_client[2];
  auto listener = Listener::bind({*IpAddress::parse("127.0.0.1"), 0}).value();
  if (::pipe(to_client) != 0 || ::pipe(from_client) != 0) return 1;
  auto child = ::fork();
  if (child == 0) return run_clients(listener->endpoint(), options, to_client[0], from_client[1]);

  auto tls = ServerTls::create({make_self_signed({"bench.test"}, KeyType::EcP256).value()}).value();
  Cores cores(1);
  Gate gate{end_process};
  listener->start(cores, [&](std::unique_ptr<Stream> stream) {
    gate.spawn(serve(std::move(stream), options.tls ? tls.get() : nullptr));
  });
  auto memory = resident_kb();
  auto cpu = cpu_seconds();
  cores.start();
  char byte = 0;
  if (::read(from_client[0], &byte, 1) != 1) return 1;
  ::usleep(300'000);
  fmt::print("idle: {:.2f} KB a connection; handshake: {:.0f} us CPU\n",
             static_cast<double>(resident_kb() - memory) / options.connections,
             (cpu_seconds() - cpu) * 1e6 / options.connections);
  cpu = cpu_seconds();
  if (::write(to_client[1], "g", 1) != 1) return 1;
  long count = 0;
  if (::read(from_client[0], &count, sizeof count) != sizeof count) return 1;
  fmt::print("{:.0f} requests/s, {:.2f} us CPU each\n",
             static_cast<double>(count) / options.seconds, (cpu_seconds() - cpu) * 1e6 / count);
  ::usleep(300'000);
  fmt::print("after use: {:.2f} KB a connection\n",
             static_cast<double>(resident_kb() - memory) / options.connections);
  ::waitpid(child, nullptr, 0);
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (!separate_tls_buffers()) std::puts("(TLS buffers stay in the heap)");
  Options options;
  if (argc > 1) options.tls = std::strcmp(argv[1], "tls") == 0;
  if (argc > 2) options.connections = std::max(1, std::atoi(argv[2]));
  if (argc > 3) options.seconds = std::max(1, std::atoi(argv[3]));
  if (argc > 4) options.pipelined = std::max(1, std::atoi(argv[4]));
  std::setbuf(stdout, nullptr);
  return run_server(options);
}
