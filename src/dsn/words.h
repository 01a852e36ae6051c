// What a report says to people.
#pragma once

#include <string>

#include "dsn/report.h"

namespace hikyaku::dsn {

/// The Subject, in ASCII: "Not delivered: your message to bob@b.test".
std::string subject_of(const Report& report);

/// The text part, with CRLF: in English, or in Japanese and English.
std::string words_of(const Report& report);

}  // namespace hikyaku::dsn
