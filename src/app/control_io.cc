#include "app/control_io.h"

#include <unistd.h>

#include "base/completion.h"
#include "base/gate.h"
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
/// A command (an import, a verification) may work for hours; SilenceWatch looks whether it does.
constexpr auto kForAnswer = std::chrono::hours(24 * 7);
constexpr auto kConnect = std::chrono::seconds(5);

std::string line_text(const ControlLine& line) {
  return encode_control_line(line) + '\n';
}

/// A call that came over a stream.
class StreamCall final : public ControlCall {
 public:
  StreamCall(ControlRequest request, ControlCaller caller, Speaker& speaker, ControlReader& reader)
      : ControlCall(std::move(request), caller), speaker_(speaker), reader_(reader) {}

  Task<void> item(Object value) override {
    co_await speaker_.write(line_text(ControlItem{std::move(value)}));
  }

  Task<void> progress(ControlProgress progress) override {
    auto now = std::chrono::steady_clock::now();
    if (now - told_ < std::chrono::milliseconds(200)) co_return;
    told_ = now;
    co_await speaker_.write(line_text(progress));
  }

  Task<Result<std::optional<std::string>>> data() override {
    if (data_ended_) co_return std::optional<std::string>();
    Speaker::Listening listening(speaker_);
    CO_TRY(auto line, co_await reader_.line());
    if (!line) co_return fail(ErrorCode::Invalid, "the data ended too early");
    CO_TRY(auto decoded, decode_control_line(*line));
    if (auto piece = std::get_if<ControlData>(&decoded))
      co_return std::optional(std::move(piece->bytes));
    data_ended_ = std::holds_alternative<ControlEnd>(decoded);
    if (!data_ended_) co_return fail(ErrorCode::Invalid, "data was expected");
    speaker_.check_client();
    co_return std::optional<std::string>();
  }

 private:
  Speaker& speaker_;
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

Error is_starting() {
  return {ErrorCode::Unavailable, "the server is still starting", nullptr};
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
    else if (auto working = std::get_if<ControlWorking>(&decoded)) {
      if (working->starting && !handlers.starting()) co_return std::unexpected(is_starting());
    } else if (auto result = std::get_if<ControlResult>(&decoded))
      co_return std::move(result->value);
    else if (auto error = std::get_if<Error>(&decoded))
      co_return std::unexpected(std::move(*error));
    else
      co_return fail(ErrorCode::Invalid, "the server's answer is not one");
  }
}

/// One request: sent with its data while its answer is already listened to, and both given up
/// when the server is silent. On one event loop.
class Asking {
 public:
  Asking(net::Stream& stream, const ControlHandlers& handlers, std::chrono::milliseconds silence)
      : stream_(stream), handlers_(handlers), watch_(stream, silence) {}

  Task<Result<Object>> run(const ControlRequest& request) {
    stream_.set_timeout(kForAnswer);
    watch_.begin();
    sending_.spawn(send(line_text(request)));
    auto answer = co_await receive();
    answered_ = true;
    // What is still to be sent is wanted by nobody.
    if (sending_.running() > 0) stream_.close();
    Completion<bool> sent;
    sending_.close([give = sent.giver()]() mutable { give(true); });
    co_await sent;
    co_await watch_.end();
    if (thrown_) std::rethrow_exception(thrown_);
    if (data_error_) co_return std::unexpected(std::move(*data_error_));
    if (watch_.gave_up()) co_return std::unexpected(watch_.error());
    co_return answer;
  }

 private:
  /// The server may answer before it has read everything, for instance that the data is too large;
  /// then it closes, and the answer is still to be read.
  Task<void> send(std::string request) {
    try {
      co_await stream_.write(request);
      if (handlers_.data) co_await send_data();
    } catch (const net::Disconnected&) {
      // The answer says why, if there is one.
    } catch (...) {
      thrown_ = std::current_exception();
      stream_.close();
    }
  }

  /// When the data itself fails, its end is not said, and no answer waited for.
  Task<void> send_data() {
    while (!answered_) {
      auto piece = handlers_.data();
      if (!piece) {
        data_error_ = std::move(piece).error();
        co_return stream_.close();
      }
      auto text = *piece ? line_text(ControlData{std::move(**piece)}) : line_text(ControlEnd{});
      co_await stream_.write(text);
      if (!*piece) co_return;
    }
  }

  Task<Result<Object>> receive() {
    try {
      co_return co_await read_answer(stream_, handlers_);
    } catch (const net::Disconnected& gone) {
      co_return fail(ErrorCode::Unavailable, "the server is gone: {}", gone.what());
    } catch (...) {
      thrown_ = std::current_exception();
      co_return fail(ErrorCode::Internal, "the answer could not be taken");
    }
  }

  net::Stream& stream_;
  const ControlHandlers& handlers_;
  SilenceWatch watch_;
  bool answered_ = false;
  std::optional<Error> data_error_;
  std::exception_ptr thrown_;
  Gate sending_{end_process};
};

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

