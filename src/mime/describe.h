// What `hikyaku mime FILE` prints: a message's structure, its headers decoded, its parts.
#pragma once

#include <string>

#include "mime/message.h"

namespace hikyaku::mime {

/// For people: the structure as a tree with numbers, types, sizes, names and defects, then the
/// header fields decoded, then the beginning of each text part. Control characters of the message
/// are made visible, so that it can be printed on a terminal.
std::string describe_text(const Message& message);

/// The same as one JSON object: {"size", "date", "from", …, "header": [{"name", "value"}], "parts":
/// [{"number", "type", "parameters", "disposition", "file_name", "encoding", "header_offset",
/// "header_size", "body_offset", "body_size", "body_lines", "defects", "header", "text"}]}. Text is
/// cut to `text_limit` bytes a part.
std::string describe_json(const Message& message, std::size_t text_limit = 64 * 1024);

}  // namespace hikyaku::mime
