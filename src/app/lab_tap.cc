#include "app/lab_tap.h"

#include <array>

#include "base/base64.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/input.h"

namespace hikyaku::app::lab {
namespace {

constexpr milliseconds kWire = std::chrono::seconds(10);
/// The scenes are small; more would be a mistake.
constexpr std::size_t kMostRecorded = 16 << 20;

/// What a greylisting server answers to a command line.
std::string_view answer_later(std::string_view line) {
  if (istarts_with(line, "EHLO") || istarts_with(line, "HELO")) return "250 mx.grey.test\r\n";
  if (istarts_with(line, "MAIL")) return "250 2.1.0 OK\r\n";
  if (istarts_with(line, "RCPT"))
    return "451 4.7.1 I do not know you yet, try again in a moment\r\n";
  if (istarts_with(line, "RSET") || istarts_with(line, "NOOP")) return "250 2.0.0 OK\r\n";
  if (istarts_with(line, "QUIT")) return "221 2.0.0 Bye\r\n";
  return "503 5.5.1 No valid recipients\r\n";
}

}  // namespace

Result<std::unique_ptr<Tap>> Tap::open(World& world, Settings settings) {
  std::unique_ptr<Tap> tap(new Tap(world, settings));
  TRY_DO(tap->server_.open(
      settings.at, [raw = tap.get()](Shared client) { return raw->serve(std::move(client)); }));
  return tap;
}

std::string Tap::recorded() const {
  return world_.cores().call(0, [this] { return record_; });
}

void Tap::forget() {
  world_.cores().call(0, [this] { record_.clear(); });
}

Task<void> Tap::serve(Shared client) {
  if (settings_.later_first > 0) {
    --settings_.later_first;
    co_return co_await say_later(*client);
  }
  auto connected = co_await net::connect(settings_.to, settings_.at.address, kWire);
  if (!connected) {
    client->close();
    co_return;
  }
  Shared server = std::move(*connected);
  server_.keep(server);
  server_.spawn(pump(server, client));
  co_await pump(client, server);
}

Task<void> Tap::say_later(net::Stream& client) {
  // The top of this session: whatever ends the connection ends it.
  try {
    net::Input input(client);
    co_await client.write("220 mx.grey.test ESMTP\r\n");
    while (true) {
      auto end = input.available().find('\n');
      if (end == std::string_view::npos) {
        if (co_await input.fill() != net::Input::Filled::Bytes) co_return;
        continue;
      }
      auto answer = answer_later(input.available().substr(0, end));
      input.consume(end + 1);
      co_await client.write(answer);
      if (answer.starts_with("221")) break;
    }
    client.finish();
  } catch (const net::Disconnected&) {
  }
}

Task<void> Tap::pump(Shared from, Shared to) {
  try {
    std::array<char, 8192> buffer;
    while (true) {
      auto got = from->try_read(buffer);
      if (!got) {
        co_await from->wait_readable();
        continue;
      }
      if (*got == 0) break;
      std::string_view bytes(buffer.data(), *got);
      if (record_.size() + bytes.size() <= kMostRecorded) record_ += bytes;
      co_await to->write(bytes);
    }
    to->finish();
  } catch (const net::Disconnected&) {
    from->close();
    to->close();
  }
}

bool can_read(std::string_view recorded, std::string_view secret) {
  if (recorded.contains(secret)) return true;
  for (auto line : split(recorded, '\n')) {
    for (auto word : split(trim(line), ' ')) {
      auto decoded = base64_decode(word);
      if (decoded && decoded->contains(secret)) return true;
    }
  }
  return false;
}

}  // namespace hikyaku::app::lab
