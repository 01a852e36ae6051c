#include "app/control_io.h"

#include <unistd.h>

#include "crypto/secret.h"
#include "net/connect.h"
#include "net/cores.h"

namespace hikyaku::app {
namespace {

using Object = boost::json::object;

constexpr auto kIdle = std::chrono::minutes(10);
/// Whoever connects says at once what it wants: who does not, takes the place of somebody who has
/// something to say.
constexpr auto kFirstRequest = std::chrono::seconds(30);
/// A command (an import, a verification) may work for hours before it says anything.
constexpr auto kForAnswer = std::chrono::hours(24 * 7);
constexpr auto kConnect = std::chrono::seconds(5);

std::string line_text(const ControlLine& line) {
  return encode_control_line(line) + '\n';
}

/// A call that came over a stream.
class StreamCall final : public ControlCall {
 public:
  StreamCall(ControlRequest request, ControlCaller caller, net::Stream& stream,
             ControlReader& reader)
      : ControlCall(std::move(request), caller), stream_(stream), reader_(reader) {}

  Task<void> item(Object value) override {
    auto text = line_text(ControlItem{std::move(value)});
    co_await stream_.write(text);
  }

  Task<void> progress(ControlProgress progress) override {
    auto now = std::chrono::steady_clock::now();
    if (now - told_ < std::chrono::milliseconds(200)) co_return;
    told_ = now;
    auto text = line_text(progress);
    co_await stream_.write(text);
  }

  Task<Result<std::optional<std::string>>> data() override {
    if (data_ended_) co_return std::optional<std::string>();
    CO_TRY(auto line, co_await reader_.line());
    if (!line) co_return fail(ErrorCode::Invalid, "the data ended too early");
    CO_TRY(auto decoded, decode_control_line(*line));
    if (auto piece = std::get_if<ControlData>(&decoded))
      co_return std::optional(std::move(piece->bytes));
    data_ended_ = std::holds_alternative<ControlEnd>(decoded);
    if (data_ended_) co_return std::optional<std::string>();
    co_return fail(ErrorCode::Invalid, "data was expected");
  }

 private:
  net::Stream& stream_;
  ControlReader& reader_;
  std::chrono::steady_clock::time_point told_{};
  bool data_ended_ = false;
};

/// A call within the process.
class LocalCall final : public ControlCall {
 public:
  LocalCall(ControlRequest request, const ControlHandlers& handlers)
      // Who can open the store owns the instance.
      : ControlCall(std::move(request), {::geteuid(), true}), handlers_(handlers) {}

  Task<void> item(Object value) override {
    handlers_.item(value);
    co_return;
  }
  Task<void> progress(ControlProgress progress) override {
    handlers_.progress(progress);
    co_return;
  }
  Task<Result<std::optional<std::string>>> data() override {
    if (!handlers_.data) co_return std::optional<std::string>();
    co_return handlers_.data();
  }

