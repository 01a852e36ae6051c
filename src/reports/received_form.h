// The stored forms of what others report. Private to reports/.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reports/received.h"

namespace hikyaku::reports {

/// Everything but what is in the key (day and id). Texts of strangers are cut.
std::string encode_received(const ReceivedReport& report);
std::optional<ReceivedReport> decode_received(std::string_view value);

std::string encode_failure(const ReceivedFailure& failure);
std::optional<ReceivedFailure> decode_failure(std::string_view value);

std::string encode_unread(const UnreadReport& unread);
std::optional<UnreadReport> decode_unread(std::string_view value);

}  // namespace hikyaku::reports