/// Does what is asked for when its turn comes, and says meanwhile that it is at work.
Task<Result<Object>> serve_request(StreamCall& call, Speaker& speaker, const ControlTable& table,
                                   std::string_view handover, Turn turn) {
  Result<Object> result = Object{};
  std::exception_ptr gone;
  speaker.begin();
  try {
    if (turn)
      if (auto got = co_await turn(speaker); !got) result = std::unexpected(std::move(got).error());
    speaker.check_client();
    if (result && (handover.empty() || call.request().verb != handover))
      result = co_await table.run(call);
  } catch (...) {
    gone = std::current_exception();
  }
  co_await speaker.end();
  if (gone) std::rethrow_exception(gone);
  co_return result;
}

/// Who is served, and how.
struct Serving {
  ControlCaller caller;
  std::string_view handover;
  Turn turn;
  std::chrono::milliseconds working;
};

Task<RequestsEnded> serve_lines(net::Stream& stream, const ControlTable& table, Serving serving) {
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
    if (!decoded) {
      auto text = line_text(std::move(decoded).error());
      co_await stream.write(text);
      co_return RequestsEnded{};
    }
    Speaker speaker(stream, serving.working);
    StreamCall call(std::get<ControlRequest>(std::move(*decoded)), serving.caller, speaker, reader);
    auto result = co_await serve_request(call, speaker, table, serving.handover,
                                         std::exchange(serving.turn, {}));
    auto failed = !result;
    auto text = line_text(result ? ControlLine(ControlResult{std::move(*result)})
                                 : ControlLine(std::move(result).error()));
    co_await stream.write(text);
    // After a failure data may be on its way that nobody reads; a new connection is cheap.
    if (failed) co_return RequestsEnded{};
    if (!serving.handover.empty() && call.request().verb == serving.handover)
      co_return RequestsEnded{Served::Handover};
    if (auto conversation = call.take_conversation())
      co_return RequestsEnded{Served::Handover, std::move(conversation)};
  }
}

}  // namespace

Task<ControlCall::Conversation> serve_control(net::Stream& stream, const ControlTable& table,
                                              std::uint32_t instance_user, Turn turn,
                                              std::chrono::milliseconds working) {
  auto process = stream.peer_process();
  // Without the kernel's word for who it is, it is nobody.
  ControlCaller caller{process ? process->uid : UINT32_MAX,
                       process && (process->uid == 0 || process->uid == instance_user)};
  auto ended = co_await serve_lines(stream, table, {caller, {}, std::move(turn), working});
  co_return std::move(ended.conversation);
}

Task<Served> serve_requests(net::Stream& stream, const ControlTable& table, ControlCaller caller,
                            std::string_view handover, Turn turn) {
  auto ended =
      co_await serve_lines(stream, table, {caller, handover, std::move(turn), kSayWorking});
  // A conversation that a command wants has no stream here: only the owner's socket has.
  co_return ended.conversation ? Served::Left : ended.how;
}

Task<Result<Object>> ask_control(net::Stream& stream, const ControlRequest& request,
                                 const ControlHandlers& handlers,
                                 std::chrono::milliseconds silence) {
  Asking asking(stream, handlers, silence);
  co_return co_await asking.run(request);
}

Task<Result<Object>> run_control_here(const ControlTable& table, ControlRequest request,
                                      const ControlHandlers& handlers) {
  LocalCall call(std::move(request), handlers);
  auto result = co_await table.run(call);
  if (call.take_conversation())
    co_return fail(ErrorCode::Unsupported, "{} needs a running server", call.request().verb);
  co_return result;
}

namespace {

/// One line, byte by byte: the session's own first words may follow at once.
Task<Result<std::string>> read_line_alone(net::Stream& stream) {
  std::string line;
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
  co_return line;
}

Task<Result<Object>> request_session(net::Stream& stream, std::string request,
                                     OnStarting starting) {
  try {
    co_await stream.write(request);
    while (true) {
      CO_TRY(auto line, co_await read_line_alone(stream));
      CO_TRY(auto decoded, decode_control_line(line));
      if (auto working = std::get_if<ControlWorking>(&decoded)) {
        if (working->starting && !starting()) co_return std::unexpected(is_starting());
        continue;
      }
      if (auto error = std::get_if<Error>(&decoded)) co_return std::unexpected(std::move(*error));
      if (auto result = std::get_if<ControlResult>(&decoded)) co_return std::move(result->value);
      co_return fail(ErrorCode::Invalid, "the server's answer is not one");
    }
  } catch (const net::Disconnected& gone) {
    co_return fail(ErrorCode::Unavailable, "the server is gone: {}", gone.what());
  }
}

}  // namespace

Task<Result<Object>> ask_for_session(net::Stream& stream, const ControlRequest& request,
                                     OnStarting starting) {
  SilenceWatch watch(stream, kSilence);
  watch.begin();
  auto answer = co_await request_session(stream, line_text(request), std::move(starting));
  co_await watch.end();
  if (watch.gave_up()) co_return std::unexpected(watch.error());
  co_return answer;
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