 private:
  const ControlHandlers& handlers_;
};

/// Sends all data. The server may answer before it has read everything, for instance that the data
/// is too large; then it closes, and the answer is still to be read. Fails with what the data
/// itself failed with: then its end was not said.
Task<Result<void>> send_data(net::Stream& stream, const ControlHandlers& handlers) {
  while (true) {
    CO_TRY(auto piece, handlers.data());
    if (!piece) break;
    auto text = line_text(ControlData{std::move(*piece)});
    co_await stream.write(text);
  }
  auto text = line_text(ControlEnd{});
  co_await stream.write(text);
  co_return Result<void>{};
}

/// The lines of the answer up to its last.
Task<Result<Object>> read_answer(net::Stream& stream, const ControlHandlers& handlers) {
  ControlReader reader(stream);
  while (true) {
    CO_TRY(auto line, co_await reader.line());
    if (!line) co_return fail(ErrorCode::Unavailable, "the server ended the connection");
    CO_TRY(auto decoded, decode_control_line(*line));
    if (auto item = std::get_if<ControlItem>(&decoded))
      handlers.item(item->value);
    else if (auto progress = std::get_if<ControlProgress>(&decoded))
      handlers.progress(*progress);
    else if (auto result = std::get_if<ControlResult>(&decoded))
      co_return std::move(result->value);
    else if (auto error = std::get_if<Error>(&decoded))
      co_return std::unexpected(std::move(*error));
    else
      co_return fail(ErrorCode::Invalid, "the server's answer is not one");
  }
}

Task<ServerAnswer> connect_and_ask(std::string path, const ControlRequest& request,
                                   const ControlHandlers& handlers) {
  auto stream = co_await net::connect_unix(std::move(path), kConnect);
  if (!stream) {
    auto code = stream.error().code;
    auto nobody = code == ErrorCode::NotFound || code == ErrorCode::Unavailable;
    co_return ServerAnswer{!nobody, std::unexpected(std::move(stream).error())};
  }
  co_return ServerAnswer{true, co_await ask_control(**stream, request, handlers)};
}

}  // namespace

Task<Result<std::optional<std::string>>> ControlReader::line() {
  while (true) {
    auto bytes = input_.available();
    auto newline = bytes.find('\n');
    auto taken = newline == std::string_view::npos ? bytes.size() : newline;
    if (partial_.size() + taken > kMaxControlLine)
      co_return fail(ErrorCode::TooLarge, "control line of more than {} bytes", kMaxControlLine);
    partial_.append(bytes.substr(0, taken));
    if (newline != std::string_view::npos) {
      input_.consume(taken + 1);
      co_return std::optional(std::exchange(partial_, {}));
    }
    input_.consume(taken);
    if (co_await input_.fill() != net::Input::Filled::Bytes)
      co_return std::optional<std::string>();  // what stands there without a newline is no line
  }
}

namespace {

/// How a connection's requests ended; `conversation` is what it is handed to, if a command said so.
struct RequestsEnded {
  Served how = Served::Left;
  ControlCall::Conversation conversation = {};
};

Task<RequestsEnded> serve_lines(net::Stream& stream, const ControlTable& table,
                                ControlCaller caller, std::string_view handover, Turn turn) {
  stream.set_timeout(kIdle);
  stream.set_total_timeout(kFirstRequest);
  ControlReader reader(stream);
  while (true) {
    crypto::wipe_stack();  // the last request may have brought a password
    auto line = co_await reader.line();
    stream.set_total_timeout(std::chrono::milliseconds(0));
    if (line && !*line) co_return RequestsEnded{};
    auto decoded = line ? decode_control_line(**line) : std::unexpected(std::move(line).error());
    if (decoded && !std::holds_alternative<ControlRequest>(*decoded))
      decoded = fail(ErrorCode::Invalid, "a request was expected");
    if (decoded && turn)
      if (auto got = co_await std::exchange(turn, {})(); !got)
        decoded = std::unexpected(std::move(got).error());
    if (!decoded) {
      auto text = line_text(std::move(decoded).error());
      co_await stream.write(text);
      co_return RequestsEnded{};
    }
    StreamCall call(std::get<ControlRequest>(std::move(*decoded)), caller, stream, reader);
    if (!handover.empty() && call.request().verb == handover) {
      auto text = line_text(ControlResult{});
      co_await stream.write(text);
      co_return RequestsEnded{Served::Handover};
    }
    auto result = co_await table.run(call);
    auto failed = !result;
    auto text = line_text(result ? ControlLine(ControlResult{std::move(*result)})
                                 : ControlLine(std::move(result).error()));
    co_await stream.write(text);
    // After a failure data may be on its way that nobody reads; a new connection is cheap.
    if (failed) co_return RequestsEnded{};
    if (auto conversation = call.take_conversation())
      co_return RequestsEnded{Served::Handover, std::move(conversation)};
  }
}

}  // namespace

Task<ControlCall::Conversation> serve_control(net::Stream& stream, const ControlTable& table,
                                              std::uint32_t instance_user, Turn turn) {
  auto process = stream.peer_process();
  // Without the kernel's word for who it is, it is nobody.
  ControlCaller caller{process ? process->uid : UINT32_MAX,
                       process && (process->uid == 0 || process->uid == instance_user)};
  auto ended = co_await serve_lines(stream, table, caller, {}, std::move(turn));
  co_return std::move(ended.conversation);
}

Task<Served> serve_requests(net::Stream& stream, const ControlTable& table, ControlCaller caller,
                            std::string_view handover, Turn turn) {
  auto ended = co_await serve_lines(stream, table, caller, handover, std::move(turn));
  // A conversation that a command wants has no stream here: only the owner's socket has.
  co_return ended.conversation ? Served::Left : ended.how;
}

Task<Result<Object>> ask_control(net::Stream& stream, const ControlRequest& request,
                                 const ControlHandlers& handlers) {
  stream.set_timeout(kForAnswer);
  try {
    auto text = line_text(request);
    co_await stream.write(text);
    if (handlers.data) CO_TRY_DO(co_await send_data(stream, handlers));
  } catch (const net::Disconnected&) {
    // The answer says why, if there is one.
  }
  try {
    co_return co_await read_answer(stream, handlers);
  } catch (const net::Disconnected& gone) {
    co_return fail(ErrorCode::Unavailable, "the server is gone: {}", gone.what());
  }
}

Task<Result<Object>> run_control_here(const ControlTable& table, ControlRequest request,
                                      const ControlHandlers& handlers) {
  LocalCall call(std::move(request), handlers);
  auto result = co_await table.run(call);
  if (call.take_conversation())
    co_return fail(ErrorCode::Unsupported, "{} needs a running server", call.request().verb);
  co_return result;
}

Task<Result<Object>> ask_for_session(net::Stream& stream, const ControlRequest& request) {
  auto text = line_text(request);
  try {
    co_await stream.write(text);
    std::string line;
    // Byte by byte: the session's own first words may follow at once.
    for (char c = 0; c != '\n';) {
      auto got = stream.try_read({&c, 1});
      if (!got) {
        co_await stream.wait_readable();
        continue;
      }
      if (*got == 0) co_return fail(ErrorCode::Unavailable, "the server ended the connection");
      if (c != '\n') line += c;
      if (line.size() > kMaxControlLine) co_return fail(ErrorCode::TooLarge, "too long an answer");
    }
    CO_TRY(auto decoded, decode_control_line(line));
    if (auto error = std::get_if<Error>(&decoded)) co_return std::unexpected(std::move(*error));
    if (auto result = std::get_if<ControlResult>(&decoded)) co_return std::move(result->value);
    co_return fail(ErrorCode::Invalid, "the server's answer is not one");
  } catch (const net::Disconnected& gone) {
    co_return fail(ErrorCode::Unavailable, "the server is gone: {}", gone.what());
  }
}

ServerAnswer ask_server(const std::filesystem::path& socket, const ControlRequest& request,
                        const ControlHandlers& handlers) {
  net::Cores cores(1);
  cores.start();
  auto answer = cores.run(0, [&] { return connect_and_ask(socket.string(), request, handlers); });
  cores.stop();
  cores.join();
  return answer;
}

}  // namespace hikyaku::app
