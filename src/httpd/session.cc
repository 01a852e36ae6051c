#include "httpd/session.h"

#include "store/index_error.h"

namespace hikyaku::httpd {
namespace {

const Metrics kUncounted;

}  // namespace

Session::Session(net::Stream& stream, const Settings& settings, Services services, Log log)
    : stream_(stream),
      settings_(settings),
      services_(services),
      metrics_(services.metrics ? *services.metrics : kUncounted),
      log_(std::move(log)),
      input_(stream),
      parser_(settings.limits) {}

Task<void> Session::run() {
  while (!closing_) {
    auto request = co_await next_request();
    if (!request) co_return;
    ++requests_;
    closing_ = !request->keeps_alive() || requests_ >= settings_.max_requests;
    co_await execute(std::move(*request));
  }
  stream_.finish();
}

Task<std::optional<http::Request>> Session::next_request() {
  using Event = http::RequestParser::Event;
  stream_.set_timeout(settings_.idle_timeout);
  stream_.set_total_timeout(milliseconds(0));
  if (input_.turn_is_over()) co_await input_.end_turn();
  auto begun = false;
  while (true) {
    auto bytes = input_.available();
    auto before = bytes.size();
    // However slowly its bytes come, the request must end.
    if (before > 0 && !std::exchange(begun, true))
      stream_.set_total_timeout(settings_.request_timeout);
    auto event = parser_.next(bytes);
    input_.consume(before - bytes.size());
    switch (event) {
      case Event::Request:
        co_return parser_.take();
      case Event::Error:
        co_await refuse(parser_.error().status, parser_.error().text);
        co_return std::nullopt;
      case Event::Continue:
        co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n");
        continue;
      case Event::NeedMore:
        if (!co_await more_bytes()) co_return std::nullopt;
    }
  }
}

/// False: the client sends nothing more.
Task<bool> Session::more_bytes() {
  if (input_.fill_now()) co_return true;
  while (true) {
    switch (co_await input_.fill()) {
      case net::Input::Filled::Bytes:
        co_return true;
      case net::Input::Filled::Woken:
        continue;
      case net::Input::Filled::End:
        stream_.finish();
        co_return false;
    }
  }
}

Task<void> Session::execute(http::Request request) {
  http::Response response;
  {
    CommandWatch watch(services_.activity, "request", metrics_.requests);
    response = co_await services_.router.answer(request);
  }
  log_.debug("http.request",
             {{"verb", request.method}, {"path", request.path}, {"status", response.status}});
  co_await send(std::move(response), request.method == "HEAD");
}

Task<void> Session::send(http::Response response, bool head_only) {
  auto& counter = response.status >= 500   ? metrics_.server_error
                  : response.status >= 400 ? metrics_.client_error
                                           : metrics_.ok;
  counter.add();
  auto text = http::format(
      response, {.now = services_.clock.now(), .keep_alive = !closing_, .head_only = head_only});
  co_await stream_.write(text);
}

Task<void> Session::refuse(int status, std::string_view text) {
  closing_ = true;
  co_await send(http::plain(status, text), false);
  stream_.finish();
}

namespace {

struct Ended {
  std::string_view why = "done";
  int status = 0;  ///< of the last words; 0: none
  std::string_view text = {};
};

Task<Ended> converse(Session& session, const Log& log) {
  try {
    co_await session.run();
  } catch (const net::Disconnected& gone) {
    switch (gone.why()) {
      case net::Disconnected::Why::Timeout:
        // Nobody waits for an answer on a connection without a request.
        co_return session.within_request() ? Ended{"timeout", 408, "the request took too long"}
                                           : Ended{"timeout"};
      case net::Disconnected::Why::Shutdown:
        co_return Ended{"shutdown", 503, "the server is going down"};
      default:
        co_return Ended{"closed"};
    }
  } catch (const store::IndexError&) {
    // The store has told whoever runs it.
    co_return Ended{"damaged", 503, "a part of the server's data is damaged and cannot be read"};
  } catch (const std::exception& defect) {
    log.error("http.defect", {{"err", defect.what()}});
    co_return Ended{"defect", 500, "something went wrong here"};
  }
  co_return Ended{};
}

}  // namespace

Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log) {
  Session session(*stream, settings, services, log);
  auto ended = co_await converse(session, log);
  if (ended.status != 0) {
    try {
      stream->set_total_timeout(milliseconds(0));
      stream->set_timeout(std::chrono::seconds(5));
      co_await session.refuse(ended.status, ended.text);
    } catch (const net::Disconnected&) {
      // It does not listen any more.
    }
  }
  log.debug("http.end", {{"why", ended.why}, {"requests", session.requests()}});
  if (services.activity) services.activity->end_with(stream->bytes_in(), stream->bytes_out());
  stream->close();
}

}  // namespace hikyaku::httpd
