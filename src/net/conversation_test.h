// Short words for both ends of a connection. For tests.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "base/task.h"
#include "net/input.h"
#include "net/stream.h"

namespace hikyaku::net {

inline std::string why(const Disconnected& gone) {
  switch (gone.why()) {
    case Disconnected::Why::Closed:
      return "closed";
    case Disconnected::Why::Timeout:
      return "timeout";
    case Disconnected::Why::Shutdown:
      return "shutdown";
    case Disconnected::Why::Tls:
      return "tls";
  }
  return "?";
}

/// Runs a task and says how the connection ended: "fine", or why not.
template <class Made>
Task<std::string> ending(Made task) {
  try {
    co_await std::move(task);
  } catch (const Disconnected& gone) {
    co_return why(gone);
  }
  co_return "fine";
}

inline Task<std::string> read_all(Stream& stream) {
  Input input(stream);
  std::string all;
  while (co_await input.fill() == Input::Filled::Bytes) {
    all += input.available();
    input.consume(input.available().size());
  }
  co_return all;
}

inline Task<std::string> read_exactly(Stream& stream, std::size_t size) {
  Input input(stream);
  std::string all;
  while (all.size() < size && co_await input.fill() == Input::Filled::Bytes) {
    all += input.available();
    input.consume(input.available().size());
  }
  co_return all;
}

inline Task<void> echo(std::unique_ptr<Stream> stream) {
  Input input(*stream);
  while (co_await input.fill() == Input::Filled::Bytes) {
    co_await stream->write(input.available());
    input.consume(input.available().size());
  }
  stream->finish();
}

inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
  return bytes;
}

/// One client's whole conversation with the echo server: sends, closes its side, gives what came
/// back.
inline Task<std::string> converse(Stream& stream, const std::string& bytes) {
  co_await stream.write(bytes);
  stream.finish();
  co_return co_await read_all(stream);
}

}  // namespace hikyaku::net
