// submit.sock: where every program of the machine hands in mail. Beside it, control.sock is for the
// owner alone.
#pragma once

#include <functional>
#include <memory>

#include "app/control_io.h"
#include "net/stream.h"

namespace hikyaku::app {

/// A first request with this verb turns the connection into SMTP (sendmail -bs): the answer is an
/// empty result, what follows is the dialogue, begun by the server's greeting.
inline constexpr std::string_view kSubmitSmtp = "mail.smtp";

/// Serves one connection. Nobody is the owner here: only commands for anybody are run. `smtp`
/// serves what `sendmail -bs` asks for. `log` is the connection's. Throws what the stream throws.
Task<void> serve_submit(std::unique_ptr<net::Stream> stream, const ControlTable& table,
                        std::function<Task<void>(std::unique_ptr<net::Stream>)> smtp, Log log = {},
                        Turn turn = {});

}  // namespace hikyaku::app
