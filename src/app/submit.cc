#include "app/submit.h"

#include "app/control_io.h"

namespace hikyaku::app {

Task<void> serve_submit(std::unique_ptr<net::Stream> stream, const ControlTable& table,
                        std::function<Task<void>(std::unique_ptr<net::Stream>)> smtp, Log log,
                        Turn turn) {
  auto process = stream->peer_process();
  ControlCaller caller{process ? process->uid : UINT32_MAX, false, std::move(log)};
  if (co_await serve_requests(*stream, table, caller, kSubmitSmtp, std::move(turn)) ==
      Served::Handover)
    co_await smtp(std::move(stream));
}

}  // namespace hikyaku::app
